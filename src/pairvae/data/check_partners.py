"""Whether patterns and micrographs belong together: rings against spacings, arcs against directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from scipy.optimize import linear_sum_assignment

from pairvae.data.check_files import FileFacts
from pairvae.data.check_rules import Limits, Problem
from pairvae.data.pairs import PAIRS_FILE, Pair
from pairvae.numerics.rows import evenly_spread
from pairvae.numerics.scattering import Floats, turned_by

LEAST_PAIRS = 8
MOST_PAIRS = 200  # that are permuted: the angles between all of them are reckoned
BLOCK = 400  # pairs among which better partners are looked for, neighbours in the order of their ids
GAIN = 13.0  # sum of squared deviations; sound simulated pairs gain up to 8 by other partners
LEAST_DEVIATION, LEAST_TURN = 0.01, 2.0  # of the rings' logarithms, and degrees of the arcs
DEVIATIONS = 4.5  # robust ones from the usual, beyond which a pair is told
LEAST_RATIO, LEAST_ANGLE = 0.06, 12.0  # of the ring and degrees of the arcs that are never told
QUARTER = 45  # of the 90 directions over 180 degrees
BETTER = 0.6  # share of the angle that is left where a quarter turn mends it
WRONG_SCALE = 0.1  # between rings and spacings of most pairs
PERMUTATIONS = 999
CHANCE, CHANCE_OF_FEW, FEW = 0.05, 0.2, 16
TELLING = 2.0  # times that samples differ by more than the two ends of one image
LEAST_SPREAD = 0.01  # of the patterns' rings: less is no difference


@dataclass(frozen=True)
class _Seen:
    """What ``N`` pairs show: logarithms of the rings of images and patterns in one unit, their arcs ``(N, 90)``."""

    images: list[FileFacts]
    patterns: list[FileFacts]
    in_units: bool

    def rings(self) -> tuple[Floats, Floats]:
        """``(N,)`` each; in 1/nm where every scale is known, else of prepared pixels."""
        sides = []
        for facts, of_image in ((self.images, True), (self.patterns, False)):
            scales = [(one.scale or nan) if self.in_units else 1.0 for one in facts]
            rings = [nan if one.scattering is None else one.scattering.ring for one in facts]
            sides.append(np.log(np.array(rings) * np.array(scales) ** (-1 if of_image else 1)))
        return sides[0], sides[1]

    def arcs(self) -> tuple[Floats, Floats]:
        """``(N, 90)`` each."""
        sides = [
            np.stack([np.full(90, nan) if one.scattering is None else one.scattering.arcs for one in facts])
            for facts in (self.images, self.patterns)
        ]
        return sides[0], sides[1]


def partners(pairs: Sequence[Pair], facts: Sequence[FileFacts], limits: Limits) -> list[Problem]:
    """Pairs whose pattern does not scatter as the image does: turned, swapped, of another scale, or shuffled."""
    seen = _seen(facts)
    if len(seen.images) < LEAST_PAIRS:
        return []
    of_images, of_patterns = seen.rings()
    found, given = seen.arcs()
    gaps = of_images - of_patterns
    usual = float(np.median(gaps))
    straight, turned = turned_by(found, given), turned_by(np.roll(found, QUARTER, axis=1), given)
    if np.median(straight) > LEAST_ANGLE and np.median(turned) < BETTER * np.median(straight):
        text = "the arcs of most patterns fit their images after a quarter turn - turn the patterns, or the images"
        problems = [Problem("", "", "turned patterns", text, "warning")]
        found, straight, turned = np.roll(found, QUARTER, axis=1), turned, straight
    else:
        problems = []
    if seen.in_units and abs(usual) > WRONG_SCALE:
        text = (
            f"most rings lie at {np.exp(-usual):.3g} times the q of their images' spacing (2 pi / spacing) - "
            "check sem_nm_per_px and saxs_q_per_px_inv_nm"
        )
        problems.append(Problem("", "", "scales disagree", text, "warning"))
    if _shuffled(seen, gaps, found, given):
        text = (
            "rings and arcs of the patterns fit their own images no better than those of other pairs: the pairs look "
            "shuffled - compare the names, and pairvae data check --sheet"
        )
        return [*problems, Problem("", PAIRS_FILE, "shuffled pairs", text, "warning")]
    return problems + _outliers(seen, gaps - usual, straight, turned, _better_partners(seen, found, given))


def _seen(facts: Sequence[FileFacts]) -> _Seen:
    """Pairs of which both files show a ring."""
    by_side: dict[str, dict[str, FileFacts]] = {"sem": {}, "saxs": {}}
    for fact in facts:
        if fact.scattering is not None and np.isfinite(fact.scattering.ring) and fact.side in by_side:
            by_side[fact.side][fact.pair] = fact
    both = [pair for pair in by_side["sem"] if pair in by_side["saxs"]]
    images, patterns = ([by_side[side][pair] for pair in both] for side in ("sem", "saxs"))
    return _Seen(images, patterns, all(one.scale for one in (*images, *patterns)))


def _robust(values: Floats) -> tuple[float, float]:
    """Median, and standard deviation by the median absolute deviation."""
    middle = float(np.median(values))
    return middle, 1.4826 * float(np.median(np.abs(values - middle)))


def _better_partners(seen: _Seen, found: Floats, given: Floats) -> dict[int, int]:
    """Pairs whose images fit other pairs' patterns far better, by the best assignment of all to all.

    Deviations of rings and arcs are squared and added, in units of those of the pairs as they are.
    """
    better: dict[int, int] = {}
    of_images, of_patterns = seen.rings()
    own = of_images - of_patterns
    middle, spread = _robust(own)
    angle = max(float(np.median(turned_by(found, given))), LEAST_TURN)
    for start in range(0, len(own), BLOCK):
        part = slice(start, start + BLOCK)
        gaps = (of_images[part, None] - of_patterns[None, part] - middle) / max(spread, LEAST_DEVIATION)
        cost = gaps**2 + (_angles(found[part], given[part]) / angle) ** 2
        rows, columns = linear_sum_assignment(cost)
        gains = cost[rows, rows] - cost[rows, columns]
        better |= {
            start + int(row): start + int(column)
            for row, column, gain in zip(rows, columns, gains, strict=True)
            if gain > GAIN
        }
    return better


def _outliers(
    seen: _Seen, gaps: Floats, straight: Floats, turned: Floats, better: dict[int, int]
) -> list[Problem]:
    """Single pairs that disagree by far more than the others do, or fit another partner far better."""
    most = max(DEVIATIONS * _robust(gaps)[1], LEAST_RATIO)
    middle, spread = _robust(np.minimum(straight, turned))
    widest = max(middle + DEVIATIONS * spread, LEAST_ANGLE)
    problems = []
    for row, (fact, gap, angle, rest) in enumerate(zip(seen.patterns, gaps, straight, turned, strict=True)):
        mended = rest <= middle + 2 * spread or (rest < BETTER * angle and row not in better)
        if angle > widest and mended and abs(gap) <= most:
            text = f"its arcs lie {angle:.0f} degrees from where its image puts them, {rest:.0f} after a quarter turn"
            problems.append(Problem(fact.pair, fact.file, "turned pattern", f"{text} - turn it", "warning"))
        elif angle > widest or abs(gap) > most or row in better:
            text = (
                f"it does not scatter as its image would: ring at {np.exp(-gap):.3g} times the usual place, arcs "
                f"turned by {angle:.0f} degrees - does it belong to this pair?"
            )
            if row in better:
                text += f" The pattern of pair {seen.patterns[better[row]].pair} fits better"
            problems.append(Problem(fact.pair, fact.file, "partner", text, "warning"))
    return problems


def _shuffled(seen: _Seen, gaps: Floats, found: Floats, given: Floats) -> bool:
    """Whether pairs agree no better than any others do, although their images differ clearly among each other.

    A permutation test of the mean disagreement. Without differences among the samples it could tell nothing.
    """
    chosen = evenly_spread(len(gaps), MOST_PAIRS)
    costs = []
    of_images, of_patterns = (side[chosen] for side in seen.rings())
    parts = [seen.images[int(one)].parts for one in chosen]
    ends = [part for part in parts if part is not None]
    if len(ends) < LEAST_PAIRS:
        return False
    within = np.log([[end.ring for end in part] for part in ends])
    noise = float(np.nanmedian(np.abs(within[:, 0] - within[:, 1]))) * 1.4826 / 2  # of the mean of both
    if _robust(of_images)[1] > TELLING * noise and _robust(of_patterns)[1] > LEAST_SPREAD:
        table = np.abs(of_images[:, None] - of_patterns[None] - float(np.median(gaps)))
        costs.append(table / table.mean())
    own = turned_by(np.stack([a.arcs for a, _ in ends]), np.stack([b.arcs for _, b in ends]))
    table = _angles(found[chosen], given[chosen])
    among = _angles(found[chosen], found[chosen])
    if np.median(among[~np.eye(len(among), dtype=bool)]) > TELLING * np.median(own):
        costs.append(table / table.mean())
    if not costs:
        return False
    total = np.sum(costs, axis=0)
    rows, generator = np.arange(len(total)), np.random.default_rng(0)
    drawn = [total[rows, generator.permutation(len(total))].mean() for _ in range(PERMUTATIONS)]
    p = (1 + int(np.sum(np.array(drawn) <= total[rows, rows].mean()))) / (PERMUTATIONS + 1)
    return p > (CHANCE if len(total) >= FEW else CHANCE_OF_FEW)


def _angles(found: Floats, given: Floats) -> Floats:
    """Angles between each of ``N`` arcs and each of ``M``: ``(N, M)`` degrees."""
    return np.stack([turned_by(np.broadcast_to(one, given.shape), given) for one in found])
