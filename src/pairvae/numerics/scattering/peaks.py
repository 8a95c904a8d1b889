"""Rings of azimuthal averages: position, width and height over a background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy  # its parts are loaded at first use: scipy.signal alone takes a second

from pairvae.numerics.scattering.profiles import Floats

SIGMAS = 2.0 * np.sqrt(2.0 * np.log(2.0))  # full width at half maximum of a Gaussian
LEAST_BINS = 8
LEAST_PROMINENCE = 0.02  # of the logarithm: rings of 2 % over their surroundings
EDGE = 3  # bins that the edge of a shadow spreads over
LEAST_CLARITY = 0.25  # of the clearest peak; others are noise
DARK, FLOOR = 0.05, 1e-3  # parts of the brightest value
LOG_SIGMA = (-4.0, 4.0)  # bounds of the fitted ring's width
STEEPEST = 9.0  # bound of the exponent of the fitted decay
LEAST_SINGULAR = 1e-8  # of the largest: below, two of the fitted terms are the same
FIT_WIDTHS = 1.5  # half of the fitted range, in widths of the ring


@dataclass(frozen=True)
class RingPeak:
    """A ring over its background; all nan where there is none.

    Parameters
    ----------
    position, width : float
        Radius and full width at half maximum, in the unit of q.
    height : float
        Over the background, in the unit of the intensity.
    """

    position: float
    width: float
    height: float


NO_RING = RingPeak(float("nan"), float("nan"), float("nan"))


def _lower_hull(x: Floats, y: Floats) -> Floats:
    """The highest convex curve that stays below the points: a background that bridges every peak."""
    corners: list[int] = []
    for i in range(len(x)):
        while len(corners) > 1:
            a, b = corners[-2:]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            corners.pop()
        corners.append(i)
    return np.interp(x, x[corners], y[corners])


def ring_peak(q: Floats, intensity: Floats) -> RingPeak:
    """The strongest ring of an azimuthal average.

    The ring is the highest peak of those that stand out clearly of the logarithm's noise, which falls as the
    square root of the pixels on a ring; without a peak, it is a shoulder of the halo. A
    Gaussian over a constant and an exponential decay is fitted to it, so that neither the halo's flank nor
    noise at the top shifts it.

    Parameters
    ----------
    q : ndarray
        ``(K,)``, evenly spaced.
    intensity : ndarray
        ``(K,)``. Values that are nan are filled in between their neighbours; a dark middle (an unmasked beamstop)
        is left out.

    Returns
    -------
    RingPeak
        All nan without a ring, or with fewer than ``LEAST_BINS`` values.
    """
    known = np.isfinite(intensity)
    if known.sum() < LEAST_BINS:
        return NO_RING
    values = np.interp(q, q[known], intensity[known])
    smooth, values, q = np.convolve(values, [0.25, 0.5, 0.25], mode="valid"), values[1:-1], q[1:-1]
    start = _valley(smooth)
    above = np.maximum(smooth[start:] - _background(q[start:], smooth[start:]), 0.0)
    if not above.max() > 1e-9 * float(np.ptp(smooth)):
        return NO_RING
    guess = RingPeak(
        parabolic_peak(q[start:], above), half_width(q[start:], above), height=float(above.max())
    )
    return _fitted(q[start:], values[start:], guess)


def _valley(smooth: Floats) -> int:
    """Index from which on a profile holds the ring, but neither a dark middle nor the halo before it."""
    half = max(len(smooth) // 4, 1)
    lit = _lit(smooth, int(np.argmax(smooth[:half])))
    shape = np.log(np.maximum(smooth[lit:], FLOOR * smooth.max() + 1e-300))
    peaks, properties = scipy.signal.find_peaks(shape, prominence=LEAST_PROMINENCE)
    if not len(peaks):
        return lit + int(np.argmax(smooth[lit : max(half, lit + 1)]))
    clarity = properties["prominences"] * np.sqrt(peaks + lit)
    clear = peaks[clarity >= LEAST_CLARITY * clarity.max()]
    top = int(
        clear[np.argmax(scipy.signal.peak_prominences(smooth[lit:], clear)[0])]
    )  # not one of its higher orders
    return lit + int(np.argmin(shape[: top + 1]))


def _lit(smooth: Floats, crest: int) -> int:
    """Index after a beamstop's edge: darkness that ends abruptly in a halo, whose other flank is gentle."""
    dark = np.flatnonzero(smooth[:crest] < DARK * smooth[crest])
    beyond = min(crest + EDGE, len(smooth) - 1)
    if not len(dark) or crest - dark[-1] > EDGE or smooth[beyond] < 0.5 * smooth[crest]:
        return 0
    return min(int(dark[-1]) + EDGE, len(smooth) - 2)


def _background(q: Floats, smooth: Floats) -> Floats:
    """Lower convex hull of the logarithm: follows an exponential or a power-law decay."""
    logarithm = np.log(np.maximum(smooth, 1e-6 * smooth.max() + 1e-300))
    return np.asarray(np.exp(_lower_hull(q, logarithm)))


def _fitted(q: Floats, values: Floats, guess: RingPeak) -> RingPeak:
    """The Gaussian that fits best over a constant and an exponential decay; ``guess`` where none is near it."""
    step = q[1] - q[0]
    width = max(guess.width, 2 * step)
    near = np.abs(q - guess.position) <= FIT_WIDTHS * width
    if near.sum() < LEAST_BINS:
        return guess
    x, y = (q[near] - guess.position) / width, values[near] / guess.height

    @lru_cache(maxsize=2)  # asked for the residual first, and then for its slopes
    def profile(shape: tuple[float, float, float]) -> _Profile:
        return _profile(shape, x, y)

    fit = scipy.optimize.least_squares(
        lambda shape: profile(tuple(shape)).residual,
        np.array([0.0, -1.0, 1.0]),
        jac=lambda shape: profile(tuple(shape)).slopes,
        method="lm",
        max_nfev=60,
    )
    position, sigma = float(fit.x[0]), float(np.exp(np.clip(fit.x[1], *LOG_SIGMA)))
    height = float(profile(tuple(fit.x)).amounts[0])
    if abs(position) > 0.75 or not 0.2 < 2.355 * sigma < 3 or not 0.1 < height < 10:
        return guess
    return RingPeak(guess.position + position * width, SIGMAS * sigma * width, height * guess.height)


@dataclass(frozen=True)
class _Profile:
    """Amounts ``(3,)`` of ring, constant and decay, what they miss the data by ``(K,)``, its derivatives ``(K, 3)``."""

    amounts: Floats
    residual: Floats
    slopes: Floats


def _profile(shape: tuple[float, float, float], x: Floats, y: Floats) -> _Profile:
    """The best amounts of a Gaussian, a constant and an exponential decay of ``shape``: position, log sigma, decay.

    The amounts follow from the shape by linear least squares (variable projection, Golub and Pereyra 1973), so that
    three parameters are searched for instead of six.
    """
    sigma = np.exp(np.clip(shape[1], *LOG_SIGMA))
    distance = (x - shape[0]) / sigma
    ring, decay = np.exp(-0.5 * distance**2), np.exp(-np.clip(shape[2] * x, -STEEPEST, STEEPEST))
    left, size, right = np.linalg.svd(np.stack([ring, np.ones_like(x), decay], axis=1), full_matrices=False)
    kept = size > LEAST_SINGULAR * size[0]
    left, inverse = left[:, kept], right[kept].T / size[kept]
    amounts = inverse @ (left.T @ y)
    residual = left @ (left.T @ y) - y
    within = LOG_SIGMA[0] < shape[1] < LOG_SIGMA[1]
    changes = (
        (ring * distance / sigma, 0),
        (ring * distance**2 * within, 0),
        (np.where(np.abs(shape[2] * x) < STEEPEST, -x * decay, 0.0), 2),
    )
    slopes = [
        (change - left @ (left.T @ change)) * amounts[column] - left @ inverse[column] * (change @ residual)
        for change, column in changes
    ]
    return _Profile(amounts, residual, np.stack(slopes, axis=1))


def parabolic_peak(positions: Floats, values: Floats, first: int = 0) -> float:
    """Position of the highest value, refined by a parabola through the logarithm of the three samples at the top.

    Exact for a Gaussian.

    Parameters
    ----------
    positions : ndarray
        ``(K,)``, evenly spaced.
    values : ndarray
        ``(K,)``, >= 0.
    first : int
        Index from which on the top is sought.

    Returns
    -------
    float
        In the unit of ``positions``; nan where all values are 0.
    """
    top = first + int(np.argmax(values[first:]))
    if not values[top] > 0:
        return float("nan")
    if top in (0, len(values) - 1) or not min(values[top - 1], values[top + 1]) > 0:
        return float(positions[top])
    left, middle, right = np.log(values[top - 1 : top + 2])
    curvature = left - 2 * middle + right
    shift = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    return float(positions[top] + np.clip(shift, -0.5, 0.5) * (positions[top] - positions[top - 1]))


def half_width(positions: Floats, values: Floats, first: int = 0) -> float:
    """Full width at half of the highest value. The flanks are interpolated.

    Parameters
    ----------
    positions : ndarray
        ``(K,)``, ascending.
    values : ndarray
        ``(K,)``, >= 0.
    first : int
        Index from which on the top is sought.

    Returns
    -------
    float
        In the unit of ``positions``; nan where all values are 0. A flank that does not fall to one half ends with
        the data.
    """
    top = first + int(np.argmax(values[first:]))
    half = values[top] / 2
    if not half > 0:
        return float("nan")

    def crossing(step: int) -> float:
        index = top
        while 0 <= index + step < len(values) and values[index] > half:
            index += step
        if values[index] > half:
            return float(positions[index])
        inside = index - step
        part = (values[inside] - half) / (values[inside] - values[index])
        return float(positions[inside] + part * (positions[index] - positions[inside]))

    return crossing(1) - crossing(-1)
