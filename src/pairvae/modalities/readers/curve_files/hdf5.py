"""Curves in HDF5 files: NXcanSAS, other NeXus groups that hold q and I, and plain tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.readers.curve_files.columns import Curve, curve_of
from pairvae.modalities.readers.curve_files.names import refuse_axis
from pairvae.modalities.readers.curve_files.units import intensity_unit_of, q_unit_of
from pairvae.modalities.readers.detector_files import check_chunks, hdf5_dataset, open_hdf5
from pairvae.modalities.readers.raw_image import unreadable

MOST_POINTS = 1_000_000
MOST_COLUMNS = 100
MOST_VISITED = 2000
MOST_NAMES = 8
Q_NAMES = ("q", "qvalues", "q_values", "q_nm^-1", "q_a^-1", "q_nm", "q_a")
I_NAMES = ("i", "intensity", "intensities", "i_q", "i(q)")
ERROR_NAMES = (
    "idev",
    "i_errors",
    "errors",
    "error",
    "sigma",
    "intensity_errors",
    "i_error",
    "di",
    "uncertainties",
)
WANTED = "file.h5::/group that holds q and I, or file.h5::/table"


def curve_of_hdf5(file: Path, inside: str, source: str) -> Curve:
    """The table or group ``inside``; of a file without a name behind it, the only curve, or the file's default.

    A group holds a curve where its attributes or the usual names give q and I. ``InputError`` names the groups.
    """
    with open_hdf5(file, source) as content:
        note: tuple[str, ...] = ()
        if not inside.strip("/"):
            inside = _only_curve(content, source)
            note = (f"read from ::/{inside}",)
        item = content if not inside else _member(content, inside, source)
        if hasattr(item, "keys"):
            return _from_group(item, inside, source, note)
        if item.ndim == 1:
            raise _which(content, source, "one column")
        return _from_table(item, source)


def _member(content: Any, inside: str, source: str) -> Any:
    """The group or data set of a name; links out of the file are refused, and other names answered with the curves."""
    try:
        return hdf5_dataset(content, inside, source, also_group=True)
    except InputError as error:
        if "no such data set" not in error.found:
            raise
        raise _which(content, source, "no such group or data set") from error


def _only_curve(content: Any, source: str) -> str:
    """The place of the only curve of a file, or of its default one."""
    places = list(_places(content))
    default = _default(content)
    if default in places:
        return default
    if len(places) != 1:
        raise _which(content, source, f"{len(places) or 'no'} groups with q and I" if places else "none")
    return places[0]


def _default(content: Any) -> str:
    """The group that the chain of NeXus attributes ``default`` leads to, or nothing."""
    group, name = content, ""
    for _ in range(8):
        step = _text(group.attrs.get("default"))
        if not step:
            break
        name = step.strip("/") if step.startswith("/") else f"{name}/{step}".strip("/")
        try:
            group = hdf5_dataset(content, name, "", also_group=True)
        except InputError:
            return ""
        if not hasattr(group, "keys"):
            return ""
    return name


def _places(content: Any) -> Iterator[str]:
    """Names of the groups that hold a curve, among the first of a file; links are not followed."""
    names: list[str] = [""] if _axes(content) else []
    seen = 0

    def visit(name: str, item: Any) -> bool | None:
        nonlocal seen
        seen += 1
        if hasattr(item, "keys") and _axes(item):
            names.append(name)
        return True if seen >= MOST_VISITED or len(names) > MOST_NAMES else None

    content.visititems(visit)
    return iter(names)


def _which(content: Any, source: str, problem: str) -> InputError:
    places = [f"::/{name}" for name in _places(content)]
    if not places:
        return unreadable(source, WANTED, f"{problem}; no group of the file holds q and I", "name the table")
    more = ", ..." if len(places) > MOST_NAMES else ""
    names = ", ".join(places[:MOST_NAMES])
    return unreadable(source, WANTED, f"{problem}; curves are in {names}{more}", "name one of them behind ::")


def _axes(group: Any) -> tuple[str, str, str | None] | None:
    """Names of q, I and its error in a group: by NeXus attributes, else by the usual names; None without both."""
    names = {str(name).lower(): str(name) for name in group}
    signal = _text(group.attrs.get("signal"))
    axes = [part for part in _texts(group.attrs.get("I_axes", group.attrs.get("axes"))) if part in group]
    q = next((axis for axis in reversed(axes) if axis.lower() in Q_NAMES), None)
    q = q or next((names[name] for name in Q_NAMES if name in names), None)
    intensity = next((names[name] for name in I_NAMES if name in names), None)
    if intensity is None and signal in group:
        intensity = signal
    if q is None and signal in group:
        q = next((axis for axis in axes if _is_column(group, axis) and q_unit_of(_units(group[axis]))), None)
    if q is None or intensity is None or q == intensity:
        return None
    if not all(_is_column(group, name) for name in (q, intensity)):
        return None
    uncertainty = _text(group.attrs.get("I_uncertainty", group.attrs.get("I_uncertainties")))
    error_names = [uncertainty.lower(), f"{intensity.lower()}_errors", *ERROR_NAMES]
    return q, intensity, next((names[name] for name in error_names if name in names), None)


def _is_column(group: Any, name: str) -> bool:
    """Whether a member is a data set of numbers, along links within the file."""
    try:
        item = hdf5_dataset(group.file, f"{group.name}/{name}", "")
    except InputError:
        return False
    return item.dtype.kind in "uif" and item.size > 1


def _from_group(group: Any, inside: str, source: str, note: tuple[str, ...]) -> Curve:
    axes = _axes(group)
    if axes is None:
        for axis in [*_texts(group.attrs.get("axes")), *group]:
            refuse_axis(str(axis), source)
        here = ", ".join(sorted(str(name) for name in group)[:MOST_NAMES]) or "nothing"
        raise _which(group.file, source, here)
    datasets = [hdf5_dataset(group.file, f"{inside}/{name}", source) for name in axes if name is not None]
    columns = [np.ravel(checked(dataset, source)[()]).astype(float) for dataset in datasets]
    if len(columns[0]) == len(columns[1]) + 1:  # edges of a histogram
        columns[0] = (columns[0][1:] + columns[0][:-1]) / 2
    if len({len(column) for column in columns}) != 1:
        raise unreadable(source, "as many values of I as of q", str([len(column) for column in columns]))
    refuse_axis(axes[0], source)
    refuse_axis(_units(datasets[0]), source)
    unit = q_unit_of(_units(datasets[0])) or q_unit_of(axes[0])
    curve = curve_of(np.stack(columns, axis=1), None, source, unit=unit)
    return replace(curve, intensity_unit=intensity_unit_of(_units(datasets[1])), notes=(*note, *curve.notes))


def _units(dataset: Any) -> str:
    return _text(dataset.attrs.get("units", dataset.attrs.get("unit")))


def _from_table(dataset: Any, source: str) -> Curve:
    shape = tuple(dataset.shape)
    if len(shape) != 2 or min(shape) > MOST_COLUMNS:
        raise unreadable(source, "a table of columns q, I, error", f"{dataset.dtype} of shape {shape}")
    return curve_of(upright(checked(dataset, source)[()]), None, source)


def checked(dataset: Any, source: str) -> Any:
    """The data set, once it is known to be small numbers in the file (``InputError``)."""
    if dataset.dtype.kind not in "uif" or math.prod(dataset.shape) > 3 * MOST_POINTS:
        raise unreadable(source, "real numbers, at most a million points", f"{dataset.dtype} {dataset.shape}")
    check_chunks(dataset, dataset.shape, source)
    return dataset


def upright(array: Any) -> np.ndarray:
    """``(points, columns)`` float64 of an array that may lie on its side: it has more points than columns."""
    values: np.ndarray = np.asarray(array, dtype=float)
    if values.shape[1] <= values.shape[0] or values.shape[0] < 2:
        return values
    return np.ascontiguousarray(values.T)


def _text(value: Any) -> str:
    """An attribute as text: bytes, a string, or the first of several."""
    return next(iter(_texts(value)), "")


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    parts = np.ravel(np.asarray(value, dtype=object)).tolist()
    texts = [part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in parts]
    return [name.strip() for text in texts for name in text.split(",")]
