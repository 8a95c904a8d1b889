"""Intensities of zero or below: noise about a small mean, where nothing was measured, or a dead pixel."""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 5  # points on each side of a non-positive one that are averaged, too
NARROWEST = 2  # half-width of the narrowest average, points
SIGNIFICANT = 3.0  # standard errors of a local mean from which it stands
TAKEN = 2  # times the half-width at which a mean stands: the mean at that width would be one that happens to
WIDEST = 0.2  # half-width of the widest average, of all points
STEADY = 3.0  # ratio of the neighbours' extremes below which a lone non-positive point is a fault


def mend_non_positive(q: np.ndarray, intensity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A curve with its non-positive intensities treated.

    Dropping them would keep the upper half of the noise only, and lift a noisy tail. So: leading ones (a beam
    stop) and trailing exact zeros (nothing measured) are cut off; a lone one amid four steady neighbours (a dead
    pixel) is dropped; all others, and the points around them, become a mean over neighbours: twice as many as
    that mean needs to reach three standard errors.

    Parameters
    ----------
    q, intensity : ndarray
        ``(points,)``.

    Returns
    -------
    q, intensity : ndarray
        ``(points,)`` or fewer. A mean that stays non-positive is 0. All-positive curves, and those with no
        positive point, come back as they are.
    """
    if (intensity > 0).all() or not (intensity > 0).any():
        return q, intensity
    positive, present = np.flatnonzero(intensity > 0), np.flatnonzero(intensity != 0)
    inside = slice(positive[0], present[-1] + 1)
    q, intensity = q[inside], intensity[inside]
    kept = ~_faults(intensity)
    q, intensity = q[kept], intensity[kept]
    return q, np.maximum(_averaged(intensity), 0.0)


def _faults(intensity: np.ndarray) -> np.ndarray:
    """Non-positive points whose two neighbours on either side are positive and similar: ``(points,)`` bool."""
    faulty = np.zeros(len(intensity), bool)
    for index in np.flatnonzero(intensity <= 0):
        near = np.concatenate([intensity[max(0, index - 2) : index], intensity[index + 1 : index + 3]])
        faulty[index] = len(near) == 4 and near.min() > 0 and near.max() < STEADY * near.min()
    return faulty


def _averaged(intensity: np.ndarray) -> np.ndarray:
    """Means over neighbours where non-positive points are near; the rest unchanged."""
    points = len(intensity)
    sums, squares, low = (
        np.concatenate([[0.0], np.cumsum(values)]) for values in (intensity, intensity**2, intensity <= 0)
    )

    def within(total: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
        first, last = (
            np.maximum(np.arange(points) - half, 0),
            np.minimum(np.arange(points) + half + 1, points),
        )
        return total[last] - total[first], last - first

    means, open_ = intensity.copy(), within(low, NEIGHBOURS)[0] > 0
    half, widest = NARROWEST, max(NARROWEST, round(WIDEST * points))
    while open_.any():
        total, number = within(sums, half)
        mean = total / number
        variance = np.maximum(within(squares, half)[0] / number - mean**2, 0.0) / np.maximum(number - 1, 1)
        settled = open_ & ((mean > SIGNIFICANT * np.sqrt(variance)) | (half == widest))
        wide_total, wide_number = within(sums, min(TAKEN * half, widest))
        means[settled] = (wide_total / wide_number)[settled]
        open_ &= ~settled
        half = min(2 * half, widest)
    return means
