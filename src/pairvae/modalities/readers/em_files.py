"""Files of electron microscopes: mrc, and dm3, dm4 and emd through RosettaSciIO (the extra ``[em]``).

Its readers unpickle and evaluate nothing of a file, but trust sizes in headers and follow HDF5 links. So lengths are
checked against the file's, and links are refused, before it reads. An mrc header is short enough to be read here: its
reader would look for further files beside a movie, and goes through dask.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError, number_of, reason
from pairvae.modalities.readers.detector_files import check_chunks, open_hdf5
from pairvae.modalities.readers.instruments.metadata import length_nm, pixel_nm
from pairvae.modalities.readers.picture import CUT_SHORT
from pairvae.modalities.readers.raw_image import LARGEST_DECODED_BYTES, RawImage, checked_shape, unreadable

EM_SUFFIXES = frozenset({"dm3", "dm4", "emd", "mrc"})
REMEDY = "pip install 'pairvae[em]'"
MRC_HEADER = 1024  # bytes
MRC_MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
FEI_HEADER, FEI_PIXEL_SIZE = (
    131_072,
    44,
)  # bytes of FEI's extended header, and the place of the pixel size in it
MOST_FIELDS = 1000  # of a structure in a dm3 or dm4 file
MOST_OBJECTS = 10_000  # in an emd file
Image = tuple[np.ndarray, float | None]


def installed() -> bool:
    """Whether RosettaSciIO is there."""
    return importlib.util.find_spec("rsciio") is not None


def read_em(path: Path, source: str, max_pixels: int, page: int) -> RawImage:
    """The first image of a file, or frame ``page`` of a stack: ``(H, W)`` with its pixel size."""
    suffix = path.suffix.lower().lstrip(".")
    read = {"mrc": _mrc, "emd": _emd}.get(suffix, _digital_micrograph)
    logging.getLogger("rsciio").setLevel(logging.CRITICAL)  # its remarks would clutter the one-line error
    try:
        data, nm = read(path, source, max_pixels)
        frames = data.shape[0] if data.ndim == 3 else 1
        if not 0 <= page < frames:
            raise unreadable(source, f"a frame {page}", number_of(frames, "frame"), "count frames from 0")
        pixels = np.array(data[page] if data.ndim == 3 else data)
        checked_shape(pixels.shape, pixels.dtype.itemsize, max_pixels, source)
    except InputError:
        raise
    except ImportError as error:
        found = f"{error.name or 'it'} is not installed"
        raise unreadable(source, "the package rosettasciio to read this format", found, REMEDY) from error
    except Exception as error:  # RosettaSciIO raises its own classes for damaged files
        raise unreadable(source, f"a readable {suffix} file", reason(error), CUT_SHORT) from error
    notes = (f"frame {page} of {frames}",) if frames > 1 else ()
    return RawImage(pixels, pixel_nm(nm), None, suffix, source, notes=notes)


def _mrc(path: Path, source: str, max_pixels: int) -> Image:
    """MRC2014 (cell lengths in angstrom over its sampling), and FEI's extended header (pixel size in m)."""
    with path.open("rb") as stream:
        head = stream.read(MRC_HEADER + FEI_PIXEL_SIZE + 4)
    if len(head) < MRC_HEADER:
        raise unreadable(source, "a whole mrc file", f"{len(head)} bytes", CUT_SHORT)
    order = ">" if head[212:214] == b"\x11\x11" else "<"
    columns, rows, layers, mode = (int(value) for value in np.frombuffer(head, f"{order}u4", 4))
    extra = int(np.frombuffer(head, f"{order}u4", 1, 92)[0])
    if mode not in MRC_MODES:
        raise unreadable(source, "integers or real numbers", f"mode {mode}", "export the image as TIFF")
    kind = np.dtype(f"{order}{MRC_MODES[mode]}")
    checked_shape((rows, columns), kind.itemsize, max_pixels, source)
    size = path.stat().st_size
    if not layers or MRC_HEADER + extra + columns * rows * layers * kind.itemsize > size:
        found = f"{columns} x {rows} x {layers} values in {size} bytes"
        raise unreadable(source, "a whole mrc file", found, CUT_SHORT)
    if extra == FEI_HEADER and len(head) == MRC_HEADER + FEI_PIXEL_SIZE + 4:
        nm = float(np.frombuffer(head, f"{order}f4", 1, MRC_HEADER + FEI_PIXEL_SIZE)[0]) * 1e9
    else:
        sampled = int(np.frombuffer(head, f"{order}u4", 1, 28)[0])
        nm = float(np.frombuffer(head, f"{order}f4", 1, 40)[0]) / 10 / max(sampled, 1)
    data = np.memmap(path, kind, "r", MRC_HEADER + extra, (layers, rows, columns))
    return data, nm


def _emd(path: Path, source: str, max_pixels: int) -> Image:
    """Velox and NCEM files, once no link leaves the file and no chunk is a bomb."""
    reader = importlib.import_module("rsciio.emd")
    with open_hdf5(path, source) as file:
        _check_hdf5(file, source)
        options = {"select_type": "images"} if "Version" in file else {}
    for signal in reader.file_reader(str(path), **options):
        data = np.asarray(signal["data"])
        if data.ndim in (2, 3) and data.dtype.kind in "buif" and min(data.shape[-2:]) > 1:
            return data, _scale(signal["axes"])
    raise unreadable(source, "an image, or a stack of them", "none")


def _scale(axes: Sequence[Mapping[str, Any]]) -> float | None:
    """nm per pixel along the columns."""
    across = max(axes, key=lambda axis: int(axis["index_in_array"]))
    return length_nm(f"{float(across['scale']):.12g}", str(across["units"]))


def _check_hdf5(file: Any, source: str) -> None:
    h5py = importlib.import_module("h5py")
    groups, seen, total = [file], 0, 0
    while groups:
        group = groups.pop()
        for name in group:
            seen += 1
            if seen > MOST_OBJECTS:
                raise unreadable(
                    source, f"at most {MOST_OBJECTS} objects", "more", "export the image as TIFF"
                )
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise unreadable(source, "data inside the file", "a link", "copy the data into the file")
            item = group[name]
            if isinstance(item, h5py.Group):
                groups.append(item)
            elif isinstance(item, h5py.Dataset):
                total += math.prod(item.shape or ()) * item.dtype.itemsize
                _check_dataset(item, total, source)


def _check_dataset(item: Any, total: int, source: str) -> None:
    if item.is_virtual or item.external:
        found = "a virtual or externally stored data set"
        raise unreadable(source, "data inside the file", found, "copy the data into the file")
    if total > LARGEST_DECODED_BYTES:
        raise unreadable(source, "at most 2 GB decoded", f"{item.shape}", "export one image of it")
    if item.dtype.kind in "buif" and item.shape:
        check_chunks(item, item.shape, source)


def _digital_micrograph(path: Path, source: str, max_pixels: int) -> Image:
    """Gatan's dm3 and dm4; what comes with sizes that the file does not have is refused."""
    module = importlib.import_module("rsciio.digitalmicrograph._api")
    size = path.stat().st_size

    class Bounded(module.DigitalMicrographReader):  # type: ignore[misc,name-defined]  # untyped
        """The reader; every announced length is checked against the file's."""

        def _within(self, length: int) -> None:
            if not 0 <= length <= size:
                raise ValueError(f"{length} values in a file of {size} bytes")

        def read_string(self, length: int, skip: bool = False) -> Any:
            self._within(length)
            return super().read_string(length, skip)

        def read_array(self, size: int, enc_eltype: int, extra: Any = None, skip: bool = False) -> Any:
            self._within(size)
            if extra is not None and not (
                extra.get("definition") or extra.get("length") or extra.get("size")
            ):
                raise ValueError("an array of nothing")
            return super().read_array(size, enc_eltype, extra, skip)

        def parse_struct_definition(self) -> Any:
            position = self.f.tell()
            self.read_l_or_q(self.f, "big")
            fields = self.read_l_or_q(self.f, "big")
            if not 0 <= fields <= MOST_FIELDS:
                raise ValueError(f"a structure of {fields} fields")
            self.f.seek(position)
            return super().parse_struct_definition()

    with path.open("rb") as stream:
        reader = Bounded(stream)
        reader.parse_file()
        for entry in reader.get_image_dictionaries() or []:
            image = module.ImageObject(entry, stream)
            image.filename = str(path)
            shape = tuple(int(side) for side in image.shape)
            if len(shape) not in (2, 3) or min(shape[-2:]) < 2:
                continue
            checked_shape(shape[-2:], 1, max_pixels, source)
            if math.prod(shape) > size:
                raise ValueError(f"{shape} values in a file of {size} bytes")
            data = np.asarray(image.get_data(lazy=False))
            if data.ndim in (2, 3) and data.dtype.kind in "buif":
                return data, _scale(image.get_axes_dict())
    raise unreadable(source, "an image, or a stack of them", "none")
