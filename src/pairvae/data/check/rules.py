"""The rules of the check: each takes the pairs and the summaries of their files and returns problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from pairvae.data.check.file_contents import FileSummary
from pairvae.data.check.problems import Limits, Problem, Rule, Severity, copy_of, problem_of
from pairvae.data.pairs.sample import FOLDERS, PAIRS_FILE, Pair
from pairvae.data.split import leaking_groups
from pairvae.settings import SaxsPrepare, SemPrepare

LEAST_SAXS_SIDE = 32  # px
SATURATED, MOSTLY_SATURATED = 0.25, 0.6  # share of the pixels at one extreme
SAME_SCALE = 1.1  # factor between neighbouring scales of one magnification
NOTED_SCALE = 1.03  # between the extremes of one; spacings are reported with its middle
DISAGREEMENT = 0.1  # between the pixel size of pairs.csv and that of the file
MANY_ALIKE = 4  # files with one warning that are reported together
CENTRE_DRIFT = 0.006  # of the side: a shift by 0.6 % sets half of the built-in patterns apart from the others
CENTRE_DEVIATIONS = 6.0  # robust ones; centres of noisy patterns scatter by more than the drift
OFF_THE_MIDDLE = 0.03  # of the side
INVERTED = -0.1  # logarithm of the noise of bright over dark pixels; 0.05 to 0.7 in micrographs as they are


def few_pairs(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Fewer pairs than a model can be trained and validated on."""
    if not pairs or len(pairs) >= limits.least_pairs:
        return []
    return [
        Problem(
            "", "", "too few pairs", f"expected at least {limits.least_pairs}, found {len(pairs)}", "error"
        )
    ]


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
            "lowest": summary.lowest_share if summary.side == "sem" else 0.0,
        }
        end = max(shares, key=lambda name: shares[name])
        if summary.levels > 2 and shares[end] > SATURATED:
            severity: Severity = "error" if shares[end] > MOSTLY_SATURATED else "warning"
            text = f"{shares[end]:.0%} of the pixels are at the {end} value - export it with more range"
            problems.append(problem_of(summary, "saturated", text, severity))
    return problems


def not_finite(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """NaN or infinite pixels: an error in a micrograph, masked in a pattern."""
    texts = {"sem": "export it again", "saxs": "they are masked"}
    return [
        problem_of(
            summary,
            "NaN",
            f"{summary.not_finite} pixels are NaN or infinite - {texts[summary.side]}",
            "error" if summary.side == "sem" else "warning",
        )
        for summary in summaries
        if summary.not_finite
    ]


def sizes(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Images too small to be used, and images of another size than most."""
    problems = []
    small = " - lower sem.prepare.crop, or leave it out"
    for side, least, advice in (("sem", limits.crop, small), ("saxs", LEAST_SAXS_SIDE, "")):
        of_side = [summary for summary in summaries if summary.side == side]
        usual = Counter(_size(summary) for summary in of_side).most_common(1)
        for summary in of_side:
            rows, columns = _size(summary)
            if min(rows, columns) < least:
                text = f"expected an image area of at least {least} x {least} px, found {rows} x {columns}{advice}"
                problems.append(problem_of(summary, "wrong size", text))
            elif (rows, columns) != usual[0][0]:
                text = f"{rows} x {columns} px where most are {usual[0][0][0]} x {usual[0][0][1]}"
                problems.append(problem_of(summary, "other size", text, "warning"))
    return problems


def _size(summary: FileSummary) -> tuple[int, int]:
    return (
        (summary.shape[0], summary.shape[1])
        if summary.area is None
        else (summary.area.rows, summary.area.columns)
    )


def magnification(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Scales of the prepared pixels that differ, are missing where needed, or contradict the file."""
    problems: list[Problem] = []
    given = {pair.id: pair.sem_nm_per_px for pair in pairs}
    for summary in summaries:
        size = given.get(summary.pair) if summary.side == "sem" else None
        if size and summary.nm_per_px and abs(size / summary.nm_per_px - 1) > DISAGREEMENT:
            text = f"{size:.4g} nm/px in pairs.csv, {summary.nm_per_px:.4g} in the file's metadata"
            problems.append(problem_of(summary, "pixel size", text, "warning"))
        elif summary.side == "sem" and limits.sem_nm_per_px is not None and not (size or summary.nm_per_px):
            text = "no pixel size in the file - give sem_nm_per_px in pairs.csv"
            problems.append(problem_of(summary, "pixel size", text))
    for side, unit, key in (
        ("sem", "nm", "sem.prepare.nm_per_px"),
        ("saxs", "1/nm", "saxs.prepare.q_per_px"),
    ):
        known = key.rpartition(".")[2] in (SemPrepare if side == "sem" else SaxsPrepare).model_fields
        advice = f"set {key} to bring all to one scale, or take it out" if known else "bring all to one scale"
        of_side = [summary for summary in summaries if summary.side == side and summary.refused is None]
        problems += _scales(of_side, unit, advice)
    return problems


def _scales(summaries: Sequence[FileSummary], unit: str, advice: str) -> list[Problem]:
    """Prepared pixels of several scales: an error for each file outside of the largest cluster."""
    known = sorted(
        (summary for summary in summaries if summary.scale), key=lambda summary: summary.scale or 0.0
    )
    if not known:
        return []
    clusters = [[known[0]]]
    for before, summary in pairwise(known):
        if _factor(before, summary) > SAME_SCALE:
            clusters.append([])
        clusters[-1].append(summary)
    largest = max(clusters, key=len)
    middle = largest[len(largest) // 2].scale
    problems = [
        problem_of(
            summary,
            "magnification",
            f"{summary.scale:.4g} {unit} per prepared pixel where {len(largest)} files have {middle:.4g} - {advice}",
        )
        for cluster in clusters
        for summary in cluster
        if cluster is not largest
    ]
    if _factor(largest[0], largest[-1]) > NOTED_SCALE:
        severity: Severity = "error" if _factor(largest[0], largest[-1]) > SAME_SCALE**2 else "warning"
        text = f"{largest[0].scale:.4g} to {largest[-1].scale:.4g} {unit} per prepared pixel - {advice}"
        problems.append(Problem("", "", "magnification", text, severity))
    if len(known) < len(summaries):
        text = f"{len(summaries) - len(known)} of {len(summaries)} {FOLDERS[summaries[0].side]} files have no scale"
        problems.append(Problem("", "", "unknown scale", f"{text} - give it in pairs.csv", "warning"))
    return problems


def _factor(summary: FileSummary, other: FileSummary) -> float:
    return (other.scale or 1.0) / (summary.scale or 1.0)


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
            problems.append(copy_of(this_pair, other_pair, summary.file, f"picture as {FOLDERS[other.side]}"))
        else:
            text = f"the same picture as {FOLDERS[other.side]} of pair {other.pair} - check the file names"
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
            text = f"a data bar begins at row {begins}, and sem.prepare.rows keeps {area.rows} - lower it"
            problems.append(problem_of(summary, "data bar", text, "warning"))
    return problems


def colours(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Micrographs in colour, and patterns that are colour-mapped where most are not (or the reverse)."""
    problems = [
        problem_of(summary, "colour", "a micrograph in colour; its grey levels are used", "warning")
        for summary in summaries
        if summary.side == "sem" and summary.colourful
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


def beam(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Patterns whose centre of symmetry lies elsewhere than that of the others, or that of all off the middle."""
    centred = [(summary, summary.centre) for summary in summaries if summary.centre is not None]
    if len(centred) < 3 or limits.beam_centre == "auto":
        return []
    places = np.array([centre for _, centre in centred])
    usual = np.median(places, axis=0)
    scatter = 1.4826 * np.median(np.abs(places - usual), axis=0)
    most = np.maximum(CENTRE_DEVIATIONS * scatter, CENTRE_DRIFT)
    problems = [
        problem_of(
            summary,
            "beam centre",
            f"centre {at[0]:.1%} from the top, {at[1]:.1%} from the left; usual: {usual[0]:.1%}, {usual[1]:.1%} - "
            "saxs.prepare.beam_centre: auto moves each to the middle",
            "warning",
        )
        for summary, at in centred
        if np.any(np.abs(np.array(at) - usual) > most)
    ]
    if limits.beam_centre is None and np.any(np.abs(usual - 0.5) > np.maximum(OFF_THE_MIDDLE, scatter)):
        text = (
            f"most centres lie {usual[0]:.1%} from the top, {usual[1]:.1%} from the left, not in the middle"
        )
        text += " - saxs.prepare.beam_centre: auto, or [row, column], moves them there"
        problems.append(Problem("", "", "beam centre", text, "warning"))
    return problems


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
