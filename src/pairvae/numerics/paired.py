"""One paired test by which "better" is decided: Wilcoxon's signed-rank test, and the interval that belongs to it.

Estimate, interval and p value come from the same Walsh averages (means of two gaps, Hodges and Lehmann 1963), so that
the interval of 95 % leaves 0 out exactly where p is at most 0.05.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

LEVEL = 0.95
EXACT = 50  # samples up to which the null distribution is counted; beyond, a normal one is as good
Verdict = Literal["better", "worse", "not told apart"]


@dataclass(frozen=True)
class SignedRank:
    """The test of gaps between two errors.

    Parameters
    ----------
    difference : float
        Hodges-Lehmann median of the gaps.
    interval : (float, float) or None
        Its 95 % confidence interval; None for fewer than six samples.
    p : float
        Two-sided, in [0, 1].
    """

    difference: float
    interval: tuple[float, float] | None
    p: float

    @property
    def verdict(self) -> Verdict:
        """Whether the first of the two is better (its error is lower)."""
        return verdict_of(self.interval)


def verdict_of(interval: tuple[float, float] | list[float] | None) -> Verdict:
    """The one rule of what is better.

    Parameters
    ----------
    interval : (float, float) or None
        Confidence interval of the difference of two errors, first minus second.

    Returns
    -------
    str
        ``better`` where all of it is below 0, ``worse`` where all of it is above, otherwise ``not told apart``.
    """
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "not told apart"
    return "better" if interval[1] < 0 else "worse"


def signed_rank(gaps: NDArray[np.float64]) -> SignedRank:
    """Test gaps between two errors against a distribution symmetric about 0 (Wilcoxon).

    Not corrected for several comparisons.

    Parameters
    ----------
    gaps : ndarray
        ``(n,)``: first error minus second, one a sample. Gaps of 0 count against a difference.

    Returns
    -------
    SignedRank
        Estimate, interval and p value. Fewer than six samples cannot reach p of 0.05: they have no interval.
    """
    rows, columns = np.triu_indices(len(gaps))
    walsh = np.sort((gaps[rows] + gaps[columns]) / 2)
    below, above = _tails(len(gaps))
    fewest = min(int(np.count_nonzero(walsh >= 0)), int(np.count_nonzero(walsh <= 0)))
    interval = (float(walsh[below]), float(walsh[-1 - below])) if below >= 0 else None
    return SignedRank(float(np.median(walsh)), interval, min(1.0, 2 * float(above[fewest])))


@lru_cache(maxsize=64)
def _tails(n: int) -> tuple[int, NDArray[np.float64]]:
    """Largest rank sum with 2 P(T <= sum) <= 1 - LEVEL (-1: none), and P(T <= t) for every rank sum t."""
    total = n * (n + 1) // 2
    if n <= EXACT:
        counts = np.zeros(total + 1)
        counts[0] = 1.0
        for rank in range(1, n + 1):
            counts[rank:] = counts[rank:] + counts[: total + 1 - rank]
        cumulated = np.cumsum(counts) / 2.0**n
    else:
        deviation = np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        cumulated = scipy.stats.norm.cdf((np.arange(total + 1) + 0.5 - total / 2) / deviation)
    return int(np.searchsorted(2 * cumulated, 1 - LEVEL, side="right")) - 1, cumulated
