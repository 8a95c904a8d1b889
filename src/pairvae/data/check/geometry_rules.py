"""Rules of the check on geometry: sizes of images, scales of their pixels, the position of the beam."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pairvae.data.check.file_summary import FileSummary
from pairvae.data.check.problems import Limits, Problem, Severity, problem_of
from pairvae.data.pairs.sample import Pair
from pairvae.modalities import MODALITIES

LEAST_SAXS_SIDE = 32  # px
SAME_SCALE = 1.1  # factor between neighbouring scales of one magnification
NOTED_SCALE = 1.03  # between the extremes of one; spacings are reported with its middle
DISAGREEMENT = 0.1  # between the pixel size of pairs.csv and that of the file
CENTRE_DRIFT = 0.006  # of the side: a shift by 0.6 % sets half of the built-in patterns apart from the others
CENTRE_DEVIATIONS = 6.0  # robust ones; centres of noisy patterns scatter by more than the drift
OFF_THE_MIDDLE = 0.03  # of the side


def sizes(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Images too small to be used, and images of another size than most."""
    problems = []
    least_of_images = [
        (side, section.crop, f" - lower {side}.prepare.crop, or leave it out")
        for side, section in limits.images.items()
    ]
    for side, least, advice in (*least_of_images, ("saxs", LEAST_SAXS_SIDE, "")):
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
    given = {(pair.id, side): pair.nm_per_px(side) for pair in pairs for side in limits.images}
    for summary in summaries:
        section, size = limits.images.get(summary.side), given.get((summary.pair, summary.side))
        if size and summary.nm_per_px and abs(size / summary.nm_per_px - 1) > DISAGREEMENT:
            text = f"{size:.4g} nm/px in pairs.csv, {summary.nm_per_px:.4g} in the file's metadata"
            problems.append(problem_of(summary, "pixel size", text, "warning"))
        elif section is not None and section.nm_per_px is not None and not (size or summary.nm_per_px):
            text = f"no pixel size in the file - give {summary.side}_nm_per_px in pairs.csv"
            problems.append(problem_of(summary, "pixel size", text))
    for side, unit, key in (
        *((side, "nm", f"{side}.prepare.nm_per_px") for side in limits.images),
        ("saxs", "1/nm", "saxs.prepare.q_per_px"),
    ):
        advice = f"set {key} to bring all to one scale, or take it out"
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
        folder = MODALITIES[summaries[0].side].folder
        text = f"{len(summaries) - len(known)} of {len(summaries)} {folder} files have no scale"
        problems.append(Problem("", "", "unknown scale", f"{text} - give it in pairs.csv", "warning"))
    return problems


def _factor(summary: FileSummary, other: FileSummary) -> float:
    return (other.scale or 1.0) / (summary.scale or 1.0)


def beam(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Patterns whose centre of symmetry lies elsewhere than that of the others, or that of all off the middle."""
    centred = [(summary, summary.centre) for summary in summaries if summary.centre is not None]
    if len(centred) < 3 or limits.beam_centre == "auto":
        return []
    centres = np.array([centre for _, centre in centred])
    usual = np.median(centres, axis=0)
    scatter = 1.4826 * np.median(np.abs(centres - usual), axis=0)
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
