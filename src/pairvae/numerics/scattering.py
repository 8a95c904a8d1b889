"""Scattering patterns: grids, averages, peaks, masks, power spectra.

Patterns are intensities ``(H, W)`` or colour-mapped RGB ``(H, W, 3)`` in [0, 1]. Positions are (row, column)
in px, where a pixel's centre is a whole number; q is in px from the beam's centre unless a scale is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray
from scipy.signal import find_peaks

from pairvae.errors import InputError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Centre = tuple[float, float]


class RadialProfile(NamedTuple):
    """Mean ``intensity`` of the ``counts`` pixels on each ring around the centre; nan without pixels."""

    q: Floats
    intensity: Floats
    counts: NDArray[np.int64]


class AzimuthalProfile(NamedTuple):
    """Mean ``intensity`` in each direction ``phi`` (rad, counter-clockwise from the right), or nan."""

    phi: Floats
    intensity: Floats


@dataclass(frozen=True)
class RingPeak:
    """A ring's radius and full width at half maximum (in the unit of q), and height over the background."""

    position: float
    width: float
    height: float


@dataclass(frozen=True)
class Arcs:
    """How the intensity varies around a ring, relative to its mean.

    ``contrast`` and ``angle`` (rad, in (-pi/2, pi/2]) of the twofold variation, 1 + contrast cos 2(phi -
    angle), and the same for the fourfold one (angle in (-pi/4, pi/4]).
    """

    angle: float
    contrast: float
    fourfold_angle: float
    fourfold_contrast: float


def _offsets(shape: tuple[int, int], centre: Centre) -> tuple[Floats, Floats]:
    """Distances of the pixels from the centre, upwards ``(H, 1)`` and to the right ``(1, W)``."""
    rows, columns = (np.arange(side, dtype=np.float64) for side in shape)
    return (centre[0] - rows)[:, None], (columns - centre[1])[None, :]


def q_map(shape: tuple[int, int], centre: Centre, q_per_px: float = 1.0) -> Floats:
    """|q| of every pixel, ``(H, W)``, in the unit of ``q_per_px``; q grows as the distance (small angles)."""
    up, right = _offsets(shape, centre)
    return np.hypot(up, right) * q_per_px


def azimuthal_average(
    pattern: NDArray[Any],
    centre: Centre,
    mask: Mask | None = None,
    bins: int | None = None,
    q_per_px: float = 1.0,
) -> RadialProfile:
    """I(q) of an intensity pattern ``(H, W)``: means over rings, the first one at q = 0.

    Rings are 1 px wide up to half of the shorter side, or ``bins`` equally spaced ones. ``mask`` is True
    where a pixel does not count (``gap_mask``).
    """
    shape = (pattern.shape[0], pattern.shape[1])
    reach = min(shape) // 2
    bins = reach if bins is None else bins
    width = reach / bins
    counted = np.ones(shape, dtype=bool) if mask is None else ~mask
    ring = np.rint(q_map(shape, centre) / width).astype(np.int64)
    counted = counted & (ring < bins)
    counts = np.bincount(ring[counted], minlength=bins)
    return RadialProfile(
        np.arange(bins) * width * q_per_px, _means(pattern[counted], ring[counted], counts), counts
    )


def _means(values: NDArray[Any], bins: NDArray[np.int64], counts: NDArray[np.int64]) -> Floats:
    sums = np.bincount(bins, weights=values.astype(np.float64), minlength=len(counts))
    means: Floats = np.full(len(counts), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def azimuthal_profile(
    pattern: NDArray[Any],
    centre: Centre,
    q_range: tuple[float, float],
    bins: int = 72,
    mask: Mask | None = None,
) -> AzimuthalProfile:
    """I(phi) of an intensity pattern ``(H, W)`` between two radii (px), in ``bins`` directions from phi = 0.

    ``mask`` is True where a pixel does not count.
    """
    shape = (pattern.shape[0], pattern.shape[1])
    up, right = _offsets(shape, centre)
    radius = np.hypot(up, right)
    counted = (radius >= q_range[0]) & (radius <= q_range[1])
    if mask is not None:
        counted &= ~mask
    step = 2 * np.pi / bins
    sector = np.rint(np.arctan2(up, right) / step).astype(np.int64) % bins
    counts = np.bincount(sector[counted], minlength=bins)
    phi = np.arange(bins, dtype=np.float64) * step
    return AzimuthalProfile(phi, _means(pattern[counted], sector[counted], counts))


def arcs(profile: AzimuthalProfile) -> Arcs:
    """Second and fourth harmonic of I(phi), fitted to the directions that hold data (gaps do not bias them).

    ``InputError`` where fewer than five directions do.
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
    """The strongest ring of an azimuthal average ``(K,)`` (evenly spaced q); all nan where there is none.

    The central halo is left out: it ends at the valley before the most prominent peak that lies beyond the
    halo's crest (the highest value of the first quarter); without a valley, the ring is a shoulder of it.
    What remains is measured over the lower convex hull of its logarithm, which follows an exponential or a
    power-law decay. Values that are nan are filled in between their neighbours.
    """
    known = np.isfinite(intensity)
    nothing = RingPeak(float("nan"), float("nan"), float("nan"))
    if known.sum() < 8:
        return nothing
    values = np.interp(q, q[known], intensity[known])
    smooth, q = np.convolve(values, [0.25, 0.5, 0.25], mode="valid"), q[1:-1]
    start = int(np.argmax(smooth[: max(len(q) // 4, 1)]))
    tail = smooth[start:]
    peaks, facts = find_peaks(tail, prominence=0.02 * float(np.ptp(tail)) + 1e-300)
    if len(peaks):
        start += int(np.argmin(tail[: peaks[np.argmax(facts["prominences"])] + 1]))
    decay = np.log(np.maximum(smooth[start:], 1e-6 * smooth.max() + 1e-300))
    above = np.maximum(smooth[start:] - np.exp(_lower_hull(q[start:], decay)), 0.0)
    height = float(above.max())
    if not height > 1e-9 * float(np.ptp(smooth)):
        return nothing
    return RingPeak(parabolic_peak(q[start:], above), half_width(q[start:], above), height)


def spot_positions(
    pattern: NDArray[Any],
    centre: Centre,
    count: int = 2,
    *,
    mask: Mask | None = None,
    band_px: int = 4,
    least_px: float | None = None,
    size_px: float = 4.0,
) -> Floats:
    """(row, column) of the ``count`` brightest spots near the horizontal axis: ``(count, 2)``, in that order.

    An intensity pattern ``(H, W)``; a spot stands out from its surroundings of ``size_px``, lies within
    ``band_px`` of the centre's row and at least ``least_px`` from the centre (a tenth of the width unless
    given: inside is the halo). Positions are refined by parabolas; nan where there are fewer spots.
    """
    counted = (np.ones(pattern.shape) if mask is None else ~mask).astype(np.float64)
    values = np.where(counted > 0, pattern, 0.0).astype(np.float64)

    def local_mean(sigma: float) -> Floats:
        weight = scipy.ndimage.gaussian_filter(counted, sigma)
        return np.asarray(scipy.ndimage.gaussian_filter(values, sigma) / np.maximum(weight, 1e-6))

    sharp = np.where(counted > 0, local_mean(size_px / 4) - local_mean(size_px), 0.0)
    up, right = _offsets((pattern.shape[0], pattern.shape[1]), centre)
    near = (np.abs(up) <= band_px) & (
        np.abs(right) >= (pattern.shape[1] / 10 if least_px is None else least_px)
    )
    crest = (sharp == scipy.ndimage.maximum_filter(sharp, size=5)) & (sharp > 0) & near
    rows, columns = np.nonzero(crest)
    brightest = np.argsort(-sharp[rows, columns], kind="stable")[:count]
    spots = np.full((count, 2), np.nan)
    for place, index in enumerate(brightest):
        row, column = int(rows[index]), int(columns[index])
        spots[place] = _refined(sharp[:, column], row), _refined(sharp[row], column)
    return spots


def _refined(line: Floats, top: int) -> float:
    if not 0 < top < len(line) - 1:
        return float(top)
    window = slice(top - 1, top + 2)
    return parabolic_peak(np.arange(top - 1.0, top + 2.0), np.maximum(line[window], 1e-12 * line[top]))


def gap_mask(patterns: NDArray[Any], level: float = 0.1) -> Mask:
    """Beamstop and detector gaps, ``(H, W)`` True: dark (every channel below ``level``) in all the patterns.

    ``(N, H, W, 3)`` or ``(N, H, W)`` in [0, 1]. Specks smaller than 3 x 3 px are weak signal, not gaps.
    """
    bright = patterns.max(axis=(0, 3)) if patterns.ndim == 4 else patterns.max(axis=0)
    padded = np.pad(bright < level, 1, mode="edge")
    opened = scipy.ndimage.binary_opening(padded, structure=np.ones((3, 3), dtype=bool))
    return np.asarray(opened[1:-1, 1:-1], dtype=np.bool_)


def power_spectrum(images: NDArray[Any]) -> Floats:
    """|FFT|^2 of ``(N, H, W)`` images, ``(N, H, W)``, zero frequency at row H // 2, column W // 2.

    Each image's mean is removed and a Hann window is applied, so that edges leave no cross. Divided by the
    window's energy: for a random image, the mean over all frequencies is its variance.
    """
    values = np.asarray(images, dtype=np.float64)
    window = np.outer(np.hanning(values.shape[1] + 2)[1:-1], np.hanning(values.shape[2] + 2)[1:-1])
    mean = (values * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    spectrum = scipy.fft.fft2((values - mean) * window)
    power = (spectrum.real**2 + spectrum.imag**2) / (window**2).sum()
    return np.asarray(np.fft.fftshift(power, axes=(1, 2)))


def parabolic_peak(positions: Floats, values: Floats, first: int = 0) -> float:
    """Position of the highest of ``values`` (>= 0, evenly spaced) from index ``first`` on, refined.

    A parabola through the logarithm of the three samples at the top, exact for a Gaussian; nan where all are
    0.
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
    """Full width at half of the highest of ``values`` (>= 0) from index ``first`` on; nan where all are 0.

    The flanks are interpolated; a flank that does not fall to one half ends with the data.
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
