"""The rules of the check: each takes the pairs and the summaries of their files and returns problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pairvae.data.check.file_summary import FileSummary
from pairvae.data.check.geometry_rules import beam, magnification, sizes
from pairvae.data.check.problems import Limits, Problem, Rule, Severity, copy_of, problem_of
from pairvae.data.pairs.sample import PAIRS_FILE, Pair
from pairvae.data.split import leaking_groups
from pairvae.modalities import MODALITIES

SATURATED, MOSTLY_SATURATED = 0.25, 0.6  # share of the pixels at one extreme
LEAST_PAIRS = 8
MANY_ALIKE = 4  # files with one warning that are reported together
INVERTED = -0.1  # logarithm of the noise of bright over dark pixels; 0.05 to 0.7 in micrographs as they are


def few_pairs(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Fewer pairs than a model can be trained and validated on."""
    if not pairs or len(pairs) >= LEAST_PAIRS:
        return []
    return [Problem("", "", "too few pairs", f"expected at least {LEAST_PAIRS}, found {len(pairs)}", "error")]


def leaks(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
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


def constant(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Files whose pixels are all equal."""
    return [
        problem_of(f, "constant", "all pixels have one value - export it again")
        for f in summaries
        if f.levels == 1
    ]


def saturated(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Many pixels at the highest value, or a micrograph with many at the lowest; binary images are sound."""
    problems = []
    for summary in summaries:
        shares = {
            "highest": summary.highest_share,
            "lowest": 0.0 if summary.area is None else summary.lowest_share,
        }
        end = max(shares, key=lambda name: shares[name])
        if summary.levels > 2 and shares[end] > SATURATED:
            severity: Severity = "error" if shares[end] > MOSTLY_SATURATED else "warning"
            text = f"{shares[end]:.0%} of the pixels are at the {end} value - export it with more range"
            problems.append(problem_of(summary, "saturated", text, severity))
    return problems


def not_finite(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """NaN or infinite pixels: an error in a micrograph, masked in a pattern."""
    return [
        problem_of(
            summary,
            "NaN",
            f"{summary.not_finite} pixels are NaN or infinite - "
            + ("they are masked" if summary.area is None else "export it again"),
            "warning" if summary.area is None else "error",
        )
        for summary in summaries
        if summary.not_finite
    ]


def duplicates(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """The same picture in two pairs that are not of one group, or on both sides of a pair."""
    by_id = {pair.id: pair for pair in pairs}
    first: dict[str, FileSummary] = {}
    problems = []
    for summary in summaries:
        other = first.setdefault(summary.digest, summary)
        this_pair, other_pair = by_id[summary.pair], by_id[other.pair]
        grouped = (
            this_pair.group is not None and this_pair.group == other_pair.group and summary.side == other.side
        )
        if other is summary or grouped or summary.levels == 1:
            continue
        if summary.side == other.side:
            problems.append(
                copy_of(this_pair, other_pair, summary.file, f"picture as {MODALITIES[other.side].folder}")
            )
        else:
            text = f"the same picture as {MODALITIES[other.side].folder} of pair {other.pair} - check the file names"
            problems.append(problem_of(summary, "duplicate", text))
    return problems


def data_bars(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """A data bar that would stay in the image area."""
    problems = []
    for summary in summaries:
        area = summary.area
        if area is None or area.source != "settings" or not area.detected_bar:
            continue
        begins = summary.shape[0] - area.detected_bar
        if begins < area.rows:
            text = f"a data bar begins at row {begins}, and {summary.side}.prepare.rows keeps {area.rows} - lower it"
            problems.append(problem_of(summary, "data bar", text, "warning"))
    return problems


def colours(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Micrographs in colour, and patterns that are colour-mapped where most are not (or the reverse)."""
    problems = [
        problem_of(summary, "colour", "a micrograph in colour; its grey levels are used", "warning")
        for summary in summaries
        if summary.area is not None and summary.colourful
    ]
    patterns = [summary for summary in summaries if summary.side == "saxs"]
    mapped = sum(summary.colourful for summary in patterns) * 2 > len(patterns)
    words = {True: "colour-mapped", False: "grey or raw counts"}
    return problems + [
        problem_of(
            summary, "colour", f"{words[not mapped]} where most patterns are {words[mapped]}", "warning"
        )
        for summary in patterns
        if summary.colourful != mapped
    ]


def contrast(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Micrographs that look like negatives: their dark phase is the noisier one."""
    text = "dark pixels are noisier than bright ones, as in a negative - is its contrast inverted?"
    return [
        problem_of(summary, "contrast", text, "warning") for summary in summaries if summary.noise < INVERTED
    ]


def unseen(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Morphologies that the column ``split`` leaves without a training pair."""
    if any(pair.split is None for pair in pairs):
        return []
    trained = {pair.morphology for pair in pairs if pair.split == "train"}
    missing = sorted({pair.morphology or "" for pair in pairs if pair.morphology not in trained})
    text = "no training pair has this morphology, and validation pairs have - change the column split"
    return [
        Problem("", PAIRS_FILE, "unseen morphology", f"{morphology}: {text}", "warning")
        for morphology in missing
        if morphology
    ]


def reading(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """What the readers warn of."""
    return reader_warnings(
        [(summary.pair, summary.file, line) for summary in summaries for line in summary.warnings]
    )


def reader_warnings(warnings: Sequence[tuple[str, str, str]]) -> list[Problem]:
    """A warning of a reader (pair, file, line) a row; one that many files of a folder share is a single row."""
    shared = Counter((str(Path(file).parent), line) for _, file, line in warnings)
    problems = {}
    for pair, file, line in warnings:
        folder = str(Path(file).parent)
        number = shared[folder, line]
        row = (pair, file, line) if number < MANY_ALIKE else ("", folder, f"{line} ({number} files)")
        problems[row] = Problem(row[0], row[1], "reading", row[2], "warning")
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
    contrast,
    unseen,
    reading,
)
