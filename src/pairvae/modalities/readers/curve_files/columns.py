"""The curve in a table of columns: which are q, I and its error, and what is no curve at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairvae.errors import number_of
from pairvae.modalities.readers.curve_files.names import (
    ERROR_NAME,
    NO_CURVE,
    Q_NAME,
    bare,
    names_intensity,
    names_q,
    refuse_names,
    two_d,
)
from pairvae.modalities.readers.curve_files.units import intensity_unit_of, q_unit_of
from pairvae.modalities.readers.raw_image import unreadable

MOST_JUMPS = 2  # steps back over a quarter of the range: measurements at three distances, joined, have two
NEGATIVE = 0.2  # share of negative q from which a table is no curve


@dataclass(frozen=True)
class Curve:
    """Columns ``(points, 3)`` q, I, error (nan where unknown) in the file's own order and units.

    ``q_unit``: a key of ``PER_NM``; ``intensity_unit``: ``1/cm``; None where the file does not say.
    """

    columns: np.ndarray
    q_unit: str | None = None
    intensity_unit: str | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def curve_of(
    values: np.ndarray, names: Sequence[str] | None, source: str, *, unit: str | None = None
) -> Curve:
    """The curve in a table ``(points, columns)``; ``names`` are the columns', ``unit`` that of q if no name has it.

    Columns without a number are passed over. ``InputError`` for tables of something else.
    """
    if names is not None:
        refuse_names(names, source)
    filled = [number for number in range(values.shape[1]) if np.isfinite(values[:, number]).any()]
    if len(filled) < 2:
        raise unreadable(source, NO_CURVE, f"{len(filled)} columns of numbers")
    chosen, notes, warnings = _choose(values, filled, names)
    _refuse_two_d(values[:, chosen[0]], values[:, chosen[1]], source)
    columns = np.full((len(values), 3), np.nan)
    columns[:, : len(chosen)] = values[:, chosen]
    left = [number for number in filled if number not in chosen]
    if left:
        line = f"columns left out: {', '.join(_shown(names, number) for number in left[:6])}"
        further = names is not None and any(
            Q_NAME.match(bare(names[number])) or names_intensity(names[number]) for number in left
        )
        (warnings if further else notes).append(line + (", ..." if len(left) > 6 else ""))
    intensity = None
    if names is not None:
        unit, intensity = q_unit_of(names[chosen[0]]) or unit, intensity_unit_of(names[chosen[1]])
    return Curve(columns, unit, intensity, tuple(notes), tuple(warnings))


def _shown(names: Sequence[str] | None, number: int) -> str:
    """A column's name, or its number from 1."""
    return bare(names[number]).strip()[:20] if names is not None else str(number + 1)


def _choose(
    values: np.ndarray, filled: list[int], names: Sequence[str] | None
) -> tuple[list[int], list[str], list[str]]:
    """Columns of q, I and, where there is one, the error; notes; warnings."""
    if names is not None:
        return _by_name(filled, names)
    first, second = (values[:, number] for number in filled[:2])
    counting = (
        len(values) > 1 and first[0] in (0, 1) and np.array_equal(first - first[0], np.arange(len(first)))
    )
    if len(filled) > 2 and counting and (np.diff(second) > 0).all():
        line = "the first column counts the points; the second is taken as q, the third as I"
        return filled[1:4], [], [line]
    return filled[:3], [], []


def _by_name(filled: list[int], names: Sequence[str]) -> tuple[list[int], list[str], list[str]]:
    q = next((number for number in filled if Q_NAME.match(bare(names[number]))), filled[0])
    rest = [number for number in filled if number != q]
    behind = [number for number in rest if number > q] or rest
    intensity = next((number for number in rest if names_intensity(names[number])), behind[0])
    rest = [number for number in rest if number != intensity]
    error = [number for number in rest if ERROR_NAME.match(bare(names[number]))][:1]
    if (
        not error
        and rest == [intensity + 1]
        and not bare(names[rest[0]]).lower().startswith(("dq", "q", "i"))
    ):
        error = rest
    warnings = [] if names_q(names) else [f"the column {_shown(names, q)} is taken as q"]
    notes = (
        [] if names_intensity(names[intensity]) else [f"the column {_shown(names, intensity)} is taken as I"]
    )
    return [q, intensity, *error], notes, warnings


def _refuse_two_d(q: np.ndarray, intensity: np.ndarray, source: str) -> None:
    """``InputError`` where q runs as in a table of pixels, or as in several curves one below the other."""
    q = q[np.isfinite(q)]
    if len(q) < 2:
        return
    steps, whole = np.diff(q), float(np.ptp(q))
    if not whole:
        raise unreadable(
            source, NO_CURVE, f"one q in all {len(q)} rows", "check the separator of the columns"
        )
    back = steps < 0 if np.sum(steps > 0) >= np.sum(steps < 0) else steps > 0
    jumps = int(np.sum(back & (np.abs(steps) > whole / 4)))
    negative, distinct = float(np.mean(q < 0)), len(np.unique(q))
    if jumps > MOST_JUMPS and (negative > NEGATIVE or np.mean(intensity < 0) > NEGATIVE):
        raise two_d(
            source,
            f"a 2D table: its first column starts anew {jumps} times, {negative:.0%} is negative",
        )
    if jumps > MOST_JUMPS or 2 * distinct < len(q):
        again = number_of(max(jumps, 1), "time")
        problem = f"{len(q)} rows with {number_of(distinct, 'value')} of q, which start anew {again}"
        raise unreadable(
            source, NO_CURVE, f"a 2D table or several curves: {problem}", "give one curve a file"
        )
    if negative > NEGATIVE:
        problem = f"negative q in {negative:.0%} of the rows"
        raise unreadable(source, NO_CURVE, problem, "export the average over both sides of the beam")
