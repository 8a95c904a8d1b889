"""Raw files of instruments as arrays: one door, judged by content before anything is decoded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from pairvae.errors import InputError, reason
from pairvae.modalities.readers.beam import beam_centre
from pairvae.modalities.readers.counts import BeamCentre, bad_pixels, scale_counts
from pairvae.modalities.readers.data_bar import data_bar
from pairvae.modalities.readers.detector_files import HDF5_MAGIC, linked_files, read_hdf5
from pairvae.modalities.readers.em_files import EM_SUFFIXES, installed, read_em
from pairvae.modalities.readers.fabio_files import CBF_MAGIC, FABIO_SUFFIXES, read_fabio
from pairvae.modalities.readers.geometry import of_header
from pairvae.modalities.readers.gzipped import GZIP_MAGIC, unpacked
from pairvae.modalities.readers.picture import (
    BMP_MAGIC,
    JPEG_MAGIC,
    NPY_MAGIC,
    PNG_MAGIC,
    read_bmp,
    read_jpeg,
    read_npy,
    read_png,
)
from pairvae.modalities.readers.raw_image import (
    LARGEST_FILE_BYTES,
    PARSER_ERRORS,
    RawImage,
    checked_shape,
    normalised,
    require_finite,
    unreadable,
)
from pairvae.modalities.readers.table_patterns import read_table_pattern
from pairvae.modalities.readers.tiff import TIFF_MAGICS, read_tiff
from pairvae.settings.plugins import READERS, broken, load, package_of, plugins

__all__ = [
    "READABLE_SUFFIXES",
    "BeamCentre",
    "RawImage",
    "bad_pixels",
    "beam_centre",
    "companions",
    "data_bar",
    "file_part",
    "file_stem",
    "is_litter",
    "read_image",
    "require_finite",
    "scale_counts",
]

PICTURE_SUFFIXES = frozenset({"png", "jpg", "jpeg", "tif", "tiff", "bmp", "npy"})
HDF5_SUFFIXES = frozenset({"h5", "hdf5", "hdf", "nxs", "nx", "cxi"})
GZIP_SUFFIX = "gz"
OWN_SUFFIXES = PICTURE_SUFFIXES | HDF5_SUFFIXES | FABIO_SUFFIXES | EM_SUFFIXES | {GZIP_SUFFIX}
READABLE_SUFFIXES = OWN_SUFFIXES | set(plugins(READERS))  # of other packages: an entry point for each suffix
FORMATS = "jpg, png, tif, npy, or with the extra [saxs] edf, cbf, HDF5"
INSIDE = "::"
FRAME = re.compile(r"\[(\d{1,9})\]$")
LONGEST_DESCRIPTION = 20_000  # characters of a TIFF's description
ARCHIVES = {b"BZh": "a bzip2 file", GZIP_MAGIC: "a gzip file within another", b"\xfd7zXZ": "an xz file"}
FOREIGN = {
    b"GIF8": "a GIF picture",
    b"RIFF": "a WebP picture",
    b"PK": "a zip archive",
    b"%PDF": "a PDF",
    b"\x80": "a Python pickle",
}


def is_litter(name: str) -> bool:
    """Whether a file of that name is no measurement: hidden, macOS's ``._`` halves, ``~$`` locks of office programs."""
    return name.startswith((".", "~$"))


def file_part(source: str | Path) -> Path:
    """The file of ``source``, without the ``::/path`` of an HDF5 data set."""
    return Path(str(source).split(INSIDE, 1)[0])


def file_stem(path: Path) -> str:
    """The name of a file without its suffix, and without both of ``a.edf.gz``."""
    return Path(path.stem).stem if path.suffix.lower() == f".{GZIP_SUFFIX}" else path.stem


def companions(source: str | Path) -> list[Path]:
    """Further files that ``source`` needs: the data file that an Eiger's master file links to (``InputError``)."""
    name, _, inside = str(source).partition(INSIDE)
    return linked_files(Path(name), FRAME.sub("", inside)) if inside.strip("/") else []


def read_image(path: str | Path, *, page: int | None = None, max_pixels: int = 200_000_000) -> RawImage:
    """Read one image: jpg, png, tif, bmp, npy, mrc; with ``[saxs]`` edf, cbf, HDF5; with ``[em]`` dm3, dm4, emd.

    Of files that hold several frames or pages, ``page`` or ``file.h5::/data/set[3]``, ``file.edf::[3]`` (from 0).
    What is compressed with gzip is unpacked first; text is read as a 2D pattern of columns Qx, Qy and I. The
    content decides the format, not the name. Files above 2 GB, and headers that announce more than ``max_pixels``, are
    refused before anything is decoded. ``InputError``, in one line, for whatever cannot be read.
    """
    source = str(path)
    name, separator, inside = source.partition(INSIDE)
    frame = FRAME.search(inside)
    if frame is not None and page is None:
        page, inside = int(frame[1]), inside[: frame.start()]
    file = Path(name)
    try:
        magic = _magic(file, source)
        if magic.startswith(GZIP_MAGIC):
            with unpacked(file, source) as plain:
                magic = _magic(plain, source)
                _refuse_archives(magic, source)
                image = _read(magic, plain, inside, bool(separator), source, page, max_pixels)
        else:
            _refuse_archives(magic, source)
            image = _read(magic, file, inside, bool(separator), source, page, max_pixels)
        return normalised(image)
    except InputError:
        raise
    except PARSER_ERRORS as error:
        raise unreadable(source, FORMATS, reason(error)) from error


def _magic(file: Path, source: str) -> bytes:
    """The first bytes, once it is sure that there is a file of a sensible size."""
    if not file.exists():
        raise unreadable(source, "a file", "none", "check the name")
    if not file.is_file():
        raise unreadable(source, "a file", "a folder" if file.is_dir() else "a device or pipe")
    size = file.stat().st_size
    if size == 0:
        raise unreadable(source, FORMATS, "an empty file", "copy the file again from its source")
    if size > LARGEST_FILE_BYTES:
        raise unreadable(
            source,
            f"a file of at most {LARGEST_FILE_BYTES / 1e9:g} GB",
            f"{size / 1e9:.1f} GB",
            "export one image of it",
        )
    with file.open("rb") as stream:
        return stream.read(16)


def _refuse_archives(magic: bytes, source: str) -> None:
    """FabIO would unpack these to their end, whatever their suffix."""
    kind = next((kind for start, kind in ARCHIVES.items() if magic.startswith(start)), None)
    if kind is not None:
        raise unreadable(source, FORMATS, kind, "unpack it, and give the one image")


def _read(
    magic: bytes, file: Path, inside: str, named: bool, source: str, page: int | None, most: int
) -> RawImage:
    """The image by the reader that a file's first bytes call for; detector formats without a magic go by suffix."""
    suffix = file.suffix.lower().lstrip(".")
    if suffix in READABLE_SUFFIXES - OWN_SUFFIXES:
        return _by_plugin(suffix, file, source, most)
    if suffix == "emd" and not named:
        return read_em(file, source, most, page or 0)
    if magic.startswith(HDF5_MAGIC):
        return read_hdf5(file, inside, source, most, page)
    if inside or (named and page is None):
        raise unreadable(source, "an HDF5 file before ::", "another format")
    single = next((read for start, read in SINGLE.items() if magic.startswith(start)), None)
    if single is not None:
        if page:
            raise unreadable(source, f"a page {page}", "a format of one image", "leave the page out")
        return single(file, source, most)
    if magic.startswith(TIFF_MAGICS):
        return _with_header(read_tiff(file, source, most, page), file, page or 0)
    if suffix in EM_SUFFIXES and (suffix not in FABIO_SUFFIXES or installed()):
        return read_em(file, source, most, page or 0)  # FabIO reads dm3, without its scale
    braces = magic.lstrip().startswith(b"{") and suffix != "json"  # EDF, d*TREK, ADSC, whatever their suffix
    if suffix in FABIO_SUFFIXES or braces or magic.startswith(CBF_MAGIC):
        return read_fabio(file, source, most, page)
    table = read_table_pattern(file, source, most) if _is_text(magic) else None
    if table is not None:
        return table
    raise unreadable(source, FORMATS, _describe(magic, suffix), "export the image in one of these formats")


def _by_plugin(suffix: str, file: Path, source: str, most: int) -> RawImage:
    """The image by the reader of another package, whatever its code raises in one line."""
    entry = plugins(READERS)[suffix]
    read = load(entry)
    try:
        image = read(file)
    except InputError:
        raise
    except Exception as error:
        raise unreadable(source, f"a {suffix} file that {package_of(entry)} reads", reason(error)) from error
    if not isinstance(image, RawImage):
        raise broken(entry, "a RawImage", type(image).__name__)
    checked_shape(image.pixels.shape, image.pixels.dtype.itemsize, most, source)
    return replace(image, source=source)


SINGLE: dict[bytes, Callable[[Path, str, int], RawImage]] = {
    PNG_MAGIC: read_png,
    JPEG_MAGIC: read_jpeg,
    NPY_MAGIC: read_npy,
    BMP_MAGIC: read_bmp,
}


def _with_header(image: RawImage, file: Path, page: int) -> RawImage:
    """The image with the geometry that detectors write into the description of a TIFF."""
    if image.pixels.ndim != 2 or image.pixels.dtype == np.uint8:
        return image
    with tifffile.TiffFile(file) as tiff:
        tag = tiff.pages[page].aspage().tags.get("ImageDescription")
        text = str(tag.value)[:LONGEST_DESCRIPTION] if tag is not None else ""
    known = of_header({"ImageDescription": text})
    warnings = (*image.warnings, *known.warnings)
    return replace(image, beam=known.beam, header_q_per_px=known.q_per_px, warnings=warnings)


def _is_text(magic: bytes) -> bool:
    return all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in magic)


def _describe(magic: bytes, suffix: str) -> str:
    named = f" named .{suffix}" if suffix else ""
    if _is_text(magic):
        return f"a text file{named}"
    if not magic.strip(b"\0"):
        return f"a file of zeros{named}"
    known = next((kind for start, kind in FOREIGN.items() if magic.startswith(start)), "unknown content")
    return f"{known}{named}"
