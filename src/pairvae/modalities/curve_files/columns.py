"""Which column of a table is q, which I, which its error, and what the table is where it holds no curve."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.curve_files.units import intensity_unit_of, q_unit_of
from pairvae.modalities.raw import unreadable

MOST_JUMPS = 2  # steps back over a quarter of the range: measurements at three distances, joined, have two
NEGATIVE = 0.2  # share of negative q from which a table is no curve
NO_CURVE = "a curve: columns q, I and error"
AVERAGE = "export the azimuthal average; a 2D pattern belongs into the column saxs"

_OTHER = r"(?:err|dev|std|sig|res|mean|spread)"
Q_NAME = re.compile(
    rf"(?:q(?![a-z])(?!\s?(?:\^|\*\*)?[2-4])(?!.*{_OTHER})|q.?(?:val|unit|vec|nm|aa?\b|inv|ang)|scattering.?vector|momentum.?transfer"
    r"|wave.?vector|modulus.?q|\|q\|)",
    re.IGNORECASE,
)
I_NAME = re.compile(
    r"(?:i(?![a-z])|iq(?![a-z])|int(?![a-z])|intens|counts?(?![a-z])|y(?![a-z])|cross.?section)", re.I
)
ERROR_NAME = re.compile(
    r"(?:err|std|stat|sig(?:ma)?(?![_ (]*q)|\u03c3|s\.?d\.?(?![a-z])|e(?![a-z])|di(?![a-z])|idev|unc"
    r"|i.?(?:err|dev|std|sig)|\u0394i|delta.?i)",
    re.IGNORECASE,
)
NO_Q = {  # what stands in place of q, by name
    "2-theta": re.compile(
        r"(?:2|two)[\s_*.-]*th(?:eta|et)?(?![a-z])|2\s?\u03b8|tth(?![a-z])|2th_", re.IGNORECASE
    ),
    "the angle theta": re.compile(r"(?:theta|\u03b8)(?![a-z])", re.IGNORECASE),
    "a power of q": re.compile(r"q\s?(?:\^|\*\*)?[2-4]", re.IGNORECASE),
    "log q": re.compile(r"(?:log|ln)\w*[\s(]*q(?![a-z])", re.IGNORECASE),
    "a d-spacing": re.compile(r"d.?spac", re.IGNORECASE),
    "a radius": re.compile(r"(?:r_(?:mm|m)\b|radius|r\s?[\[(](?:mm|px|m)|pixels?(?![a-z]))", re.IGNORECASE),
    "an azimuthal angle": re.compile(r"(?:chi(?:_|\b)|azim)", re.IGNORECASE),
}
TWO_D = re.compile(r"q_?[xy](?![a-z])", re.IGNORECASE)
LOG_I = re.compile(r"(?:log|ln)\w*[\s(_]*i(?![a-z])", re.IGNORECASE)
TO_Q = {"2-theta": "export it against q, which is 4 pi sin(theta) / wavelength"}


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
    """The curve in a table ``(points, columns)``; ``names`` are the columns', ``unit`` that of q if no name tells it.

    Columns without a number are passed over. ``InputError`` for tables of something else.
    """
    if names is not None:
        _refuse_names(names, source)
    filled = [number for number in range(values.shape[1]) if np.isfinite(values[:, number]).any()]
    if len(filled) < 2:
        raise unreadable(source, NO_CURVE, f"{len(filled)} columns of numbers")
    chosen, notes, warnings = _choose(values, filled, names)
    _refuse_two_d(values[:, chosen[0]], values[:, chosen[1]], source)
    columns = np.full((len(values), 3), np.nan)
    columns[:, : len(chosen)] = values[:, chosen]
    left = [number for number in filled if number not in chosen]
    if left:
        shown = [names[number].strip()[:20] if names else str(number + 1) for number in left[:6]]
        more = ", ..." if len(left) > 6 else ""
        notes.append(f"columns left out: {', '.join(shown)}{more}")
    intensity = None
    if names is not None:
        unit, intensity = q_unit_of(names[chosen[0]]) or unit, intensity_unit_of(names[chosen[1]])
    return Curve(columns, unit, intensity, tuple(notes), tuple(warnings))


def names_q(names: Sequence[str]) -> bool:
    """Whether one of the names is that of q."""
    return any(Q_NAME.match(_bare(name)) for name in names)


def names_axis(names: Sequence[str]) -> bool:
    """Whether the names are those of a table's columns: q is one, or axes of a pattern, or another axis and I."""
    bare = [_bare(name) for name in names]
    other = any(pattern.match(bare[0]) for pattern in NO_Q.values()) and any(
        I_NAME.match(name) for name in bare
    )
    return names_q(names) or other or sum(bool(TWO_D.match(name)) for name in bare) > 1


def refuse_axis(name: str, source: str) -> None:
    """``InputError`` where the name of the first axis says that it is not q."""
    bare = _bare(name)
    for what, pattern in NO_Q.items():
        if pattern.match(bare):
            remedy = TO_Q.get(what, "export it against q")
            raise unreadable(source, "a curve over q", f"{what} ({_short(name)})", remedy)


def two_d(source: str, found: str) -> InputError:
    """The line that refuses a 2D pattern given as a curve."""
    return unreadable(source, NO_CURVE, found, AVERAGE)


def _refuse_names(names: Sequence[str], source: str) -> None:
    if sum(bool(TWO_D.match(_bare(name))) for name in names) >= 2:
        raise two_d(source, "a 2D table of Qx, Qy and I")
    if not names_q(names):
        refuse_axis(names[0], source)
    if any(LOG_I.match(_bare(name)) for name in names[:3]) and not any(I_NAME.match(_bare(n)) for n in names):
        raise unreadable(source, NO_CURVE, "a logarithm of the intensity", "export I itself")


def _choose(
    values: np.ndarray, filled: list[int], names: Sequence[str] | None
) -> tuple[list[int], list[str], list[str]]:
    """Columns of q, I and, where there is one, the error; notes; warnings."""
    if names is not None:
        bare = [_bare(name) for name in names]
        q = next((number for number in filled if Q_NAME.match(bare[number])), filled[0])
        rest = [number for number in filled if number != q]
        intensity = next((number for number in rest if I_NAME.match(bare[number])), None)
        if intensity is None:
            intensity = next((number for number in rest if number > q), rest[0])
        rest = [number for number in rest if number != intensity]
        error = [number for number in rest if ERROR_NAME.match(bare[number])][:1]
        if not error and rest == [intensity + 1] and not bare[rest[0]].lower().startswith(("dq", "q")):
            error = rest
        return [q, intensity, *error], [], []
    first, second = (values[:, number] for number in filled[:2])
    counting = (
        len(values) > 1 and np.array_equal(first - first[0], np.arange(len(values))) and first[0] in (0, 1)
    )
    if len(filled) > 2 and counting and (np.diff(second) > 0).all():
        line = "the first column counts the points; the second is taken as q, the third as I"
        return filled[1:4], [], [line]
    return filled[:3], [], []


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
            source, f"a 2D table: its first column starts anew {jumps} times, {negative:.0%} is negative"
        )
    if jumps > MOST_JUMPS or 2 * distinct < len(q):
        found = f"{len(q)} rows with {distinct} values of q, which start anew {max(jumps, 1)} times"
        raise unreadable(source, NO_CURVE, f"a 2D table or several curves: {found}", "give one curve a file")
    if negative > NEGATIVE:
        found = f"negative q in {negative:.0%} of the rows"
        raise unreadable(source, NO_CURVE, found, "export the average over both sides of the beam")


def _bare(name: str) -> str:
    """A column's name without marks and words such as ``mean`` in front."""
    return re.sub(r"^[\s#%!<>|\"'*\[(:=-]+", "", name)


def _short(text: str) -> str:
    return " ".join(text.split())[:40]
