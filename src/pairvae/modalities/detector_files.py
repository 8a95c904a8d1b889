"""Files of X-ray detectors: HDF5 and NeXus data sets, and what FabIO reads (the extra ``[saxs]``)."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError, reason
from pairvae.modalities.picture import CUT_SHORT, EXPORT_AGAIN, inflated_length
from pairvae.modalities.raw import PARSER_ERRORS, RawImage, checked_shape, unreadable

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
FABIO_NAMES = (
    "edf cbf mccd mar2300 mar2560 mar3450 img osc sfrm gfrm msk spr fm2d dm3 kccd raxis esperanto bsl pnm "
    "ge ge1 ge2 ge3 ge4 ge5 raw mpa"
)
FABIO_SUFFIXES = frozenset(FABIO_NAMES.split())
MOST_LINKS = 16
MOST_NAMES = 8
MOST_VISITED = 2000
LARGEST_CHUNK_BYTES = 64_000_000
SMALL_CHUNK_BYTES = 100_000
MOST_CHUNKS = 50_000
DEFLATE = 1  # the number of HDF5's filter
CBF_MAGIC, CBF_SECTION, CBF_DATA = b"###CBF", b"--CIF-BINARY-FORMAT-SECTION--", b"\x0c\x1a\x04\xd5"
FILTERS = {
    4: "szip", 307: "bzip2", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd",
    32017: "sz", 32018: "fci", 32026: "blosc2",
}  # fmt: skip
FILTER_REMEDY = "pip install hdf5plugin, or write it again with gzip or uncompressed"
REMEDY = "pip install 'pairvae[saxs]'"


def _module(name: str, source: str) -> Any:
    """An optional package, or the line that says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise unreadable(
            source, f"the package {name} to read this format", "it is not installed", REMEDY
        ) from error


def read_fabio(path: Path, source: str, max_pixels: int, page: int) -> RawImage:
    """One frame of a detector file (edf, cbf, mccd, ...): counts ``(H, W)``. The header is judged first."""
    fabio = _module("fabio", source)
    logging.getLogger("fabio").setLevel(logging.CRITICAL)  # its remarks would stand amid the one clear line
    _check_head(path, source)
    try:
        shape = tuple(fabio.openheader(str(path)).shape or ())
        if shape:
            checked_shape(shape, 4, max_pixels, source)
        with fabio.open(str(path)) as image:
            if not 0 <= page < image.nframes:
                raise unreadable(source, f"a frame {page}", f"{image.nframes} frames", "count frames from 0")
            frame = image if page == 0 else image.get_frame(page)
            _refuse_compressed(frame.header, source)
            pixels = np.array(frame.data)
            if any(
                getattr(frame, "incomplete_data", False) for frame in getattr(image, "_frames", None) or []
            ):
                raise unreadable(source, "a whole detector image", "one cut short", CUT_SHORT)
    except InputError:
        raise
    except (
        Exception
    ) as error:  # FabIO raises anything at damaged files: the bare class, UnboundLocalError, ...
        raise unreadable(source, "a detector image that FabIO can read", reason(error), CUT_SHORT) from error
    checked_shape(pixels.shape, pixels.dtype.itemsize, max_pixels, source)
    return RawImage(pixels, None, None, path.suffix.lower().lstrip("."), source)


def _refuse_compressed(header: Mapping[str, Any], source: str) -> None:
    """FabIO hands frames that it cannot unpack itself to programs of the machine, and bounds no unpacked length."""
    for key, value in header.items():
        if key.lower() == "compression" and str(value).strip().lower() not in ("", "none", "no", "n"):
            raise unreadable(source, "a frame as it is", f"compression {value}", "write it uncompressed")


def _check_head(path: Path, source: str) -> None:
    """Refuse what FabIO would hand to a parser that follows external entities, and what it would read for ever."""
    with path.open("rb") as stream:
        head = stream.read(len(CBF_MAGIC))
        if head.startswith(b"<"):
            raise unreadable(source, "a detector image", "an XML or HTML file")
        if head != CBF_MAGIC and path.suffix.lower() != ".cbf":
            return
        data = head + stream.read()
    if data.find(CBF_DATA, max(data.find(CBF_SECTION), 0)) < 0:
        raise unreadable(source, "a whole CBF file", "none of its binary data", CUT_SHORT)


def read_hdf5(path: Path, inside: str, source: str, max_pixels: int, page: int) -> RawImage:
    """One 2D data set ``(H, W)`` or one frame of ``(frames, H, W)``.

    Links to other files, virtual and externally stored data sets are refused: they could read any file.
    """
    try:
        with open_hdf5(path, source) as file:
            pixels = _frame(hdf5_dataset(file, inside, source), source, max_pixels, page)
    except InputError:
        raise
    except PARSER_ERRORS as error:
        raise unreadable(source, "a readable HDF5 file", reason(error), CUT_SHORT) from error
    return RawImage(pixels, None, None, "hdf5", source)


def open_hdf5(path: Path, source: str) -> Any:
    """The file as h5py opens it, with the compression filters of detectors where they are installed."""
    h5py = _module("h5py", source)
    if importlib.util.find_spec("hdf5plugin") is not None:
        _module("hdf5plugin", source)
    return h5py.File(path, "r", locking=False)


def hdf5_dataset(file: Any, inside: str, source: str, *, also_group: bool = False) -> Any:
    """The data set ``inside`` an open file (or the group, if asked for), along links within the file only."""
    h5py = _module("h5py", source)
    if not inside.strip("/"):
        raise _name_missing(h5py, file, source)
    place, steps, links = file, [step for step in inside.split("/") if step], 0
    while steps:
        step = steps.pop(0)
        link = place.get(step, getlink=True) if isinstance(place, h5py.Group) else None
        if link is None:
            raise _name_missing(h5py, file, source)
        if isinstance(link, h5py.ExternalLink):
            raise unreadable(
                source, "data inside the file", f"a link to {link.filename}", "copy the data into the file"
            )
        if isinstance(link, h5py.SoftLink):
            links += 1
            if links > MOST_LINKS:
                raise unreadable(source, f"at most {MOST_LINKS} links", "links that lead to links")
            target = [part for part in link.path.split("/") if part not in ("", ".")]
            place, steps = (file if link.path.startswith("/") else place), target + steps
            continue
        place = place[step]
    if also_group and isinstance(place, h5py.Group):
        return place
    if not isinstance(place, h5py.Dataset):
        raise _name_missing(h5py, file, source)
    if place.is_virtual or place.external:
        raise unreadable(
            source,
            "data inside the file",
            "a virtual or externally stored data set",
            "copy the data into the file",
        )
    return place


def _frame(dataset: Any, source: str, max_pixels: int, page: int) -> np.ndarray:
    if dataset.dtype.kind not in "buif":
        raise unreadable(source, "a data set of numbers", f"type {dataset.dtype}")
    shape = tuple(dataset.shape or ())
    if len(shape) == 3 and shape[2] not in (3, 4):
        checked_shape(shape[1:], dataset.dtype.itemsize, max_pixels, source)
        if not 0 <= page < shape[0]:
            raise unreadable(source, f"a frame {page}", f"{shape[0]} frames", "count frames from 0")
        check_chunks(dataset, (1, *shape[1:]), source, page)
        return np.asarray(dataset[page])
    checked_shape(shape, dataset.dtype.itemsize, max_pixels, source)
    check_chunks(dataset, shape, source)
    return np.asarray(dataset[()])


def check_chunks(dataset: Any, part: Sequence[int], source: str, first: int = 0) -> None:
    """Refuse a data set whose chunks are bombs, before the part of shape ``part`` from row ``first`` on is read.

    HDF5 allocates whole chunks, however small the data set is, and follows a deflated one to its end.
    """
    if dataset.chunks is None:
        return
    _require_filters(dataset, source)
    nominal = math.prod(dataset.chunks) * dataset.dtype.itemsize
    starts = [
        range(begin // size * size, begin + length, size)
        for begin, length, size in zip((first, *[0] * len(part)), part, dataset.chunks, strict=False)
    ]
    too_large = nominal > max(4 * math.prod(part) * dataset.dtype.itemsize, LARGEST_CHUNK_BYTES)
    if too_large or math.prod(map(len, starts)) > MOST_CHUNKS:
        found = f"chunks of {' x '.join(map(str, dataset.chunks))} values"
        raise unreadable(source, "chunks that fit the data set", found, "write it again without chunks")
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(number)[0] for number in range(properties.get_nfilters())]
    if filters:
        for place in itertools.product(*starts):
            _check_stored(dataset.id, place, nominal, filters, source)


def _require_filters(dataset: Any, source: str) -> None:
    """Name the compression that the installed HDF5 library lacks (``InputError``)."""
    h5py = _module("h5py", source)
    properties = dataset.id.get_create_plist()
    for place in range(properties.get_nfilters()):
        number, _, _, told = properties.get_filter(place)
        if not h5py.h5z.filter_avail(number):
            name = FILTERS.get(number) or told.decode("utf-8", "replace").split("\0")[0][:40] or "unknown"
            found = f"the HDF5 filter {name} ({number}) that is not installed"
            raise unreadable(source, "a readable HDF5 file", found, FILTER_REMEDY)


def _check_stored(stored: Any, place: tuple[int, ...], nominal: int, filters: list[int], source: str) -> None:
    """One compressed chunk: no larger than it is as plain bytes, and deflated to no more than those."""
    size = stored.get_chunk_info_by_coord(place).size
    bomb = size > 2 * nominal + SMALL_CHUNK_BYTES or filters.count(DEFLATE) > 1
    if not bomb and size > SMALL_CHUNK_BYTES and DEFLATE in filters:
        mask, data = stored.read_direct_chunk(place)
        skipped = mask >> filters.index(DEFLATE) & 1
        bomb = (
            not skipped and inflated_length(data, nominal + SMALL_CHUNK_BYTES) > nominal + SMALL_CHUNK_BYTES
        )
    if bomb:
        found = "far more data in a chunk than its header says"
        raise unreadable(source, "a readable HDF5 file", found, EXPORT_AGAIN)


def _name_missing(h5py: Any, file: Any, source: str) -> InputError:
    """The line that names the 2D data sets of a file."""
    names: list[str] = []
    seen = 0

    def visit(name: str, item: Any) -> bool | None:
        nonlocal seen
        seen += 1
        if isinstance(item, h5py.Dataset) and item.ndim in (2, 3) and item.dtype.kind in "buif":
            names.append(name)
        return True if seen >= MOST_VISITED or len(names) >= MOST_NAMES else None

    file.visititems(visit)
    found = (
        f"no such data set; 2D ones are {', '.join(names)}"
        if names
        else "no such data set, and no 2D one at all"
    )
    return unreadable(source, "file.h5::/path/of/a/data/set", found, "name one of them in pairs.csv")
