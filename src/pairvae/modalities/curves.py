"""Files of 1D curves: columns q, I and error in text, npy, or HDF5 (``file.h5::/path``)."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError, reason
from pairvae.modalities.detector_files import HDF5_MAGIC, check_chunks, hdf5_dataset, open_hdf5
from pairvae.modalities.picture import CUT_SHORT, NPY_ERRORS, NPY_MAGIC
from pairvae.modalities.raw import PARSER_ERRORS, RawImage, unreadable

CURVE_SUFFIXES = frozenset({"csv", "txt", "dat", "chi", "npy", "h5", "hdf5", "hdf", "nxs", "nx", "cxi"})
FORMATS = "csv, txt or dat with columns q, I and error, npy, or HDF5 as file.h5::/path"
LARGEST_BYTES = 50_000_000
MOST_POINTS = 1_000_000
LEAST_POINTS = 8
LONGEST_LINE = 10_000
INSIDE = "::"
SEPARATORS = re.compile(r"[,;\s]+")
ERROR_NAMES = ("Idev", "I_errors", "errors", "error", "sigma")


def read_curve(path: str | Path) -> RawImage:
    """A curve as ``(points, 3)`` float64: q, I, error (nan where there is none), ascending in q.

    Units are the file's own. Text may have header and comment lines. ``InputError``, in one line, for whatever
    is no curve of 8 to a million points.
    """
    source = str(path)
    name, _, inside = source.partition(INSIDE)
    file = Path(name)
    magic = _magic(file, source)
    try:
        if magic.startswith(HDF5_MAGIC):
            columns = _from_hdf5(file, inside, source)
        elif inside:
            raise unreadable(source, "an HDF5 file before ::", "another format")
        elif magic.startswith(NPY_MAGIC):
            columns = _from_npy(file, source)
        else:
            columns = _from_text(file, source)
    except InputError:
        raise
    except PARSER_ERRORS as error:
        raise unreadable(source, FORMATS, reason(error)) from error
    return RawImage(_ordered(columns, source), None, None, "curve", source)


def _magic(file: Path, source: str) -> bytes:
    if not file.is_file():
        found = "none" if not file.exists() else "a folder" if file.is_dir() else "a device or pipe"
        raise unreadable(source, "a file", found, "check the name")
    size = file.stat().st_size
    if size == 0 or size > LARGEST_BYTES:
        found = "an empty file" if size == 0 else f"{size / 1e6:.0f} MB"
        raise unreadable(source, "a curve of at most 50 MB", found, "export the curve again")
    with file.open("rb") as stream:
        return stream.read(16)


def _from_text(file: Path, source: str) -> np.ndarray:
    """Columns of numbers below any header; lines that begin with # or nothing are left out."""
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise unreadable(source, FORMATS, "neither text nor a known format") from error
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        values = _numbers(line[:LONGEST_LINE])
        if values is None or len(values) < 2:
            if rows:
                raise unreadable(
                    source, "numbers below the header", repr(line.strip()[:40]), f"mend line {number}"
                )
            continue
        if rows and len(values) != len(rows[0]):
            found = f"{len(values)} in line {number}"
            raise unreadable(source, f"{len(rows[0])} columns in every line", found)
        rows.append(values)
    if not rows:
        raise unreadable(source, "columns of numbers q, I and error", "none")
    return np.array(rows)


def _numbers(line: str) -> list[float] | None:
    """The numbers of a line, or None where a word stands among them."""
    try:
        return [float(part) for part in SEPARATORS.split(line.strip(" \t,;")) if part]
    except ValueError:
        return None


def _from_npy(file: Path, source: str) -> np.ndarray:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except NPY_ERRORS as error:
        raise unreadable(source, "a whole npy file of numbers", reason(error), CUT_SHORT) from error
    return _table(array, source)


def _from_hdf5(file: Path, inside: str, source: str) -> np.ndarray:
    """A data set of two or three columns, or a group that holds q and I (NXcanSAS names, upper or lower case)."""
    with open_hdf5(file, source) as content:
        found = hdf5_dataset(content, inside, source, also_group=True)
        if hasattr(found, "keys"):
            return _from_group(found, content, inside, source)
        return _table(_checked(found, source), source)


def _from_group(group: Any, content: Any, inside: str, source: str) -> np.ndarray:
    names = {str(name).lower(): str(name) for name in group}
    if "q" not in names or "i" not in names:
        here = ", ".join(sorted(names.values())[:8]) or "nothing"
        raise unreadable(source, "a group with the data sets q and I", here, "name the group or the table")
    wanted = [names["q"], names["i"], *[name for name in ERROR_NAMES if name in group][:1]]
    columns = [
        np.ravel(_checked(hdf5_dataset(content, f"{inside}/{name}", source), source)[()]).astype(float)
        for name in wanted
    ]
    if len({len(column) for column in columns}) != 1:
        raise unreadable(source, "as many values of I as of q", str([len(column) for column in columns]))
    return np.stack(columns, axis=1)


def _checked(dataset: Any, source: str) -> Any:
    if dataset.dtype.kind not in "uif" or math.prod(dataset.shape) > 3 * MOST_POINTS:
        raise unreadable(source, "real numbers, at most a million points", f"{dataset.dtype} {dataset.shape}")
    check_chunks(dataset, dataset.shape, source)
    return dataset


def _table(array: Any, source: str) -> np.ndarray:
    """``(points, 2|3)`` of an array that may lie on its side."""
    shape = tuple(array.shape)
    if (
        array.dtype.kind not in "uif"
        or len(shape) != 2
        or not {2, 3} & set(shape)
        or max(shape) > MOST_POINTS
    ):
        raise unreadable(
            source, "a table of two or three columns: q, I, error", f"{array.dtype} of shape {shape}"
        )
    values: np.ndarray = np.asarray(array[()], dtype=float)
    return values if shape[1] in (2, 3) else np.ascontiguousarray(values.T)


def _ordered(columns: np.ndarray, source: str) -> np.ndarray:
    """Finite points in ascending q, of equal q the first; three columns."""
    if columns.shape[1] not in (2, 3) or len(columns) > MOST_POINTS:
        raise unreadable(
            source, "two or three columns: q, I, error", f"{columns.shape[1]} of {len(columns)} points"
        )
    if columns.shape[1] == 2:
        columns = np.column_stack([columns, np.full(len(columns), np.nan)])
    finite: np.ndarray = columns[np.isfinite(columns[:, :2]).all(axis=1) & (columns[:, 0] >= 0)]
    _, first = np.unique(finite[:, 0], return_index=True)
    if len(first) < LEAST_POINTS:
        raise unreadable(source, f"at least {LEAST_POINTS} points with q and I", str(len(first)))
    return np.ascontiguousarray(finite[first])
