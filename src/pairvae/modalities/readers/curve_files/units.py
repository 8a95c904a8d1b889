"""Units of q and of the intensity, in the spellings of headers, XML and HDF5 attributes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

PER_NM = {"1/nm": 1.0, "1/angstrom": 10.0, "1/um": 1e-3, "1/m": 1e-9}  # 1/nm in one of each
LONGEST_TEXT = 1000
MINUS = str.maketrans(dict.fromkeys("\N{MINUS SIGN}\N{EN DASH}\N{HYPHEN}\N{NON-BREAKING HYPHEN}", "-"))
LENGTHS = {
    "1/angstrom": r"(?:[\u00c5\u00e5]ngstr\u00f6ms?|[Aa]ngstr(?:o|oe|\u00f6)ms?|ANGSTROMS?|[Aa]ng|ANG|\u00c5|A{1,2})",
    "1/nm": r"(?:[Nn]anomet(?:er|re)s?|n_?m|NM|Nm)",
    "1/um": r"(?:[Mm]icromet(?:er|re)s?|[Mm]icrons?|[u\u03bc]_?m)",
    "1/m": r"(?:[Mm]et(?:er|re)s?|m)",
}
INVERSE = r"(?:(?<![\d.])1\.?0?\s?/\s?|[Ii]nv(?:erse)?[\s._]*|[Rr]eciprocal[\s_]+|(?<![A-Za-z])[Pp]er[\s_]+|rad\s?/\s?)"
POWER = r"\s?(?:\^|\*\*)?\s?\(?\s?-\s?1(?:\.0)?(?!\d)"
EXPLICIT_POWER = r"\s?(?:\^|\*\*)\s?\(?\s?-\s?1(?:\.0)?(?!\d)"
CELL = {
    unit: re.compile(
        rf"{INVERSE}{name}(?![A-Za-z])|(?<![A-Za-z]){name}{POWER}|[\[(/]\s*/\s?{name}\s*(?:[\])]|$)|(?<=[qQ])\s?/\s?{name}(?![A-Za-z])"
    )
    for unit, name in LENGTHS.items()
}
FREE = {  # without a word q beside it: only what can hardly be a name ("sample A-1")
    unit: re.compile(
        rf"{INVERSE}{name}(?![A-Za-z])|(?<![A-Za-z]){name}{EXPLICIT_POWER}|[\[(]{name}{POWER}\s*[\])]"
    )
    for unit, name in LENGTHS.items()
    if unit in ("1/nm", "1/angstrom")
}
NEAR = {
    unit: pattern for unit, pattern in CELL.items() if unit != "1/m"
}  # of lines: 1/m may be the intensity's
Q_WORD = re.compile(
    r"(?<![A-Za-z])[qQ](?![A-Za-z])|(?<![A-Za-z])[qQ]_?(?:unit|range|min|max|val)|scattering.?vector"
    r"|momentum.?transfer|wave.?vector",
    re.IGNORECASE,
)
PER_CM = re.compile(r"1\s?/\s?cm(?![A-Za-z])|(?<![A-Za-z])cm\s?(?:\^|\*\*)?\s?\(?\s?-\s?1(?!\d)")
AFTER_Q = 60  # characters behind a word q within which its unit stands


def normal(text: str) -> str:
    """``text`` with one spelling of Angstrom signs, superscripts, minus signs and LaTeX."""
    text = text[:LONGEST_TEXT].replace("\u00c3\u2026", "\u00c5").replace("\\AA", "\u00c5")
    text = unicodedata.normalize("NFKC", text).translate(MINUS)
    return re.sub(r"[{}$\\]|\bmathrm\b", "", text)


def q_unit_of(text: str) -> str | None:
    """The unit (a key of ``PER_NM``) that a cell or an attribute about q names first, or None."""
    return _first(normal(text), CELL)


def intensity_unit_of(text: str) -> str | None:
    """``1/cm`` where a cell or an attribute about the intensity says so; other units are not distinguished."""
    return "1/cm" if PER_CM.search(normal(text)) else None


def q_unit_in(lines: Sequence[str]) -> str | None:
    """The unit of q from free lines of a header: behind a word for q, else the only inverse length named."""
    texts = [normal(line) for line in lines]
    for text in texts:
        for word in Q_WORD.finditer(text):
            unit = _first(text[word.start() : word.end() + AFTER_Q], NEAR)
            if unit is not None:
                return unit
    named = {unit for text in texts for unit, pattern in FREE.items() if pattern.search(text)}
    return named.pop() if len(named) == 1 else None


def _first(text: str, patterns: dict[str, re.Pattern[str]]) -> str | None:
    starts = {unit: match.start() for unit, pattern in patterns.items() if (match := pattern.search(text))}
    return min(starts, key=starts.__getitem__) if starts else None
