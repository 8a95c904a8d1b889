"""The rules of the check: each takes the pairs and the facts of their files and tells problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from pairvae.data.check_files import FileFacts
from pairvae.data.pairs import FOLDERS, PAIRS_FILE, Pair
from pairvae.data.split import leaking_groups
from pairvae.errors import InputError

Severity = Literal["error", "warning"]
LEAST_SAXS_SIDE = 32  # px
SATURATED, MOSTLY_SATURATED = 0.25, 0.6  # share of the pixels at one extreme
MAGNIFICATION = 1.5
DISAGREEMENT = 0.1  # between the pixel size of pairs.csv and that of the file
MANY_ALIKE = 4  # files with one warning that are told together
CENTRE_DRIFT = 0.1  # of the pattern's side


@dataclass(frozen=True)
class Problem:
    """One thing wrong: the pair's id (or nothing), the file, a short kind, what to know, how bad it is."""

    pair: str
    file: str
    kind: str
    message: str
    severity: Severity


@dataclass(frozen=True)
class Limits:
    """What preprocessing needs: crop side in px, pairs, the nm/px it brings images to, SEM rows."""

    crop: int
    least_pairs: int
    sem_nm_per_px: float | None
    sem_rows: int | None


Rule = Callable[[Sequence[Pair], Sequence[FileFacts], Limits], list[Problem]]


def told(error: InputError) -> str:
    """An error's message without its place, which has a column of its own."""
    advice = f" - {error.remedy}" if error.remedy else ""
    return " ".join(f"expected {error.expected}, found {error.found}{advice}".split())


def _problem(fact: FileFacts, kind: str, message: str, severity: Severity = "error") -> Problem:
    return Problem(fact.pair, fact.file, kind, message, severity)


def few_pairs(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """Fewer pairs than a model can be trained and validated on."""
    if not pairs or len(pairs) >= limits.least_pairs:
        return []
    return [
        Problem(
            "", "", "too few pairs", f"expected at least {limits.least_pairs}, found {len(pairs)}", "error"
        )
    ]


def leaks(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """Groups on both sides of the split, and a split without one of its sides."""
    problems = [
        Problem(
            "",
            PAIRS_FILE,
            "group leak",
            f"group {group} is in train and in validation - give it one split",
            "error",
        )
        for group in leaking_groups(pairs)
    ]
    named = {pair.split for pair in pairs}
    if pairs and None not in named and len(named) == 1:
        message = f"every pair is marked {next(iter(named))} - leave some for the other side"
        problems.append(Problem("", PAIRS_FILE, "one-sided split", message, "error"))
    return problems


def constant(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """Files whose pixels are all equal."""
    return [
        _problem(f, "constant", "all pixels have one value - export it again") for f in facts if f.levels == 1
    ]


def saturated(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """Many pixels at the highest value, or a micrograph with many at the lowest; binary images are sound."""
    problems = []
    for fact in facts:
        shares = {"highest": fact.highest_share, "lowest": fact.lowest_share if fact.side == "sem" else 0.0}
        end = max(shares, key=lambda name: shares[name])
        if fact.levels > 2 and shares[end] > SATURATED:
            severity: Severity = "error" if shares[end] > MOSTLY_SATURATED else "warning"
            text = f"{shares[end]:.0%} of the pixels are at the {end} value - export it with more range"
            problems.append(_problem(fact, "saturated", text, severity))
    return problems


def not_finite(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """NaN or infinite pixels: an error in a micrograph, masked in a pattern."""
    texts = {"sem": "export it again", "saxs": "they are masked"}
    return [
        _problem(
            fact,
            "NaN",
            f"{fact.not_finite} pixels are NaN or infinite - {texts[fact.side]}",
            "error" if fact.side == "sem" else "warning",
        )
        for fact in facts
        if fact.not_finite
    ]


def sizes(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """Images too small to be used, and images of another size than most."""
    problems = []
    for side, least in (("sem", limits.crop), ("saxs", LEAST_SAXS_SIDE)):
        mine = [fact for fact in facts if fact.side == side]
        usual = Counter(_size(fact) for fact in mine).most_common(1)
        for fact in mine:
            rows, columns = _size(fact)
            if min(rows, columns) < least:
                text = f"expected an image area of at least {least} x {least} px, found {rows} x {columns}"
                problems.append(_problem(fact, "wrong size", text))
            elif (rows, columns) != usual[0][0]:
                text = f"{rows} x {columns} px where most are {usual[0][0][0]} x {usual[0][0][1]}"
                problems.append(_problem(fact, "other size", text, "warning"))
    return problems


def _size(fact: FileFacts) -> tuple[int, int]:
    return (fact.shape[0], fact.shape[1]) if fact.area is None else (fact.area.rows, fact.area.columns)


def magnification(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """Pixel sizes that differ by more than a factor of 1.5, are missing where needed, or contradict."""
    problems: list[Problem] = []
    given = {pair.id: pair.sem_nm_per_px for pair in pairs}
    sem = [fact for fact in facts if fact.side == "sem"]
    for fact in sem:
        size = given.get(fact.pair)
        if size and fact.nm_per_px and abs(size / fact.nm_per_px - 1) > DISAGREEMENT:
            text = f"{size:.4g} nm/px in pairs.csv, {fact.nm_per_px:.4g} in the file's metadata"
            problems.append(_problem(fact, "pixel size", text, "warning"))
    scales = {fact: given.get(fact.pair) or fact.nm_per_px for fact in sem}
    if limits.sem_nm_per_px is None:
        advice = "set sem.prepare.nm_per_px to bring all to one, or take it out"
        return problems + _far_from_median(scales, "nm/px", advice) + _q_scales(pairs, facts)
    problems += [
        _problem(fact, "pixel size", "no pixel size in the file - give sem_nm_per_px in pairs.csv")
        for fact, scale in scales.items()
        if scale is None
    ]
    return problems + _q_scales(pairs, facts)


def _q_scales(pairs: Sequence[Pair], facts: Sequence[FileFacts]) -> list[Problem]:
    given = {pair.id: pair.saxs_q_per_px_inv_nm for pair in pairs}
    scales = {fact: given.get(fact.pair) for fact in facts if fact.side == "saxs"}
    return _far_from_median(scales, "1/nm per px", "bring the patterns to one scale, or take it out")


def _far_from_median(scales: dict[FileFacts, float | None], unit: str, advice: str) -> list[Problem]:
    known = [scale for scale in scales.values() if scale]
    if not known:
        return []
    middle = median(known)
    return [
        _problem(fact, "magnification", f"{scale:.4g} {unit} where the median is {middle:.4g} - {advice}")
        for fact, scale in scales.items()
        if scale and max(scale / middle, middle / scale) > MAGNIFICATION
    ]


def duplicates(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """The same picture in two pairs that are not of one group, or on both sides of a pair."""
    by_id = {pair.id: pair for pair in pairs}
    first: dict[str, FileFacts] = {}
    problems = []
    for fact in facts:
        other = first.setdefault(fact.digest, fact)
        mine, its = by_id[fact.pair], by_id[other.pair]
        grouped = mine.group is not None and mine.group == its.group and fact.side == other.side
        if other is fact or grouped or fact.levels == 1:
            continue
        text = f"the same picture as {FOLDERS[other.side]} of pair {other.pair}"
        if {mine.split, its.split} == {"train", "validation"}:
            text += ", across train and validation"
        advice = (
            "give both pairs one group, or take one out"
            if fact.side == other.side
            else "check the file names"
        )
        problems.append(_problem(fact, "duplicate", f"{text} - {advice}"))
    return problems


def data_bars(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """A data bar that would stay in the image area."""
    problems = []
    for fact in facts:
        area = fact.area
        if area is None or area.source != "settings" or not area.detected_bar:
            continue
        begins = fact.shape[0] - area.detected_bar
        if begins < area.rows:
            text = f"a data bar begins at row {begins}, and sem.prepare.rows keeps {area.rows} - lower it"
            problems.append(_problem(fact, "data bar", text, "warning"))
    return problems


def colours(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """Micrographs in colour, and patterns that are colour-mapped where most are not (or the reverse)."""
    problems = [
        _problem(fact, "colour", "a micrograph in colour; its grey levels are used", "warning")
        for fact in facts
        if fact.side == "sem" and fact.colourful
    ]
    patterns = [fact for fact in facts if fact.side == "saxs"]
    mapped = sum(fact.colourful for fact in patterns) * 2 > len(patterns)
    words = {True: "colour-mapped", False: "grey or raw counts"}
    return problems + [
        _problem(fact, "colour", f"{words[not mapped]} where most patterns are {words[mapped]}", "warning")
        for fact in patterns
        if fact.colourful != mapped
    ]


def beam(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """Patterns whose centre of symmetry lies elsewhere than that of the others."""
    centred = [(fact, fact.centre) for fact in facts if fact.centre is not None]
    if len(centred) < 3:
        return []
    row, column = (median(values) for values in zip(*(centre for _, centre in centred), strict=True))
    return [
        _problem(
            fact,
            "beam centre",
            f"centre {at[0]:.0%} from the top, {at[1]:.0%} from the left; usual: {row:.0%}, {column:.0%}",
            "warning",
        )
        for fact, at in centred
        if max(abs(at[0] - row), abs(at[1] - column)) > CENTRE_DRIFT
    ]


def reading(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """What the readers warn of."""
    return readings([(fact.pair, fact.file, line) for fact in facts for line in fact.warnings])


def readings(warnings: Sequence[tuple[str, str, str]]) -> list[Problem]:
    """A warning of a reader (pair, file, line) a row; one that many files of a folder share is a single row."""
    alike = Counter((str(Path(file).parent), line) for _, file, line in warnings)
    problems = {}
    for pair, file, line in warnings:
        folder = str(Path(file).parent)
        number = alike[folder, line]
        place = (pair, file, line) if number < MANY_ALIKE else ("", folder, f"{line} ({number} files)")
        problems[place] = Problem(place[0], place[1], "reading", place[2], "warning")
    return list(problems.values())


RULES: tuple[Rule, ...] = (
    few_pairs,
    leaks,
    constant,
    saturated,
    not_finite,
    sizes,
    magnification,
    duplicates,
    data_bars,
    colours,
    beam,
    reading,
)
