"""Files of 1D curves: columns q, I and error in text, canSAS XML, npy, or HDF5 (``file.h5::/path``)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pairvae.errors import InputError, number_of, reason
from pairvae.modalities.readers.curve_files.cansas_xml import curve_of_xml, is_xml
from pairvae.modalities.readers.curve_files.columns import Curve, curve_of
from pairvae.modalities.readers.curve_files.hdf5 import curve_of_hdf5, upright
from pairvae.modalities.readers.curve_files.text import curve_of_text, decoded
from pairvae.modalities.readers.detector_files import HDF5_MAGIC
from pairvae.modalities.readers.picture import NPY_ERRORS, NPY_MAGIC, npy_fault
from pairvae.modalities.readers.raw_image import PARSER_ERRORS, RawImage, unreadable

CURVE_SUFFIXES = frozenset(
    {"csv", "txt", "dat", "chi", "asc", "xy", "xye", "int", "abs", "pdh", "grad", "xml"}
    | {"npy", "h5", "hdf5", "hdf", "nxs", "nx", "cxi"}
)
FORMATS = "text with columns q, I and error, canSAS XML, npy, or HDF5 as file.h5::/path"
LARGEST_BYTES = 50_000_000
MOST_POINTS = 1_000_000
LEAST_POINTS, FEW_POINTS = 2, 8
MANY_LOW = 0.1  # share of the points
TREATED = "taken as noise, a beam stop or a dead pixel, not dropped"
INSIDE = "::"


def read_curve(path: str | Path) -> RawImage:
    """A curve as ``(points, 3)`` float64: q, I, error (nan where there is none), ascending in q.

    Units are the file's own; ``q_unit`` and ``intensity_unit`` hold them where the file does. What was left out,
    sorted or negative is reported in ``notes`` and ``warnings``. ``InputError``, in one line, for anything but a curve.
    """
    source = str(path)
    name, _, inside = source.partition(INSIDE)
    file = Path(name)
    magic = _magic(file, source)
    try:
        if magic.startswith(HDF5_MAGIC):
            curve = curve_of_hdf5(file, inside, source)
        elif inside:
            raise unreadable(source, "an HDF5 file before ::", "another format")
        elif magic.startswith(NPY_MAGIC):
            curve = _from_npy(file, source)
        else:
            text = decoded(file.read_bytes(), source)
            curve = (curve_of_xml if is_xml(text) else curve_of_text)(text, source)
    except InputError:
        raise
    except PARSER_ERRORS as error:
        raise unreadable(source, FORMATS, reason(error)) from error
    return _image_of(curve, source)


def curve_image(table: np.ndarray, source: str) -> RawImage:
    """The same of a table ``(points, 2 or 3)`` in memory; ``source`` names it."""
    return _image_of(curve_of(table, None, source), source)


def _image_of(curve: Curve, source: str) -> RawImage:
    curve = _with_intensity_note(_ordered(curve, source))
    raw = RawImage(curve.columns, None, None, "curve", source, None, curve.q_unit, curve.intensity_unit)
    return replace(raw, notes=curve.notes, warnings=curve.warnings)


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


def _from_npy(file: Path, source: str) -> Curve:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except NPY_ERRORS as error:
        found, remedy = npy_fault(str(error))
        raise unreadable(source, "a whole npy file of numbers", found, remedy) from error
    shape = tuple(array.shape)
    wrong = array.dtype.kind not in "uif" or len(shape) != 2 or max(shape) > MOST_POINTS
    if wrong or not 2 <= min(shape) <= 100:
        raise unreadable(source, "a table of columns q, I, error", f"{array.dtype} of shape {shape}")
    return curve_of(upright(array), None, source)


def _ordered(curve: Curve, source: str) -> Curve:
    """Finite points in ascending q, of equal q the first; notes say what was sorted or left out."""
    columns = curve.columns
    if len(columns) > MOST_POINTS:
        raise unreadable(source, "at most a million points", str(len(columns)), "average them")
    notes, warnings = list(curve.notes), list(curve.warnings)
    finite = np.isfinite(columns[:, :2]).all(axis=1)
    if not finite.all():
        notes.append(f"{_points(np.sum(~finite), len(columns))} without a number left out")
    negative = finite & (columns[:, 0] < 0)
    if negative.any():
        warnings.append(f"{_points(negative.sum(), len(columns))} at negative q left out")
    kept = columns[finite & ~negative]
    steps = np.diff(kept[:, 0])
    if len(steps) and not (steps > 0).all() and not (steps < 0).all():
        back, again = int(np.sum(steps < 0)), len(kept) - len(np.unique(kept[:, 0]))
        if np.sum(steps < 0) > np.sum(steps > 0):
            back = int(np.sum(steps > 0))
        parts = [
            f"q turns back {number_of(back, 'time')}: the points are sorted, so overlapping measurements interleave"
        ] * (back > 0)
        parts += [f"{_points(again, len(kept))} with a repeated q left out"] * (again > 0)
        warnings.append("; ".join(parts))
    _, first = np.unique(kept[:, 0], return_index=True)
    if len(first) < LEAST_POINTS:
        raise unreadable(source, f"at least {LEAST_POINTS} points with q and I", str(len(first)))
    if len(first) < FEW_POINTS:
        warnings.append(f"a curve of only {len(first)} points")
    return replace(
        curve, columns=np.ascontiguousarray(kept[first]), notes=tuple(notes), warnings=tuple(warnings)
    )


def _with_intensity_note(curve: Curve) -> Curve:
    """The curve with a line on intensities of zero or below: a note, where they are many a warning."""
    q, low = curve.columns[:, 0], curve.columns[:, 1] <= 0
    if not low.any():
        return curve
    where = f"from q {q[low][0]:.4g} to {q[low][-1]:.4g}"
    line = f"{_points(low.sum(), len(low))} with I of zero or below, {where}: {TREATED}"
    if low.mean() > MANY_LOW:
        return replace(curve, warnings=(*curve.warnings, line))
    return replace(curve, notes=(*curve.notes, line))


def _points(number: int, of: int) -> str:
    return f"{number} of {of} points"
