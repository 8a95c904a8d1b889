"""HDF5 and NeXus files of detectors: one data set, one frame of it, along links that stay among declared folders."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import math
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError, number_of, reason
from pairvae.modalities.readers.linked_folders import linked_file
from pairvae.modalities.readers.nexus import detector_metadata
from pairvae.modalities.readers.picture import CUT_SHORT, EXPORT_AGAIN, inflated_length
from pairvae.modalities.readers.raw_image import PARSER_ERRORS, RawImage, checked_shape, unreadable

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_LINKS = 16
MOST_NAMES = 8
MOST_VISITED = 2000
LARGEST_CHUNK_BYTES = 64_000_000
SMALL_CHUNK_BYTES = 100_000
MOST_CHUNKS = 50_000
MASTER_DATA = "data_"  # how an Eiger's master file names the links to its data files
CORRECTIONS = frozenset(["flatfield", "pixel_mask", "trimbit", "countrate_correction_table"])
DEFLATE = 1  # the number of HDF5's filter
FILTERS = {
    4: "szip", 307: "bzip2", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd",
    32017: "sz", 32018: "fci", 32026: "blosc2",
}  # fmt: skip
FILTER_REMEDY = "pip install hdf5plugin, or write it again with gzip or uncompressed"
REMEDY = "pip install 'pairvae[saxs]'"


def module(name: str, source: str) -> Any:
    """An optional package, or the line that says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise unreadable(
            source, f"the package {name} to read this format", "it is not installed", REMEDY
        ) from error


def read_hdf5(path: Path, inside: str, source: str, max_pixels: int, page: int | None) -> RawImage:
    """One 2D data set ``(H, W)``, or one frame of ``(frames, H, W)``, with the detector's geometry and mask.

    ``page``: the frame, from 0, of several axes in the order of rows; None: the first, which is told where there are
    more. Links to other files are followed within the file's own folder and declared ones; virtual and
    externally stored data sets are refused: they could read any file.
    """
    try:
        with open_hdf5(path, source) as file:
            dataset = hdf5_dataset(file, inside, source)
            pixels, frames = _frame(dataset, source, max_pixels, page)
            known, mask = detector_metadata(file, inside, pixels.shape)
            bad = None if mask is None else _pixel_mask(mask, source)
    except InputError:
        raise
    except PARSER_ERRORS as error:
        raise unreadable(source, "a readable HDF5 file", reason(error), CUT_SHORT) from error
    notes, warnings = frame_lines(page, frames)
    return RawImage(
        pixels,
        None,
        None,
        "hdf5",
        source,
        notes=notes,
        warnings=(*warnings, *known.warnings),
        header_q_per_px=known.q_per_px,
        beam=known.beam,
        mask=bad,
    )


def frame_lines(page: int | None, frames: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes and warnings about the frame that was taken of how many; ``page`` None: none was requested."""
    if frames == 1:
        return (), ()
    if page is not None:
        return (f"frame {page} of {frames}, counted from 0",), ()
    return (), (f"frame 0 of {frames}, as none is named - give the column frame in pairs.csv, or FILE::[1]",)


def _pixel_mask(dataset: Any, source: str) -> np.ndarray:
    check_chunks(dataset, dataset.shape, source)
    return np.asarray(dataset[()] != 0)


def open_hdf5(path: Path, source: str) -> Any:
    """The file as h5py opens it, with the compression filters of detectors where they are installed."""
    h5py = module("h5py", source)
    if importlib.util.find_spec("hdf5plugin") is not None:
        module("hdf5plugin", source)
    return h5py.File(path, "r", locking=False)


def hdf5_dataset(file: Any, inside: str, source: str, *, also_group: bool = False) -> Any:
    """The data set ``inside`` an open file (or the group, with ``also_group``), along links.

    Those to other files are followed where these lie in the folder of ``source``, or in a declared one.
    """
    h5py = module("h5py", source)
    if not inside.strip("/"):
        raise _name_missing(h5py, file, source)
    item, steps, links = file, [step for step in inside.split("/") if step], 0
    while steps:
        step = steps.pop(0)
        link = item.get(step, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            raise _name_missing(h5py, file, source)
        if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
            links += 1
            if links > MOST_LINKS:
                raise unreadable(source, f"at most {MOST_LINKS} links", "links that lead to links")
        if isinstance(link, h5py.ExternalLink):
            file = item = open_hdf5(_linked(link.filename, source), source)
            steps = [part for part in link.path.split("/") if part not in ("", ".")] + steps
            continue
        if isinstance(link, h5py.SoftLink):
            target = [part for part in link.path.split("/") if part not in ("", ".")]
            item, steps = (file if link.path.startswith("/") else item), target + steps
            continue
        item = item[step]
    if also_group and isinstance(item, h5py.Group):
        return item
    if not isinstance(item, h5py.Dataset):
        raise _name_missing(h5py, file, source)
    if item.is_virtual or item.external:
        raise unreadable(
            source,
            "data inside the file",
            "a virtual or externally stored data set",
            "copy the data into the file",
        )
    return item


def _linked(name: str, source: str) -> Path:
    """The file that a link names (``InputError``: it may not be opened, or is not there)."""
    file, allowed = linked_file(name, Path(source.partition("::")[0]))
    if not allowed:
        remedy = "copy the data into the file, or name its folder in data.roots"
        raise unreadable(source, "data inside the file", f"a link to {name}", remedy)
    if file is None:
        remedy = "copy it beside this file, or name its folder in data.roots"
        raise unreadable(source, f"the data file {name} that it links to", "none", remedy)
    return file


def linked_files(path: Path, inside: str) -> list[Path]:
    """Files that hold the data set ``inside`` instead of ``path`` itself (an Eiger's master file); none is opened."""
    source = f"{path}::{inside}"
    h5py = module("h5py", source)
    with open_hdf5(path, source) as file:
        item = file
        for step in (step for step in inside.split("/") if step):
            link = item.get(step, getlink=True) if isinstance(item, h5py.Group) else None
            if isinstance(link, h5py.ExternalLink):
                return [_linked(link.filename, source)]
            if not isinstance(link, h5py.HardLink):
                break
            item = item[step]
    return []


def _frame(dataset: Any, source: str, max_pixels: int, page: int | None) -> tuple[np.ndarray, int]:
    """One frame, and of how many; the axes before the last two count frames, in the order of rows."""
    if dataset.dtype.kind not in "buif":
        raise unreadable(source, "a data set of numbers", f"type {dataset.dtype}")
    shape = tuple(dataset.shape or ())
    if len(shape) < 3 or (len(shape) == 3 and shape[2] in (3, 4)):
        checked_shape(shape, dataset.dtype.itemsize, max_pixels, source)
        check_chunks(dataset, shape, source)
        if page:
            raise unreadable(source, f"a frame {page}", "1 frame", "count frames from 0")
        return np.asarray(dataset[()]), 1
    checked_shape(shape[-2:], dataset.dtype.itemsize, max_pixels, source)
    frames, number = math.prod(shape[:-2]), page or 0
    if not 0 <= number < frames:
        raise unreadable(source, f"a frame {number}", number_of(frames, "frame"), "count frames from 0")
    index = tuple(int(coordinate) for coordinate in np.unravel_index(number, shape[:-2]))
    check_chunks(dataset, (*[1] * len(index), *shape[-2:]), source, index)
    return np.asarray(dataset[index]), frames


def check_chunks(dataset: Any, part: Sequence[int], source: str, first: Sequence[int] = ()) -> None:
    """Refuse a data set whose chunks are bombs, before the part of shape ``part`` from index ``first`` on is read.

    HDF5 allocates whole chunks, however small the data set is, and follows a deflated one to its end.
    """
    if dataset.chunks is None:
        return
    _require_filters(dataset, source)
    nominal = math.prod(dataset.chunks) * dataset.dtype.itemsize
    starts = [
        range(begin // size * size, begin + length, size)
        for begin, length, size in zip((*first, *[0] * len(part)), part, dataset.chunks, strict=False)
    ]
    too_large = nominal > max(4 * math.prod(part) * dataset.dtype.itemsize, LARGEST_CHUNK_BYTES)
    if too_large or math.prod(map(len, starts)) > MOST_CHUNKS:
        found = f"chunks of {' x '.join(map(str, dataset.chunks))} values"
        raise unreadable(source, "chunks that fit the data set", found, "write it again without chunks")
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(number)[0] for number in range(properties.get_nfilters())]
    if filters:
        for start in itertools.product(*starts):
            _check_stored(dataset.id, start, nominal, filters, source)


def _require_filters(dataset: Any, source: str) -> None:
    """Name the compression that the installed HDF5 library lacks (``InputError``)."""
    h5py = module("h5py", source)
    properties = dataset.id.get_create_plist()
    for position in range(properties.get_nfilters()):
        number, _, _, label = properties.get_filter(position)
        if not h5py.h5z.filter_avail(number):
            name = FILTERS.get(number) or label.decode("utf-8", "replace").split("\0")[0][:40] or "unknown"
            found = f"the HDF5 filter {name} ({number}) that is not installed"
            raise unreadable(source, "a readable HDF5 file", found, FILTER_REMEDY)


def _check_stored(stored: Any, start: tuple[int, ...], nominal: int, filters: list[int], source: str) -> None:
    """One compressed chunk: no larger than it is as plain bytes, and deflated to no more than those."""
    size = stored.get_chunk_info_by_coord(start).size
    bomb = size > 2 * nominal + SMALL_CHUNK_BYTES or filters.count(DEFLATE) > 1
    if not bomb and size > SMALL_CHUNK_BYTES and DEFLATE in filters:
        mask, data = stored.read_direct_chunk(start)
        skipped = mask >> filters.index(DEFLATE) & 1
        bomb = (
            not skipped and inflated_length(data, nominal + SMALL_CHUNK_BYTES) > nominal + SMALL_CHUNK_BYTES
        )
    if bomb:
        found = "far more data in a chunk than its header says"
        raise unreadable(source, "a readable HDF5 file", found, EXPORT_AGAIN)


def _name_missing(h5py: Any, file: Any, source: str) -> InputError:
    """The line that names the 2D data sets of a file, or the data file that a master file lacks."""
    names: list[str] = []
    links: list[tuple[str, str]] = []
    waiting, seen = deque([("", file)]), 0
    while waiting and seen < MOST_VISITED and len(names) < MOST_NAMES:
        prefix, group = waiting.popleft()
        for name in sorted(group):
            seen += 1
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                links.append((f"{prefix}{name}", link.filename))
            if not isinstance(link, h5py.HardLink):
                continue
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append((f"{prefix}{name}/", item))
            elif (
                isinstance(item, h5py.Dataset)
                and item.ndim >= 2
                and item.dtype.kind in "buif"
                and name.lower() not in CORRECTIONS
            ):
                names.append(f"{prefix}{name}")
    masters = [(name, target) for name, target in links if name.rpartition("/")[2].startswith(MASTER_DATA)]
    for _, target in masters:
        try:
            _linked(target, source)
        except InputError as error:
            return error
    names = ([name for name, _ in masters] + names)[:MOST_NAMES]
    found = (
        f"no such data set; 2D ones are {', '.join(names)}"
        if names
        else "no such data set, and no 2D one at all"
    )
    return unreadable(source, "file.h5::/path/of/a/data/set", found, "name one of them in pairs.csv")
