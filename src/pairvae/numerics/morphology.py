"""Morphology of two-phase images: correlation functions. Descriptors in a few numbers: ``descriptors.py``.

Every function takes binary images ``(N, H, W)`` of {0, 1} (bool, integer or float), where 1 is the bright
phase, and returns one result per image along the first axis; a single ``(H, W)`` image counts as N = 1.
Lengths are in px.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from pairvae.errors import InputError
from pairvae.numerics.images import batch, chunks, has_grey_levels
from pairvae.numerics.spacing import Floats, Integers

AXES = ("vertical", "horizontal")
EXACT_IN_SINGLE = 2**17  # pixels up to which sums of a single-precision FFT are right to less than one half


def _overlap(height: int, width: int, lags_y: Integers, lags_x: Integers) -> Floats:
    """Number of pixel pairs at each lag of an image, ``(len(lags_y), len(lags_x))``."""
    pairs: Floats = np.outer(height - np.abs(lags_y), width - np.abs(lags_x)).astype(np.float64)
    return pairs


def _correlations(images: NDArray[Any], reach: int) -> NDArray[Any]:
    """Sums of f(x) f(x + lag) without wrap-around, lags to ``reach`` px: ``(N, 2 reach + 1, reach + 1)``.

    Rows are the vertical lags from ``-reach``, columns the horizontal ones from 0 (the rest follows by
    symmetry). In the precision of ``images``.
    """
    height, width = images.shape[1:]
    shape = [scipy.fft.next_fast_len(side + reach, real=True) for side in (height, width)]
    spectrum = scipy.fft.rfft2(images, s=shape)
    sums = scipy.fft.irfft2(spectrum.real**2 + spectrum.imag**2, s=shape)
    return np.concatenate([sums[:, -reach:, : reach + 1], sums[:, : reach + 1, : reach + 1]], axis=1)


def _periodic_correlations(images: NDArray[Any], reach: int) -> NDArray[Any]:
    """The same with wrap-around, as if each image were one tile of a pattern that repeats."""
    spectrum = scipy.fft.rfft2(images)
    sums = scipy.fft.irfft2(spectrum.real**2 + spectrum.imag**2, s=images.shape[1:])
    rows, columns = np.arange(-reach, reach + 1), np.arange(reach + 1)
    return np.asarray(sums[:, rows % images.shape[1]][:, :, columns % images.shape[2]])


def _pair_counts(images: NDArray[Any], reach: int, periodic: bool) -> NDArray[Any]:
    """The same; of binary images as whole numbers: rounding takes the FFT's errors away."""
    grey = has_grey_levels(images) and bool(np.any(images % 1))
    single = images.shape[1] * images.shape[2] <= EXACT_IN_SINGLE and not grey
    values = images.astype(np.float32 if single else np.float64)
    sums = _periodic_correlations(values, reach) if periodic else _correlations(values, reach)
    return sums if grey else np.asarray(np.rint(sums, out=sums))


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


def _lag_weights(
    height: int, width: int, reach: int, order: Integers, starts: Integers, periodic: bool
) -> Floats:
    """Weight of each sorted lag in its bin: one over its pairs of pixels and over the lags of the bin."""
    pairs = np.full((2 * reach + 1, reach + 1), float(height * width))
    if not periodic:
        pairs = _overlap(height, width, np.arange(-reach, reach + 1), np.arange(reach + 1))
    counts = np.diff(starts, append=len(order))
    return np.asarray(1 / (pairs.ravel()[order] * np.repeat(counts, counts)))


def two_point_correlation(
    images: NDArray[Any], *, estimator: str = "unbiased", bins: int | None = None
) -> Floats:
    """Two-point correlation S(r) of the bright phase, in bins of 1 px.

    S(r) is the probability that both ends of a line of length r lie in the bright phase; S(0) is the phase fraction.
    Of grey levels it is the mean product of the two ends, and S(0) the mean square.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``: 0 and 1, or grey levels in [0, 1] where they are floating-point numbers.
    estimator : {"unbiased", "periodic"}
        ``unbiased``: pairs inside the image; bin i holds r in [i, i + 1), as in PoreSpy 3.2. ``periodic``: pairs
        across the edges too; bin i holds r in (i - 1, i], as in PoreSpy 2.2.2 (the paper).
    bins : int
        Half of the shorter side by default.

    Returns
    -------
    ndarray
        ``(N, bins)`` in [0, 1].

    Raises
    ------
    InputError
        An unknown estimator, or more bins than the image is wide.

    Examples
    --------
    >>> half = np.repeat([[1], [0]], 4, axis=0).repeat(8, axis=1)
    >>> two_point_correlation(half, bins=2).round(3).tolist()
    [[0.5, 0.446]]
    """
    pictures = batch(images)
    height, width = pictures.shape[1:]
    if estimator not in ("unbiased", "periodic"):
        raise InputError(expected="an estimator, unbiased or periodic", found=repr(estimator))
    periodic = estimator == "periodic"
    bins = min(height, width) // 2 if bins is None else bins
    limit = min(height, width) // 2 if periodic else min(height, width)
    if not 1 <= bins <= limit:
        raise InputError(expected=f"1 to {limit} bins of S(r)", found=str(bins))
    reach = max(bins - 1, 1)
    order, starts = _rings(reach, bins, periodic)
    weight = _lag_weights(height, width, reach, order, starts, periodic)
    curves = []
    for part in chunks(pictures):
        sums = _pair_counts(part, reach, periodic).reshape(len(part), -1)
        curves.append(np.add.reduceat(sums[:, order] * weight, starts, axis=1))
    return np.concatenate(curves)


def _run_lengths(bright: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Bright pixels in a row up to and including each pixel along the last axis; 0 in the dark phase."""
    index = np.arange(bright.shape[-1], dtype=np.int32)
    last_dark = np.maximum.accumulate(np.where(bright, np.int32(-1), index), axis=-1)
    return np.asarray(index - last_dark)


def lineal_path(images: NDArray[Any], axis: str, *, bins: int | None = None) -> Floats:
    """Lineal path function P(L) of the bright phase, for L = 1 ... bins px.

    P(L) is the share of bright pixels whose distance to the dark phase along ``axis`` (the nearer end, counting the
    pixel itself; the image's edge ends a path) is at least L: PoreSpy's ``lineal_path_distribution(...).cdf`` of
    ``distance_transform_lin(image, axis)`` with unit bins.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``; bright above 0.5.
    axis : {"vertical", "horizontal"}
        ``vertical`` runs along axis 0, as the chemical grating does.
    bins : int, optional
        Half of that side by default.

    Returns
    -------
    ndarray
        ``(N, bins)`` in [0, 1]; 0 for an image without a bright phase.

    Raises
    ------
    InputError
        An unknown axis.

    Examples
    --------
    >>> lines = np.tile([1, 1, 0, 0], (4, 1))
    >>> lineal_path(lines, "horizontal", bins=2).tolist(), lineal_path(lines, "vertical", bins=2).tolist()
    ([[1.0, 0.0]], [[1.0, 0.5]])
    """
    if axis not in AXES:
        raise InputError(expected="an axis, vertical or horizontal", found=repr(axis))
    bright = batch(images) > 0.5
    if axis == "vertical":
        bright = np.ascontiguousarray(bright.swapaxes(1, 2))
    side = bright.shape[-1]
    bins = side // 2 if bins is None else bins
    width = max(-(-side // 2), bins) + 1
    curves = []
    for part in chunks(bright):
        distance = np.minimum(_run_lengths(part), _run_lengths(part[..., ::-1])[..., ::-1])
        offset = np.arange(len(part), dtype=np.int32)[:, None, None] * width
        counts = np.bincount((distance + offset).ravel(), minlength=len(part) * width)
        at_least = np.cumsum(counts.reshape(-1, width)[:, :0:-1], axis=1)[:, ::-1].astype(np.float64)
        curves.append(at_least[:, :bins] / np.maximum(at_least[:, :1], 1))
    return np.concatenate(curves)
