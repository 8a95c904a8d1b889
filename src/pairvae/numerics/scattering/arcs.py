"""What lies on a ring or an axis: arcs and grating spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from pairvae.errors import InputError
from pairvae.numerics.scattering.peaks import parabolic_peak
from pairvae.numerics.scattering.profiles import (
    AzimuthalProfile,
    Centre,
    Floats,
    Mask,
    azimuthal_profile,
    offsets,
)

DIRECTIONS = 90  # over 180 degrees
LEAST_SHOWN = 0.75  # of a direction's pixels
HALF_RING = 0.15  # arcs are read between 0.85 and 1.15 of the ring's radius


@dataclass(frozen=True)
class Arcs:
    """How the intensity varies around a ring, relative to its mean: 1 + contrast cos 2(phi - angle), and fourfold.

    Parameters
    ----------
    angle, contrast : float
        Of the twofold variation; the angle in rad, in (-pi/2, pi/2].
    fourfold_angle, fourfold_contrast : float
        Of the fourfold one; the angle in (-pi/4, pi/4].
    """

    angle: float
    contrast: float
    fourfold_angle: float
    fourfold_contrast: float


def arcs(profile: AzimuthalProfile) -> Arcs:
    """Second and fourth harmonic of I(phi), fitted to the directions that hold data (gaps do not bias them).

    Parameters
    ----------
    profile : AzimuthalProfile
        Intensity by direction; nan in gaps.

    Returns
    -------
    Arcs
        Angles and contrasts; contrasts are nan where the mean intensity is not above 0.

    Raises
    ------
    InputError
        Fewer than five directions hold data.
    """
    known = np.isfinite(profile.intensity)
    if known.sum() < 5:
        raise InputError(expected="intensity in at least 5 directions", found=str(int(known.sum())))
    phi = profile.phi[known]
    terms = [np.ones_like(phi), np.cos(2 * phi), np.sin(2 * phi), np.cos(4 * phi), np.sin(4 * phi)]
    fit = np.linalg.lstsq(np.stack(terms, axis=1), profile.intensity[known], rcond=None)[0]
    mean = fit[0] if fit[0] > 0 else np.nan
    return Arcs(
        angle=float(np.arctan2(fit[2], fit[1]) / 2),
        contrast=float(np.hypot(fit[1], fit[2]) / mean),
        fourfold_angle=float(np.arctan2(fit[4], fit[3]) / 4),
        fourfold_contrast=float(np.hypot(fit[3], fit[4]) / mean),
    )


def arc_distribution(
    pattern: NDArray[Any], centre: Centre, radius: float, mask: Mask | None = None
) -> tuple[Floats, float]:
    """Where on a ring the intensity lies.

    An object that is real scatters alike at opposite angles, so both halves are averaged.

    Parameters
    ----------
    pattern : ndarray
        Intensities ``(H, W)``.
    centre : (float, float)
        Row and column of the beam, px.
    radius : float
        Of the ring, px; nan where there is none.
    mask : ndarray, optional
        ``(H, W)``, True where a pixel does not count.

    Returns
    -------
    distribution : ndarray
        ``(90,)`` by angle mod 180 degrees: the intensity above its lowest value, of unit sum; nan without a ring,
        or where most of it is hidden.
    variation : float
        Standard deviation of the intensity along the ring over its mean; nan likewise.
    """
    none = np.full(DIRECTIONS, np.nan)
    if not np.isfinite(radius):
        return none, float("nan")
    reach = ((1 - HALF_RING) * radius, (1 + HALF_RING) * radius)
    halves = azimuthal_profile(pattern, centre, reach, 2 * DIRECTIONS, mask).intensity.reshape(2, DIRECTIONS)
    seen = np.isfinite(halves)
    if mask is not None:  # a direction that shows only the ring's inner or outer flank is no weak direction
        shown = azimuthal_profile((~mask).astype(np.float64), centre, reach, 2 * DIRECTIONS).intensity
        seen &= shown.reshape(2, DIRECTIONS) >= LEAST_SHOWN
    directions = np.flatnonzero(seen.any(0))
    if len(directions) < DIRECTIONS // 2:
        return none, float("nan")
    mean = np.where(seen, halves, 0).sum(0) / np.maximum(seen.sum(0), 1)
    filled = np.interp(np.arange(DIRECTIONS), directions, mean[directions], period=DIRECTIONS)
    above = filled - filled.min()
    unit = above / above.sum() if above.sum() > 0 else np.full(DIRECTIONS, 1 / DIRECTIONS)
    return unit, float(filled.std() / max(filled.mean(), 1e-12))


def turned_by(first: Floats, second: Floats) -> Floats:
    """Mean angle by which intensity has to turn to make one distribution from another.

    The first Wasserstein distance on the circle (Rabin, Delon and Gousseau, J. Math. Imaging Vis. 2011, 41, 147):
    the cumulative difference about its median. Arcs that are turned by less than half their spacing give the
    angle.

    Parameters
    ----------
    first, second : ndarray
        ``(N, D)``, of unit sum over equal steps of 180 degrees; nan without a ring.

    Returns
    -------
    ndarray
        ``(N,)`` degrees, 0 to 90; 90 where one has no ring, 0 where neither has.
    """
    gap = np.cumsum(first - second, axis=1)
    angle = np.abs(gap - np.median(gap, axis=1, keepdims=True)).sum(1) * 180 / first.shape[1]
    no_first, no_second = np.isnan(first).any(1), np.isnan(second).any(1)
    return np.where(no_first | no_second, np.where(no_first == no_second, 0.0, 90.0), angle)


def spot_positions(
    pattern: NDArray[Any],
    centre: Centre,
    count: int = 2,
    *,
    mask: Mask | None = None,
    band_px: int = 4,
    least_px: float | None = None,
    size_px: float = 4.0,
    least_contrast: float = 0.0,
) -> Floats:
    """Positions of the brightest spots near the horizontal axis, refined by parabolas.

    Parameters
    ----------
    pattern : ndarray
        Intensities ``(H, W)``.
    centre : (float, float)
        Row and column of the beam, px.
    count : int
        Spots to return.
    mask : ndarray, optional
        ``(H, W)``, True where a pixel does not count.
    band_px : int
        Largest distance from the centre's row, px.
    least_px : float, optional
        Least distance from the centre's column, px; a tenth of the width by default: inside is the halo.
    size_px : float
        Width of the surroundings that a spot stands out from, px.
    least_contrast : float
        By how much it has to rise above them.

    Returns
    -------
    ndarray
        ``(count, 2)``: row and column, the brightest first; nan where there are fewer.
    """
    counted = (np.ones(pattern.shape) if mask is None else ~mask).astype(np.float64)
    values = np.where(counted > 0, pattern, 0.0).astype(np.float64)

    def local_mean(sigma: float) -> Floats:
        weight = scipy.ndimage.gaussian_filter(counted, sigma)
        return np.asarray(scipy.ndimage.gaussian_filter(values, sigma) / np.maximum(weight, 1e-6))

    sharp = np.where(counted > 0, local_mean(size_px / 4) - local_mean(size_px), 0.0)
    up, right = offsets((pattern.shape[0], pattern.shape[1]), centre)
    near = (np.abs(up) <= band_px) & (
        np.abs(right) >= (pattern.shape[1] / 10 if least_px is None else least_px)
    )
    crest = (sharp == scipy.ndimage.maximum_filter(sharp, size=5)) & (sharp > least_contrast) & near
    rows, columns = np.nonzero(crest)
    brightest = np.argsort(-sharp[rows, columns], kind="stable")[:count]
    spots = np.full((count, 2), np.nan)
    for row_of_spot, index in enumerate(brightest):
        row, column = int(rows[index]), int(columns[index])
        spots[row_of_spot] = _refined(sharp[:, column], row), _refined(sharp[row], column)
    return spots


def _refined(line: Floats, top: int) -> float:
    if not 0 < top < len(line) - 1:
        return float(top)
    window = slice(top - 1, top + 2)
    return parabolic_peak(np.arange(top - 1.0, top + 2.0), np.maximum(line[window], 1e-12 * line[top]))
