"""2D patterns as text: columns Qx, Qy and I on a grid, as small-angle neutron instruments and SasView write them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pairvae.modalities.readers.raw_image import RawImage, checked_shape, unreadable

LARGEST_BYTES = 50_000_000
MOST_POINTS = 2_000_000
LEAST_SIDE = 8
FARTHEST = 0.5  # of a step: how far a point may lie off the grid; flat detectors bend the grid a little
UNEQUAL = 0.1  # between the steps along both axes
SEPARATORS = re.compile(r"[,;\s]+")
PER_NM = re.compile(r"1\s*/\s*nm\b|nm\s*\^?\s*\{?-1|nanometer", re.IGNORECASE)


def read_table_pattern(path: Path, source: str, max_pixels: int) -> RawImage | None:
    """A pattern ``(H, W)`` float32 of text columns Qx, Qy, I (further ones are left out), Qy upwards.

    q is taken as 1/angstrom, as these files have it, unless the header says 1/nm. The beam is where Qx and Qy are 0.
    None for text that has no such columns; ``InputError`` where they are no grid.
    """
    if path.stat().st_size > LARGEST_BYTES:
        raise unreadable(source, "a 2D table of at most 50 MB", f"{path.stat().st_size / 1e6:.0f} MB")
    head, table = _columns(path.read_bytes().decode("latin-1"), source)
    if len(table) < LEAST_SIDE**2:
        return None
    checked_shape((len(table), 1), 8, max_pixels, source)
    shape = grid_of(table[:, 0], table[:, 1])
    if shape is None:
        found = f"{len(table)} points that are no grid of Qx and Qy"
        raise unreadable(source, "columns Qx, Qy and I on a grid", found, "give a 1D curve in the folder IQ")
    order = np.lexsort((_level(table[:, 0], shape[1]), -_level(table[:, 1], shape[0])))
    image = table[order, 2].reshape(shape)
    across, up = (table[order, column].reshape(shape) for column in (0, 1))
    step = (_step(across.mean(axis=0)), _step(up.mean(axis=1)[::-1]))
    per_nm = bool(PER_NM.search(head))
    scale = float(np.mean(step)) * (1.0 if per_nm else 10.0)
    column = -float(across.mean(axis=0)[0]) / step[0]
    row = float(up.mean(axis=1)[0]) / step[1]
    inside = 0 <= row <= shape[0] - 1 and 0 <= column <= shape[1] - 1
    said = (
        "from the header"
        if per_nm
        else "as is usual in such files; give saxs_q_per_px_inv_nm where it is not"
    )
    note = f"2D table of {shape[0]} x {shape[1]} points, q in {'1/nm' if per_nm else '1/angstrom'}, {said}"
    uneven = abs(step[0] / step[1] - 1) > UNEQUAL
    warning = f"steps of q along both axes differ ({step[0]:.4g}, {step[1]:.4g}): rings become ellipses"
    return RawImage(
        image.astype(np.float32),
        None,
        None,
        "table",
        source,
        notes=(note,),
        warnings=(warning,) if uneven else (),
        header_q_per_px=float(f"{scale:.9g}"),
        beam=(row, column) if inside else None,
    )


def _columns(text: str, source: str) -> tuple[str, np.ndarray]:
    """The text above the first line of numbers, and the first block of lines with three numbers or more."""
    head: list[str] = []
    rows: list[list[float]] = []
    for line in text.splitlines():
        try:
            values = [float(part) for part in SEPARATORS.split(line.strip(" \t,;")) if part]
        except ValueError:
            values = []
        if len(values) >= 3:
            rows.append(values[:3])
            if len(rows) > MOST_POINTS:
                raise unreadable(source, f"at most {MOST_POINTS / 1e6:g} million points", "more")
        elif not rows:
            head.append(line[:500])
        elif line.strip():
            break
    return "\n".join(head), np.array(rows)


def grid_of(x: np.ndarray, y: np.ndarray) -> tuple[int, int] | None:
    """Rows and columns of the grid that the points lie on, in any order; None where they do not."""
    for fast, other in ((x, y), (y, x)):
        turns = np.flatnonzero(np.diff(fast) * np.sign(_typical(np.diff(fast))) < 0) + 1
        if not turns.size or len(x) % int(turns[0]):
            continue
        run = int(turns[0])
        sides = (len(x) // run, run)
        if min(sides) < LEAST_SIDE or not np.array_equal(turns, np.arange(1, sides[0]) * run):
            continue
        lines, across = fast.reshape(sides), other.reshape(sides)
        if _straight(lines) and _straight(across.T):
            return sides if fast is x else sides[::-1]
    return None


def _straight(lines: np.ndarray) -> bool:
    """Whether all rows of ``(N, M)`` hold nearly the same evenly spaced values."""
    mean = lines.mean(axis=0)
    step = abs(_step(mean))
    even = np.linspace(mean[0], mean[-1], len(mean))
    near = float(np.abs(lines - mean).max()) if step else np.inf
    return bool(step > 0 and near <= FARTHEST * step and np.abs(mean - even).max() <= FARTHEST * step)


def _typical(steps: np.ndarray) -> float:
    moving = steps[steps != 0]
    return float(np.median(moving)) if moving.size else 1.0


def _step(values: np.ndarray) -> float:
    return float(values[-1] - values[0]) / (len(values) - 1)


def _level(values: np.ndarray, count: int) -> np.ndarray:
    """The number of the grid line that each value lies on, from the lowest."""
    low, high = float(values.min()), float(values.max())
    return np.rint((values - low) / max(high - low, 1e-300) * (count - 1)).astype(np.int64)
