"""Morphology of two-phase images: correlation functions, domain spacing, orientation, connectivity.

Every function takes binary images ``(N, H, W)`` of {0, 1} (bool, integer or float), where 1 is the bright
phase, and returns one result per image along the first axis; a single ``(H, W)`` image counts as N = 1.
Lengths are in px.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from pairvae.errors import InputError
from pairvae.numerics.scattering import half_width, parabolic_peak, power_spectrum

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
CHUNK = 32
LEAST_PERIODS = 3
AXES = {"vertical": 1, "horizontal": 2}


def _batch(images: NDArray[Any]) -> NDArray[Any]:
    return images[None] if images.ndim == 2 else images


def _chunks(images: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, len(images), CHUNK):
        yield images[start : start + CHUNK]


def phase_fraction(images: NDArray[Any]) -> Floats:
    """Share of bright pixels, ``(N,)`` in [0, 1]."""
    return np.asarray(_batch(images).mean(axis=(1, 2), dtype=np.float64))


def _overlap(height: int, width: int, lags_y: Integers, lags_x: Integers) -> Floats:
    """Number of pixel pairs at each lag of an image, ``(len(lags_y), len(lags_x))``."""
    pairs: Floats = np.outer(height - np.abs(lags_y), width - np.abs(lags_x)).astype(np.float64)
    return pairs


def _correlations(images: NDArray[Any], reach: int) -> Floats:
    """Sums of f(x) f(x + lag) without wrap-around, lags to ``reach`` px: ``(N, 2 reach + 1, reach + 1)``.

    Rows are the vertical lags from ``-reach``, columns the horizontal ones from 0 (the rest follows by
    symmetry).
    """
    height, width = images.shape[1:]
    shape = [scipy.fft.next_fast_len(side + reach, real=True) for side in (height, width)]
    spectrum = scipy.fft.rfft2(images.astype(np.float64), s=shape)
    sums = scipy.fft.irfft2(spectrum.real**2 + spectrum.imag**2, s=shape)
    return np.concatenate([sums[:, -reach:, : reach + 1], sums[:, : reach + 1, : reach + 1]], axis=1)


def _periodic_correlations(images: NDArray[Any], reach: int) -> Floats:
    """The same with wrap-around, as if each image were one tile of a pattern that repeats."""
    spectrum = scipy.fft.rfft2(images.astype(np.float64))
    sums = scipy.fft.irfft2(spectrum.real**2 + spectrum.imag**2, s=images.shape[1:])
    rows, columns = np.arange(-reach, reach + 1), np.arange(reach + 1)
    return np.asarray(sums[:, rows % images.shape[1]][:, :, columns % images.shape[2]])


@lru_cache(maxsize=16)
def _rings(reach: int, bins: int, rounded_up: bool) -> tuple[Integers, Integers]:
    """Lags of ``_correlations`` sorted by radial bin, and where each bin starts.

    Only half of the lags is kept (f(x) f(x + lag) is the same for lag and -lag), so that no pair counts
    twice.
    """
    rows, columns = np.mgrid[-reach : reach + 1, 0 : reach + 1]
    distance = np.hypot(rows, columns)
    ring = (np.ceil(distance) if rounded_up else np.floor(distance)).astype(np.int64)
    ring[(columns == 0) & (rows < 0)] = bins
    order = np.argsort(ring, axis=None, kind="stable")
    starts = np.searchsorted(ring.ravel()[order], np.arange(bins + 1))
    return order[: starts[-1]], starts[:-1]


def two_point_correlation(
    images: NDArray[Any],
    *,
    estimator: str = "unbiased",
    bins: int | None = None,
) -> Floats:
    """Two-point correlation S(r) of the bright phase, ``(N, bins)`` in [0, 1] in bins of 1 px.

    S(r) is the probability that both ends of a line of length r lie in the bright phase; bin 0 holds S(0),
    the phase fraction. ``bins`` is half of the shorter side unless given. Estimators (each lag weighs the
    same within its bin, as in PoreSpy):

    * ``unbiased``: pairs inside the image over their number; bin i holds r in [i, i + 1); PoreSpy 3.2.
    * ``periodic``: pairs across the edges too; bin i holds r in (i - 1, i]; PoreSpy 2.2.2 (the paper).

    ``InputError`` for an unknown estimator or more bins than the image is wide.
    """
    batch = _batch(images)
    height, width = batch.shape[1:]
    if estimator not in ("unbiased", "periodic"):
        raise InputError(expected="an estimator, unbiased or periodic", found=repr(estimator))
    periodic = estimator == "periodic"
    bins = min(height, width) // 2 if bins is None else bins
    limit = min(height, width) // 2 if periodic else min(height, width)
    if not 1 <= bins <= limit:
        raise InputError(expected=f"1 to {limit} bins of S(r)", found=str(bins))
    reach = max(bins - 1, 1)
    if periodic:
        sums = (_periodic_correlations(chunk, reach) / (height * width) for chunk in _chunks(batch))
    else:
        pairs = _overlap(height, width, np.arange(-reach, reach + 1), np.arange(reach + 1))
        sums = (_correlations(chunk, reach) / pairs for chunk in _chunks(batch))
    order, starts = _rings(reach, bins, periodic)
    counts = np.diff(starts, append=len(order))
    curves = [np.add.reduceat(s.reshape(len(s), -1)[:, order], starts, axis=1) / counts for s in sums]
    return np.concatenate(curves)


def autocovariance_map(images: NDArray[Any], lags: int = 32) -> Floats:
    """Autocovariance for lags of up to ``lags`` px each way, ``(N, 2 lags + 1, 2 lags + 1)``, lag 0 central.

    Each image's mean is removed and each lag is divided by its number of pixel pairs; the centre is the
    variance, f (1 - f) for a phase fraction f. ``InputError`` where a lag is longer than the image.
    """
    batch = _batch(images)
    height, width = batch.shape[1:]
    if not 1 <= lags < min(height, width):
        raise InputError(expected=f"1 to {min(height, width) - 1} lags", found=str(lags))
    pairs = _overlap(height, width, np.arange(-lags, lags + 1), np.arange(lags + 1))
    halves = []
    for chunk in _chunks(batch):
        values = chunk.astype(np.float64)
        halves.append(_correlations(values - values.mean(axis=(1, 2), keepdims=True), lags) / pairs)
    half = np.concatenate(halves)
    return np.concatenate([half[:, ::-1, :0:-1], half], axis=2)


def _run_lengths(bright: NDArray[np.bool_], axis: int) -> Integers:
    """Bright pixels in a row up to and including each pixel along ``axis``; 0 in the dark phase."""
    shape = [1, 1, 1]
    shape[axis] = bright.shape[axis]
    index = np.arange(bright.shape[axis]).reshape(shape)
    last_dark = np.maximum.accumulate(np.where(bright, -1, index), axis=axis)
    return np.asarray(index - last_dark)


def lineal_path(images: NDArray[Any], axis: str, *, bins: int | None = None) -> Floats:
    """Lineal path function P(L) of the bright phase, ``(N, bins)`` in [0, 1] for L = 1 ... bins px.

    P(L) is the share of bright pixels whose distance to the dark phase along ``axis`` (the nearer end,
    counting the pixel itself; the image's edge ends a path) is at least L: PoreSpy's
    ``lineal_path_distribution(...).cdf`` of ``distance_transform_lin(image, axis)`` with unit bins.
    ``vertical`` runs along the rows' direction (axis 0), as the chemical grating does. An image without a
    bright phase gives 0. ``bins`` is half of that side unless given. ``InputError`` for an unknown axis.
    """
    if axis not in AXES:
        raise InputError(expected="an axis, vertical or horizontal", found=repr(axis))
    bright = _batch(images) > 0.5
    along = AXES[axis]
    longest = -(-bright.shape[along] // 2)
    bins = bright.shape[along] // 2 if bins is None else bins
    forward = _run_lengths(bright, along)
    backward = np.flip(_run_lengths(np.flip(bright, along), along), along)
    distance = np.minimum(forward, backward)
    width = max(longest, bins) + 1
    offset = np.arange(len(bright))[:, None, None] * width
    counts = np.bincount((distance + offset).ravel(), minlength=len(bright) * width).reshape(-1, width)[:, 1:]
    at_least = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1].astype(np.float64)
    return at_least[:, :bins] / np.maximum(at_least[:, :1], 1)


def _spectra(images: NDArray[Any]) -> tuple[Floats, Floats]:
    """Azimuthally averaged power spectra ``(N, K)`` and their frequencies ``(K,)`` in cycles per px."""
    batch = _batch(images)
    height, width = batch.shape[1:]
    side = min(height, width)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    ring = np.rint(np.fft.fftshift(frequency) * side).astype(np.int64).ravel()
    counts = np.maximum(np.bincount(ring), 1)
    profiles = [
        np.bincount(ring, weights=spectrum.ravel()) / counts
        for chunk in _chunks(batch)
        for spectrum in power_spectrum(chunk)
    ]
    bins = side // 2 + 1
    smooth = scipy.ndimage.convolve1d(np.stack(profiles)[:, :bins], [0.25, 0.5, 0.25], axis=1)
    smooth[np.ptp(batch.astype(np.float64), axis=(1, 2)) == 0] = 0.0  # else rounding errors have a peak
    return smooth, np.arange(bins) / side


def domain_spacing(images: NDArray[Any], nm_per_px: float = 1.0) -> Floats:
    """Dominant period of the morphology, ``(N,)`` in px (in nm with ``nm_per_px``); nan for a uniform image.

    The peak of the azimuthally averaged power spectrum, refined by a parabola through its logarithm. Periods
    longer than a third of the image are ignored: they are its illumination and its edges.
    """
    spectra, frequency = _spectra(images)
    peaks = [parabolic_peak(frequency, spectrum, LEAST_PERIODS) for spectrum in spectra]
    return nm_per_px / np.asarray(peaks)


def spacing_spread(images: NDArray[Any]) -> Floats:
    """Full width at half maximum of the spectrum's peak over its position, ``(N,)``; nan without a peak.

    Small for a well-ordered pattern, limited by the window to about 3 periods / side; about 1 without any
    order.
    """
    spectra, frequency = _spectra(images)
    peaks = np.asarray([parabolic_peak(frequency, spectrum, LEAST_PERIODS) for spectrum in spectra])
    widths = np.asarray([half_width(frequency, spectrum, LEAST_PERIODS) for spectrum in spectra])
    return np.asarray(widths / peaks)


def orientation(images: NDArray[Any], sigma: float = 1.0) -> tuple[Floats, Floats]:
    """Direction along the domains, ``(N,)`` rad in (-pi/2, pi/2], and its order, ``(N,)`` in [0, 1].

    0 is horizontal, pi/2 vertical, positive angles turn counter-clockwise as seen on the image. From the
    structure tensor of the image smoothed by ``sigma`` px, averaged over the image: order is the difference
    of its eigenvalues over their sum, 1 for parallel lines and 0 without a preferred direction.
    """
    values = _batch(images).astype(np.float64)
    smooth = scipy.ndimage.gaussian_filter(values, sigma=(0, sigma, sigma), mode="nearest")
    down, right = np.gradient(smooth, axis=(1, 2))
    energy = (right**2 + down**2).sum(axis=(1, 2))
    across = (right**2 - down**2).sum(axis=(1, 2)) - 2j * (right * down).sum(axis=(1, 2))
    order = np.divide(np.abs(across), energy, out=np.zeros_like(energy), where=energy > 0)
    half_angle = np.angle(-across) / 2
    return np.where(half_angle <= -np.pi / 2, np.pi / 2, half_angle), order


def euler_number(images: NDArray[Any]) -> Integers:
    """Bright domains minus the holes in them, ``(N,)``; pixels touching at corners only are not connected.

    Pixels - neighbouring pairs + full 2 x 2 blocks (the vertices, edges and faces of the bright phase).
    """
    bright = _batch(images) > 0.5
    below, beside = bright[:, 1:] & bright[:, :-1], bright[:, :, 1:] & bright[:, :, :-1]
    blocks = below[:, :, 1:] & below[:, :, :-1]
    pixels, pairs, squares = bright.sum((1, 2)), below.sum((1, 2)) + beside.sum((1, 2)), blocks.sum((1, 2))
    return np.asarray(pixels - pairs + squares, dtype=np.int64)
