"""Do patterns and micrographs belong together? Rings are compared with spacings, arcs with directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
from scipy.optimize import linear_sum_assignment

from pairvae.data.check.file_summary import FileSummary
from pairvae.data.check.problems import Limits, Problem
from pairvae.data.pairs.sample import PAIRS_FILE, Pair
from pairvae.modalities import MODALITIES
from pairvae.numerics.scattering import DIRECTIONS, Floats, RingAndArcs, turned_by
from pairvae.numerics.series import evenly_spread

LEAST_PAIRS = 8
MOST_PAIRS = 200  # in the permutation test, which computes the angles between all of them
BLOCK = 400  # pairs, in the order of their ids, among which better partners are sought
GAIN = 13.0  # of the sum of squared deviations; correct simulated pairs gain up to 8 from other partners
LEAST_DEVIATION, LEAST_TURN = 0.01, 2.0  # of the rings' logarithms, and degrees of the arcs
DEVIATIONS = 4.5  # robust standard deviations from the median, beyond which a pair is reported
LEAST_RATIO, LEAST_ANGLE = 0.06, 12.0  # of the ring, and degrees of the arcs: less is never reported
BETTER = 0.6  # a quarter turn that leaves less than this share of the angle explains it
WRONG_SCALE = 0.1  # between rings and spacings of most pairs
PERMUTATIONS = 999
CHANCE, CHANCE_OF_FEW, FEW = 0.05, 0.2, 16
TELLING = 2.0  # samples must differ by this many times the difference of the two ends of one image
LEAST_SPREAD = 0.01  # of the logarithms of the patterns' rings, below which they do not differ


@dataclass(frozen=True)
class _Seen:
    """What ``N`` pairs show: logarithms of the rings in one unit ``(N,)``, and the arcs ``(N, 90)``.

    ``turned``: rings and arcs of the patterns after a quarter turn, left and right, and with the mask turned too.
    """

    images: list[FileSummary]
    patterns: list[FileSummary]
    in_units: bool
    rings: Floats
    arcs: Floats
    given_rings: Floats
    given_arcs: Floats
    turned: tuple[tuple[Floats, Floats], ...]

    @property
    def gaps(self) -> Floats:
        """Differences of the logarithms of the rings."""
        return self.rings - self.given_rings

    def quarter_turned(self) -> _Seen:
        """The same with every pattern turned by a quarter, left or right, whichever fits better."""
        sides = [float(np.median(turned_by(self.arcs, arcs))) for _, arcs in self.turned]
        rings, arcs = self.turned[int(np.argmin(sides))]
        back = (self.given_rings, self.given_arcs)
        return replace(self, given_rings=rings, given_arcs=arcs, turned=(back,))


def partners(pairs: Sequence[Pair], summaries: Sequence[FileSummary], limits: Limits) -> list[Problem]:
    """Pairs whose pattern does not agree with the scattering of the image: turned, swapped, rescaled or shuffled.

    Parameters
    ----------
    pairs, summaries, limits
        As for :class:`~pairvae.data.check.problems.Rule`.

    Returns
    -------
    list of Problem
        Warnings.
    """
    seen = _seen(summaries)
    if len(seen.images) < LEAST_PAIRS:
        return []
    problems = []
    straight, other = np.median(_angle(seen)), seen.quarter_turned()
    if straight > LEAST_ANGLE and np.median(_angle(other)) < BETTER * straight:
        text = "the arcs of most patterns fit their images after a quarter turn - turn the patterns, or the images"
        problems.append(Problem("", "", "turned patterns", text, "warning"))
        seen = other
    usual = float(np.median(seen.gaps))
    if seen.in_units and abs(usual) > WRONG_SCALE:
        text = (
            f"most rings lie at {np.exp(-usual):.3g} times the q of their images' spacing (2 pi / spacing) - "
            "check sem_nm_per_px and saxs_q_per_px_inv_nm"
        )
        problems.append(Problem("", "", "scales disagree", text, "warning"))
    if _shuffled(seen):
        text = (
            "rings and arcs of the patterns fit their own images no better than those of other pairs: the pairs look "
            "shuffled - compare the names, and pairvae data check --sheet"
        )
        return [*problems, Problem("", PAIRS_FILE, "shuffled pairs", text, "warning")]
    return problems + _outliers(seen)


def _angle(seen: _Seen) -> Floats:
    """Angles between the arcs of each pattern and those of its image, ``(N,)`` degrees."""
    return turned_by(seen.arcs, seen.given_arcs)


def _seen(summaries: Sequence[FileSummary]) -> _Seen:
    """Pairs whose two files show a ring; rings in 1/nm where every scale is known, else in prepared pixels."""
    by_kind: dict[bool, dict[str, FileSummary]] = {True: {}, False: {}}  # images, and patterns
    for summary in summaries:
        if summary.scattering is not None and np.isfinite(summary.scattering.ring):
            by_kind[MODALITIES[summary.side].cropped].setdefault(summary.pair, summary)
    both = [pair for pair in by_kind[True] if pair in by_kind[False]]
    images, patterns = ([by_kind[kind][pair] for pair in both] for kind in (True, False))
    in_units = all(summary.scale for summary in (*images, *patterns))
    scales = [
        np.array([(summary.scale or 1.0) if in_units else 1.0 for summary in side])
        for side in (images, patterns)
    ]
    quarters = [[_quarter(summary, way) for summary in patterns] for way in (0, 1)]
    rings, arcs = _stacked([summary.scattering for summary in images])
    given_rings, given_arcs = _stacked([summary.scattering for summary in patterns])
    turned = [(ring + np.log(scales[1]), arc) for ring, arc in map(_stacked, quarters)]
    given_rings = given_rings + np.log(scales[1])
    turned.append((given_rings, np.roll(given_arcs, DIRECTIONS // 2, axis=1)))
    return _Seen(
        images, patterns, in_units, rings - np.log(scales[0]), arcs, given_rings, given_arcs, tuple(turned)
    )


def _quarter(summary: FileSummary, way: int) -> RingAndArcs | None:
    return None if summary.turned is None else summary.turned[way]


def _stacked(readings: Sequence[RingAndArcs | None]) -> tuple[Floats, Floats]:
    """Logarithms of the rings ``(N,)`` and arcs ``(N, 90)``; nan of None."""
    rings = np.array([nan if reading is None else reading.ring for reading in readings], np.float64)
    arcs = [np.full(DIRECTIONS, nan) if reading is None else reading.arcs for reading in readings]
    return np.log(rings), np.array(arcs, np.float64).reshape(len(readings), DIRECTIONS)


def _robust(values: Floats) -> tuple[float, float]:
    """Median, and standard deviation by the median absolute deviation."""
    middle = float(np.median(values))
    return middle, 1.4826 * float(np.median(np.abs(values - middle)))


def _better_partners(seen: _Seen) -> dict[int, tuple[int, float]]:
    """Pairs whose image fits another pair's pattern far better, by the best assignment of all images to all patterns.

    Maps the number of a pair to that of the other one and the angle (degrees) between the arcs of image and pattern.
    The cost is the sum of squared deviations of rings and arcs, in units of their spread over the given pairs.
    """
    better: dict[int, tuple[int, float]] = {}
    middle, spread = _robust(seen.gaps)
    angle = max(float(np.median(_angle(seen))), LEAST_TURN)
    for start in range(0, len(seen.rings), BLOCK):
        part = slice(start, start + BLOCK)
        gaps = (seen.rings[part, None] - seen.given_rings[None, part] - middle) / max(spread, LEAST_DEVIATION)
        angles = _angles(seen.arcs[part], seen.given_arcs[part])
        cost = gaps**2 + (angles / angle) ** 2
        rows, columns = linear_sum_assignment(cost)
        gains = cost[rows, rows] - cost[rows, columns]
        better |= {
            start + int(row): (start + int(column), float(angles[row, column]))
            for row, column, gain in zip(rows, columns, gains, strict=True)
            if gain > GAIN
        }
    return better


def _outliers(seen: _Seen) -> list[Problem]:
    """Single pairs that disagree far more than the others, or fit another partner far better."""
    better = _better_partners(seen)
    usual, scatter = _robust(seen.gaps)
    most = max(DEVIATIONS * scatter, LEAST_RATIO)
    straight = _angle(seen)
    rests = np.nan_to_num(np.stack([turned_by(seen.arcs, arcs) for _, arcs in seen.turned]), nan=90.0)
    far = np.stack([np.abs(seen.rings - rings - usual) for rings, _ in seen.turned])
    rests = np.where(far <= most, rests, 90.0).min(0)  # a turn does not explain a ring that is elsewhere
    middle, spread = _robust(np.minimum(straight, rests))
    widest = max(middle + DEVIATIONS * spread, LEAST_ANGLE)
    problems = []
    for row, (summary, gap) in enumerate(zip(seen.patterns, seen.gaps - usual, strict=True)):
        angle, rest, (other, left) = straight[row], rests[row], better.get(row, (row, nan))
        odd = angle > widest or abs(gap) > most
        if odd and rest <= widest and rest < BETTER * angle and not rest > left:
            text = f"its arcs lie {angle:.0f} degrees from where its image puts them, {rest:.0f} after a quarter turn"
            problems.append(
                Problem(summary.pair, summary.file, "turned pattern", f"{text} - turn it", "warning")
            )
        elif odd or other != row:
            text = (
                f"it does not scatter as its image would: ring at {np.exp(-gap):.3g} times the usual place, arcs "
                f"turned by {angle:.0f} degrees - does it belong to this pair?"
            )
            if other != row:
                text += f" The pattern of pair {seen.patterns[other].pair} fits better"
            problems.append(Problem(summary.pair, summary.file, "partner", text, "warning"))
    return problems


def _shuffled(seen: _Seen) -> bool:
    """Whether the given pairs agree no better than random ones, although the samples clearly differ.

    A permutation test of the mean disagreement.
    """
    chosen = evenly_spread(len(seen.images), MOST_PAIRS)
    costs = []
    of_images, of_patterns = seen.rings[chosen], seen.given_rings[chosen]
    of_image_arcs, of_pattern_arcs = seen.arcs[chosen], seen.given_arcs[chosen]
    parts = [seen.images[int(index)].parts for index in chosen]
    ends = [part for part in parts if part is not None]
    if len(ends) < LEAST_PAIRS:
        return False
    within = np.log([[end.ring for end in part] for part in ends])
    noise = float(np.nanmedian(np.abs(within[:, 0] - within[:, 1]))) * 1.4826 / 2  # of the mean of both
    if _robust(of_images)[1] > TELLING * noise and _robust(of_patterns)[1] > LEAST_SPREAD:
        table = np.abs(of_images[:, None] - of_patterns[None] - float(np.median(seen.gaps)))
        costs.append(table / table.mean())
    within_arcs = turned_by(np.stack([a.arcs for a, _ in ends]), np.stack([b.arcs for _, b in ends]))
    table, among = _angles(of_image_arcs, of_pattern_arcs), _angles(of_image_arcs, of_image_arcs)
    if np.median(among[~np.eye(len(among), dtype=bool)]) > TELLING * np.median(within_arcs):
        costs.append(table / table.mean())
    if not costs:
        return False
    total = np.sum(costs, axis=0)
    rows, generator = np.arange(len(total)), np.random.default_rng(0)
    drawn = [total[rows, generator.permutation(len(total))].mean() for _ in range(PERMUTATIONS)]
    p = (1 + int(np.sum(np.array(drawn) <= total[rows, rows].mean()))) / (PERMUTATIONS + 1)
    return p > (CHANCE if len(total) >= FEW else CHANCE_OF_FEW)


def _angles(arcs: Floats, given: Floats) -> Floats:
    """Angles between each of ``N`` arcs and each of ``M``: ``(N, M)`` degrees."""
    return np.stack([turned_by(np.broadcast_to(arc, given.shape), given) for arc in arcs])
