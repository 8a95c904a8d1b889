"""Raw files of instruments as arrays: one door, judged by content before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pairvae.errors import InputError, reason
from pairvae.modalities.counts import BeamCentre, bad_pixels, beam_centre, scale_counts
from pairvae.modalities.data_bar import data_bar
from pairvae.modalities.detector_files import FABIO_SUFFIXES, HDF5_MAGIC, read_fabio, read_hdf5
from pairvae.modalities.em_files import EM_SUFFIXES, installed, read_em
from pairvae.modalities.picture import (
    BMP_MAGIC,
    JPEG_MAGIC,
    NPY_MAGIC,
    PNG_MAGIC,
    read_bmp,
    read_jpeg,
    read_npy,
    read_png,
)
from pairvae.modalities.raw import (
    LARGEST_FILE_BYTES,
    PARSER_ERRORS,
    RawImage,
    normalised,
    require_finite,
    unreadable,
)
from pairvae.modalities.tiff import TIFF_MAGICS, read_tiff

__all__ = [
    "READABLE_SUFFIXES",
    "BeamCentre",
    "RawImage",
    "bad_pixels",
    "beam_centre",
    "data_bar",
    "file_part",
    "is_litter",
    "read_image",
    "require_finite",
    "scale_counts",
]

PICTURE_SUFFIXES = frozenset({"png", "jpg", "jpeg", "tif", "tiff", "bmp", "npy"})
HDF5_SUFFIXES = frozenset({"h5", "hdf5", "hdf", "nxs", "nx", "cxi"})
READABLE_SUFFIXES = PICTURE_SUFFIXES | HDF5_SUFFIXES | FABIO_SUFFIXES | EM_SUFFIXES
FORMATS = "jpg, png, tif, npy, or with the extra [saxs] edf, cbf, HDF5"
INSIDE = "::"
FOREIGN = {
    b"GIF8": "a GIF picture",
    b"RIFF": "a WebP picture",
    b"PK": "a zip archive",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
    b"\x80": "a Python pickle",
}


def is_litter(name: str) -> bool:
    """Whether a file of that name is no measurement: hidden, macOS's ``._`` halves, ``~$`` locks of office programs."""
    return name.startswith((".", "~$"))


def file_part(source: str | Path) -> Path:
    """The file of ``source``, without the ``::/path`` of an HDF5 data set."""
    return Path(str(source).split(INSIDE, 1)[0])


def read_image(path: str | Path, *, page: int = 0, max_pixels: int = 200_000_000) -> RawImage:
    """Read one image: jpg, png, tif, bmp, npy, mrc; with ``[saxs]`` edf, cbf, HDF5; with ``[em]`` dm3, dm4, emd.

    Page or frame ``page`` (from 0) of files that hold several. The content decides the format, not the name.
    Files above 2 GB, and headers that announce more than ``max_pixels``, are refused before anything is
    decoded. ``InputError``, in one line, for whatever cannot be read.
    """
    source = str(path)
    name, _, inside = source.partition(INSIDE)
    file = Path(name)
    try:
        magic = _magic(file, source)
        image = _reader(magic, file, source)(file, inside, page, max_pixels)
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


Reader = Callable[[Path, str, int, int], RawImage]


def _reader(magic: bytes, file: Path, source: str) -> Reader:
    """The reader that a file's first bytes call for; detector formats without a magic go by their suffix."""
    suffix = file.suffix.lower().lstrip(".")
    if suffix == "emd" and INSIDE not in source:
        return lambda file, _, page, most: read_em(file, source, most, page)
    if magic.startswith(HDF5_MAGIC):
        return lambda file, inside, page, most: read_hdf5(file, inside, source, most, page)
    if INSIDE in source:
        raise unreadable(source, "an HDF5 file before ::", "another format")
    if magic.startswith(PNG_MAGIC):
        return _single(lambda file, most: read_png(file, source, most), source)
    if magic.startswith(JPEG_MAGIC):
        return _single(lambda file, most: read_jpeg(file, source, most), source)
    if magic.startswith(NPY_MAGIC):
        return _single(lambda file, most: read_npy(file, source, most), source)
    if magic.startswith(BMP_MAGIC):
        return _single(lambda file, most: read_bmp(file, source, most), source)
    if magic.startswith(TIFF_MAGICS):
        return lambda file, _, page, most: read_tiff(file, source, most, page)
    if suffix in EM_SUFFIXES and (
        suffix not in FABIO_SUFFIXES or installed()
    ):  # FabIO reads dm3, without its scale
        return lambda file, _, page, most: read_em(file, source, most, page)
    if suffix in FABIO_SUFFIXES:
        return lambda file, _, page, most: read_fabio(file, source, most, page)
    raise unreadable(source, FORMATS, _describe(magic, suffix), "export the image in one of these formats")


def _single(read: Callable[[Path, int], RawImage], source: str) -> Reader:
    """A reader of a format that holds one image only."""

    def reader(file: Path, _: str, page: int, most: int) -> RawImage:
        if page != 0:
            raise unreadable(source, f"a page {page}", "a format of one image", "leave the page out")
        return read(file, most)

    return reader


def _describe(magic: bytes, suffix: str) -> str:
    named = f" named .{suffix}" if suffix else ""
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in magic):
        return f"a text file{named}"
    if not magic.strip(b"\0"):
        return f"a file of zeros{named}"
    known = next((kind for start, kind in FOREIGN.items() if magic.startswith(start)), "unknown content")
    return f"{known}{named}"
