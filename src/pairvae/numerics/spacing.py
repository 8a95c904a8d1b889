"""Radial power spectra of two-phase images, and the domain spacing that they show.

As in ``descriptors.py``: binary images ``(N, H, W)`` of {0, 1}, or one ``(H, W)``; lengths in px.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from pairvae.numerics.images import batch, chunks, uniform
from pairvae.numerics.scattering import half_width

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LEAST_PERIODS = 3
BAND = 0.12  # standard deviation of the smoothing along the logarithm of the frequency


@lru_cache(maxsize=8)
def _rings(height: int, width: int) -> tuple[Integers, Floats, Floats]:
    """Ring, radius (both in 1 / shorter side) and weight (2 where it stands for its mirror image, too) of each
    frequency of ``rfft2``, flat."""
    side = min(height, width)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    twice = np.full(frequency.shape, 2.0)
    twice[:, 0] = 1.0
    if width % 2 == 0:
        twice[:, -1] = 1.0
    radius = (frequency * side).ravel()
    return np.rint(radius).astype(np.int64), radius, twice.ravel()


def radial_spectra(images: NDArray[Any]) -> tuple[Floats, Floats]:
    """Azimuthally averaged power spectra, and where each ring's power lies.

    Each image's mean is removed and a Hann window applied, so that edges leave no cross.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``.

    Returns
    -------
    spectra : ndarray
        ``(N, K)``, in K rings of 1 / shorter side; all 0 for a uniform image.
    radius : ndarray
        ``(N, K)``: each ring's mean radius weighted by the power, in widths of a ring. A line's position is known
        better than that.
    """
    values = batch(images)
    height, width = values.shape[1:]
    bins = min(height, width) // 2 + 1
    ring, radius, twice = _rings(height, width)
    counts = np.maximum(np.bincount(ring, weights=twice), 1)
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]).astype(np.float32)
    sums, moments = [], []
    for part in chunks(values):
        single = part.astype(np.float32)
        mean = (single * window).sum(axis=(1, 2), keepdims=True) / window.sum()
        transformed = scipy.fft.rfft2((single - mean) * window)
        power = (transformed.real**2 + transformed.imag**2).reshape(len(part), -1)
        for spectrum in power * twice:
            sums.append(np.bincount(ring, weights=spectrum)[:bins])
            moments.append(np.bincount(ring, weights=spectrum * radius)[:bins])
    total, moment = np.stack(sums), np.stack(moments)
    # A uniform image's spectrum is rounding errors, and they have a peak, too.
    total[uniform(values)] = 0.0
    radius_px = np.divide(
        moment, total, out=np.tile(np.arange(float(bins)), (len(total), 1)), where=total > 0
    )
    energy = float((window.astype(np.float64) ** 2).sum())
    return total / (counts[:bins] * energy), radius_px


@lru_cache(maxsize=8)
def _band_average(bins: int) -> Floats:
    """Matrix that averages a spectrum ``(bins,)`` over ``BAND`` of the frequency's logarithm, one row a bin."""
    position = np.log(np.maximum(np.arange(bins), 0.5))
    width = np.hypot(BAND, 0.7 / np.maximum(np.arange(bins), 1))[:, None]  # at least about a bin
    weight = np.exp(-0.5 * ((position[None] - position[:, None]) / width) ** 2)
    return np.asarray(weight / weight.sum(1, keepdims=True))


def _top(smooth: Floats) -> int:
    """The bin with the peak that holds most of the variance in a smooth spectrum; 0 without one.

    It is sought in the variance per octave (squared frequency times power): uneven illumination and broad
    patches have more power in one bin, but far less variance.
    """
    octave = np.arange(len(smooth)) ** 2 * smooth
    octave[:LEAST_PERIODS] = 0.0
    crest = (octave[1:-1] > octave[:-2]) & (octave[1:-1] >= octave[2:])
    inner = np.flatnonzero(crest) + 1
    inner = inner[inner > LEAST_PERIODS]
    start = int(inner[np.argmax(octave[inner])]) if len(inner) else int(np.argmax(octave))
    low = max(LEAST_PERIODS, int(start / 1.4))
    top = low + int(np.argmax(smooth[low : start + 1]))
    return start if top == low else top  # else it is the flank of something broader


def _centroid(spectrum: Floats, radius_px: Floats, height: float, top: int) -> float:
    """Position in rings of the peak around ``top``: the centroid of what exceeds half of its ``height``."""
    band = slice(max(LEAST_PERIODS - 1, int(top / 1.3)), int(np.ceil(top * 1.3)) + 2)
    excess = np.maximum(spectrum[band] - height / 2, 0.0)
    return float((excess * radius_px[band]).sum() / excess.sum())


def spacing_and_spread(images: NDArray[Any]) -> tuple[Floats, Floats]:
    """Domain spacing and its spread, from one spectrum.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``.

    Returns
    -------
    spacing : ndarray
        ``(N,)`` px; see :func:`domain_spacing`.
    spread : ndarray
        ``(N,)``; see :func:`spacing_spread`.
    """
    spectra, radius_px = radial_spectra(images)
    smooth = spectra @ _band_average(spectra.shape[1]).T
    narrow = scipy.ndimage.convolve1d(spectra, [0.25, 0.5, 0.25], axis=1)
    rings, side = np.arange(float(spectra.shape[1])), min(images.shape[-2:])
    spacing, spread = np.full(len(spectra), np.nan), np.full(len(spectra), np.nan)
    for index in np.flatnonzero(spectra.any(axis=1)):
        top = _top(smooth[index])
        position = _centroid(spectra[index], radius_px[index], smooth[index, top], top)
        band = slice(max(top // 2, 1), min(2 * top, len(rings)))
        spacing[index] = side / position
        spread[index] = half_width(rings[band], narrow[index, band]) / position
    return spacing, spread


def domain_spacing(images: NDArray[Any], nm_per_px: float = 1.0) -> Floats:
    """Dominant period of the morphology.

    Where the azimuthally averaged power spectrum has the peak with the most variance per octave, to a part of a
    bin. Periods longer than a third of the shorter side do not count.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``.
    nm_per_px : float
        Pixel size, nm; 1 gives px.

    Returns
    -------
    ndarray
        ``(N,)`` nm; nan for a uniform image.
    """
    return nm_per_px * spacing_and_spread(images)[0]
