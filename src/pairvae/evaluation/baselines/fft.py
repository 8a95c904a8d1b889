"""The power spectrum of a micrograph as a prediction of its pattern, with the detector's look learned.

Small-angle scattering is the squared Fourier transform of the density. What the spectrum of an image lacks is
the detector: beamstop and gaps, the halo around the beam, the scale of the intensities and their colours. These
are fitted on training pairs; the positions and heights of the peaks come from the image alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, map_coordinates
from scipy.optimize import isotonic_regression

from pairvae.numerics.scattering import power_spectrum
from pairvae.numerics.series import evenly_spread

SMOOTHINGS = (1.0, 2.0, 3.0, 5.0)  # px of the detector: the spectrum of a single image is speckled
KNOTS = 64
ROUNDS = 4  # of backfitting: a fifth changes the error by less than 1 %
FLOOR = 1e-4  # of the mean power, below which the logarithm is cut
MARGIN = 4.0  # standard deviations of the smoothing
LARGEST = 256  # training pairs that a look is fitted to
LIKENESS_SMOOTHING = 2.0  # px
SCALES = np.geomspace(1.0, 10.0, 75)  # sides of the detector a cycle per px, tried where no scale is known


def px_per_frequency(nm_per_px: float | None, q_per_px: float | None) -> float | None:
    """Scale of a spectrum on a detector (q = 2 pi f).

    Parameters
    ----------
    nm_per_px : float, optional
        Side of an image pixel, nm.
    q_per_px : float, optional
        q of a detector pixel, 1/nm.

    Returns
    -------
    float or None
        Detector px that one cycle per image px is long; None where one of the two is unknown.
    """
    return None if nm_per_px is None or q_per_px is None else 2 * math.pi / (nm_per_px * q_per_px)


def detector_spectrum(image: np.ndarray, side: int, scale: float, smoothing: float) -> np.ndarray:
    """Logarithm of the power of an image on the detector's grid.

    Parameters
    ----------
    image : ndarray
        Binary, ``(h, w)``.
    side, scale, smoothing
        As for :func:`on_detector`.

    Returns
    -------
    ndarray
        ``(side, side)`` float32.
    """
    return on_detector(power_spectrum(image[None])[0], side, scale, smoothing)


def on_detector(power: np.ndarray, side: int, scale: float, smoothing: float) -> np.ndarray:
    """Logarithm of a power spectrum on the detector's grid, zero frequency at its middle.

    Parameters
    ----------
    power : ndarray
        ``(h, w)``, >= 0, zero frequency central.
    side : int
        Of the detector, px.
    scale : float
        Detector px that one cycle per image px is long (:func:`px_per_frequency`).
    smoothing : float
        Standard deviation of a Gaussian, detector px.

    Returns
    -------
    ndarray
        ``(side, side)`` float32; beyond the image's highest frequency its edge is repeated.
    """
    mean = max(float(power.mean()), 1e-12)
    offsets = np.arange(side) - (side - 1) / 2
    positions = []
    for axis, length in enumerate(power.shape):
        stretch = length / scale
        middle, reach = length // 2, math.ceil((side / 2 + MARGIN * smoothing) * stretch)
        start = max(middle - reach, 0)
        power = np.take(power, np.arange(start, min(middle + reach + 1, length)), axis)
        power = gaussian_filter1d(power, smoothing * stretch, axis, mode="nearest")
        positions.append(middle - start + offsets * stretch)
    sampled = map_coordinates(power, np.meshgrid(*positions, indexing="ij"), order=1, mode="nearest")
    return np.asarray(np.log(np.maximum(sampled, 0) + FLOOR * mean), np.float32)


@dataclass(frozen=True)
class Colours:
    """The colours of patterns in the order of their brightness.

    Parameters
    ----------
    levels : ndarray
        ``(M,)``: the way along the colours up to each, in RGB units.
    table : ndarray
        ``(M, channels)`` in [0, 1], the darkest first.
    """

    levels: np.ndarray
    table: np.ndarray

    def level(self, patterns: np.ndarray) -> np.ndarray:
        """Levels ``(N, H, W)`` of patterns ``(N, channels, H, W)``."""
        return np.asarray(np.interp(patterns.mean(1), self.table.mean(1), self.levels))

    def paint(self, levels: np.ndarray) -> np.ndarray:
        """Patterns ``(N, channels, H, W)`` float32 of levels ``(N, H, W)``."""
        channels = [np.interp(levels, self.levels, column) for column in self.table.T]
        return np.stack(channels, axis=1).astype(np.float32)


def fit_colours(patterns: np.ndarray) -> Colours:
    """The colours that occur in patterns ``(N, channels, H, W)``: means in bins of brightness."""
    pixels = np.moveaxis(patterns, 1, -1).reshape(-1, patterns.shape[1]).astype(np.float64)
    brightness = pixels.mean(1)
    edges = np.linspace(brightness.min(), brightness.max(), 4 * KNOTS + 1)
    bins = np.digitize(brightness, edges[1:-1])
    counts = np.bincount(bins, minlength=4 * KNOTS)
    sums = np.stack([np.bincount(bins, column, 4 * KNOTS) for column in pixels.T], axis=1)
    table = sums[counts > 0] / counts[counts > 0, None]
    steps = np.sqrt((np.diff(table, axis=0) ** 2).sum(1))
    return Colours(np.concatenate([[0.0], np.cumsum(steps)]), table)


@dataclass(frozen=True)
class Look:
    """What the detector makes of a spectrum: ``level = halo + rise(log power)``, then colours.

    Parameters
    ----------
    knots, heights : ndarray
        ``(K,)`` each: log powers, and the levels that the rise has there, none lower than the one before.
    halo : ndarray
        ``(H, W)``, levels that all patterns share; beamstop and gaps are in it.
    seen : ndarray of bool
        ``(H, W)``, False where the spectrum counts for nothing.
    colours : Colours
        Of the levels.
    smoothing : float
        Of the spectra, detector px.
    error : float
        Mean squared error of the levels of the training pairs.
    """

    knots: np.ndarray
    heights: np.ndarray
    halo: np.ndarray
    seen: np.ndarray
    colours: Colours
    smoothing: float
    error: float

    def __call__(self, spectra: np.ndarray) -> np.ndarray:
        """Patterns ``(N, channels, H, W)`` of ``spectra`` ``(N, H, W)`` as :func:`detector_spectrum` gives them."""
        return self.colours.paint(self.halo + self.seen * np.interp(spectra, self.knots, self.heights))


def fit_look(spectra: np.ndarray, levels: np.ndarray, colours: Colours, smoothing: float) -> Look:
    """Fit the look of training pairs.

    Backfitting of an additive model (Hastie and Tibshirani 1990): a monotone map of the log power and an image
    that all pairs share, in turns.

    Parameters
    ----------
    spectra : ndarray
        ``(N, H, W)`` as :func:`detector_spectrum` gives them.
    levels : ndarray
        ``(N, H, W)`` of the patterns.
    colours : Colours
        Of the levels.
    smoothing : float
        That of the spectra, detector px.

    Returns
    -------
    Look
        With its error on these pairs.
    """
    seen = levels.std(0) > 1e-3 * max(float(levels.max()), 1e-12)
    knots, heights, halo = np.zeros(1), np.zeros(1), levels.mean(0)
    if seen.any():
        inside = spectra[:, seen]
        bins = np.digitize(inside, np.quantile(inside, np.linspace(0, 1, KNOTS + 1)[1:-1])).ravel()
        counts = np.bincount(bins, minlength=KNOTS)
        filled, weights = counts > 0, counts[counts > 0].astype(np.float64)
        knots = np.bincount(bins, inside.ravel(), KNOTS)[filled] / weights
        for _ in range(ROUNDS):
            rest = np.bincount(bins, (levels - halo)[:, seen].ravel(), KNOTS)[filled] / weights
            heights = isotonic_regression(rest, weights=weights).x
            halo = (levels - seen * np.interp(spectra, knots, heights)).mean(0)
    residuals = levels - halo - seen * np.interp(spectra, knots, heights)
    return Look(knots, heights, halo, seen, colours, smoothing, float((residuals**2).mean()))


def best_look(images: Sequence[np.ndarray], scales: Sequence[float], patterns: np.ndarray) -> Look:
    """The look whose smoothing leaves the smallest error on the training pairs.

    Parameters
    ----------
    images : sequence of ndarray
        Binary, ``(h, w)`` each. Of more than ``LARGEST`` pairs, as many are taken at even distances.
    scales : sequence of float
        Of each image (:func:`px_per_frequency`).
    patterns : ndarray
        ``(N, channels, H, H)`` in [0, 1].

    Returns
    -------
    Look
        For :func:`predict`.
    """
    chosen = evenly_spread(len(images), LARGEST)
    side, colours = patterns.shape[-1], fit_colours(patterns[chosen])
    levels = colours.level(patterns[chosen])
    spectra = np.empty((len(SMOOTHINGS), *levels.shape), np.float32)
    for position, index in enumerate(chosen):
        power = power_spectrum(images[index][None])[0]
        for number, smoothing in enumerate(SMOOTHINGS):
            spectra[number, position] = on_detector(power, side, scales[index], smoothing)
    looks = [
        fit_look(spectrum, levels, colours, width)
        for spectrum, width in zip(spectra, SMOOTHINGS, strict=True)
    ]
    return min(looks, key=lambda look: look.error)


def predict(look: Look, images: Sequence[np.ndarray], scales: Sequence[float]) -> np.ndarray:
    """Patterns of images.

    Parameters
    ----------
    look : Look
        Fitted on training pairs.
    images : sequence of ndarray
        N binary images, ``(h, w)`` each.
    scales : sequence of float
        Of each image (:func:`px_per_frequency`).

    Returns
    -------
    ndarray
        ``(N, channels, H, H)`` float32 in [0, 1].
    """
    side = len(look.halo)
    spectra = [
        detector_spectrum(image, side, scale, look.smoothing)
        for image, scale in zip(images, scales, strict=True)
    ]
    return look(np.stack(spectra))


def fitted_scale(images: Sequence[np.ndarray], patterns: np.ndarray) -> float:
    """The scale at which the mean spectrum of training images resembles their mean pattern most.

    Parameters
    ----------
    images : sequence of ndarray
        Binary, ``(h, w)`` each, of unknown, but common, pixel size.
    patterns : ndarray
        ``(N, channels, H, H)`` in [0, 1], of unknown, but common, scale.

    Returns
    -------
    float
        Detector px that one cycle per image px is long.
    """
    chosen = evenly_spread(len(images), LARGEST // 16)
    side = patterns.shape[-1]
    level = fit_colours(patterns[chosen]).level(patterns[chosen]).mean(0)
    seen = level > level.min() + 1e-3 * (level.max() - level.min())
    sums = np.zeros((len(SCALES), side, side))
    for index in chosen:
        power = power_spectrum(images[index][None])[0]
        sums += np.stack([on_detector(power, side, scale * side, LIKENESS_SMOOTHING) for scale in SCALES])
    likeness = [np.corrcoef(total[seen], level[seen])[0, 1] for total in sums]
    return float(SCALES[int(np.nanargmax(likeness))] * side)
