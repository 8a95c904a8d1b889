"""Descriptors of images in a few numbers: phase fraction, domain spacing, orientation, Euler number.

Every function takes binary images ``(N, H, W)`` of {0, 1} (bool or integer; but for :func:`describe` also float), where
1 is the bright phase, and returns one result per image along the first axis; a single ``(H, W)`` image counts as N = 1.
What needs no phases also takes grey levels in [0, 1]. Lengths are in px. They are densities and ratios that do not grow
with the image, so that a crop and the whole micrograph that it was cut from can be compared.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pairvae.numerics.images import batch, chunks, has_grey_levels
from pairvae.numerics.spacing import Floats, spacing_and_spread

QUANTILES = 64
COHERENT = 32  # px; about three domains of the published micrographs


def phase_fraction(images: NDArray[Any]) -> Floats:
    """Share of bright pixels.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``.

    Returns
    -------
    ndarray
        ``(N,)`` in [0, 1].
    """
    return np.asarray(batch(images).mean(axis=(1, 2), dtype=np.float64))


def orientation_tensor(images: NDArray[Any], sigma: float = 1.0) -> Floats:
    """Order times (cos, sin) of twice the direction along the domains, averaged over the image.

    From the structure tensor. Unlike the angle, it does not jump where there is hardly any order.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``.
    sigma : float
        Width of the Gaussian that smooths them first, px.

    Returns
    -------
    ndarray
        ``(N, 2)`` in the unit disc: (1, 0) are horizontal lines, (-1, 0) vertical ones, (0, 0) no preferred
        direction.
    """
    return _order(images, COHERENT, sigma)[0]


def coherence(images: NDArray[Any], window: int = COHERENT, sigma: float = 1.0) -> Floats:
    """How parallel domains run within windows, wherever they point.

    Mean square order of the structure tensor within square windows, weighted by the square of the edges in each;
    as in :func:`orientation_tensor`, but grains count wherever they point. Small grains and dots have little.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``.
    window : int
        Side of a window, px. An image that is smaller is one window.
    sigma : float
        Width of the Gaussian that smooths them first, px.

    Returns
    -------
    ndarray
        ``(N,)`` in [0, 1]: 1 where domains are parallel within every window, 0 for a uniform image.
    """
    return _order(images, window, sigma)[1]


def _order(images: NDArray[Any], window: int, sigma: float) -> tuple[Floats, Floats]:
    """:func:`orientation_tensor` and :func:`coherence`, by sums over windows of the structure tensor."""
    tensors, coherences = [], []
    for part in chunks(batch(images)):
        smooth = np.stack([_smoothed(image, sigma) for image in part])
        down, right = np.gradient(smooth, axis=(1, 2))
        along_rows, along_columns = np.square(right), np.square(down)
        fields = np.stack([along_rows + along_columns, along_columns - along_rows, 2 * right * down])
        sums = np.stack([[cv2.integral(image, sdepth=cv2.CV_64F) for image in field] for field in fields])
        energy, difference, product = (sums[field, :, -1, -1] for field in range(3))
        scale = np.divide(1.0, energy, out=np.zeros_like(energy), where=energy > 0)
        tensors.append(np.stack([difference * scale, product * scale], axis=1))
        squares = np.square(_windows(sums, window)).sum((2, 3))
        coherences.append(
            np.divide(squares[1] + squares[2], squares[0], out=np.zeros_like(energy), where=squares[0] > 0)
        )
    return np.concatenate(tensors), np.concatenate(coherences)


def _windows(sums: Floats, window: int) -> Floats:
    """Integrals ``(..., H + 1, W + 1)`` over square windows that fit in, a quarter of ``window`` px apart."""
    high, wide = (min(window, side - 1) for side in sums.shape[-2:])
    step = max(window // 4, 1)
    rows, columns = (
        np.arange(0, side - reach, step) for side, reach in zip(sums.shape[-2:], (high, wide), strict=True)
    )
    top, bottom, left, right = rows[:, None], rows[:, None] + high, columns, columns + wide
    corners = [sums[..., row, column] for row in (top, bottom) for column in (left, right)]
    return np.asarray(corners[3] - corners[1] - corners[2] + corners[0])


def edge_roughness(images: NDArray[Any]) -> Floats:
    """Share of the pixels that a 3 x 3 median filter changes: specks of one or two pixels and ragged edges.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``.

    Returns
    -------
    ndarray
        ``(N,)`` in [0, 1]; near 0 for smooth domains that are wider than 3 px.
    """
    bright = (batch(images) > 0.5).astype(np.uint8)
    changed = [np.count_nonzero(cv2.medianBlur(image, 3) != image) / image.size for image in bright]
    return np.asarray(changed, dtype=np.float64)


def _smoothed(image: NDArray[Any], sigma: float) -> NDArray[np.float32]:
    single = np.ascontiguousarray(image, dtype=np.float32)
    return np.asarray(cv2.GaussianBlur(single, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def orientation(images: NDArray[Any], sigma: float = 1.0) -> tuple[Floats, Floats]:
    """Direction along the domains, and its order.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``.
    sigma : float
        Width of the Gaussian that smooths them first, px.

    Returns
    -------
    angle : ndarray
        ``(N,)`` rad in (-pi/2, pi/2]: 0 is horizontal, pi/2 vertical; positive angles turn counter-clockwise as
        seen on the image.
    order : ndarray
        ``(N,)`` in [0, 1]: difference of the structure tensor's eigenvalues over their sum, 1 for parallel lines
        and 0 without a preferred direction.
    """
    tensor = orientation_tensor(images, sigma)
    angle = np.arctan2(tensor[:, 1], tensor[:, 0]) / 2
    return np.where(angle <= -np.pi / 2, np.pi / 2, angle), np.hypot(tensor[:, 0], tensor[:, 1])


def euler_density(images: NDArray[Any]) -> Floats:
    """Euler number per px^2 of the pattern that the image is a window of, without edge effects.

    The Euler number is that of bright domains minus the holes in them (pixels that touch at corners only are not
    connected): pixels - neighbouring pairs + full 2 x 2 blocks, the vertices, edges and faces of the bright phase.
    Each vertex counts with the edges and the face towards larger rows and columns, and only where all of these
    lie inside. So the mean over windows is that of the unbounded pattern, however small they are; a count of
    domains would count every one that the edge cuts off.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``.

    Returns
    -------
    ndarray
        ``(N,)``, 1/px^2.
    """
    bright = batch(images) > 0.5
    here, below, beside = bright[:, :-1, :-1], bright[:, 1:, :-1], bright[:, :-1, 1:]
    down, right = here & below, here & beside
    face = down & right & bright[:, 1:, 1:]
    count = [np.count_nonzero(part, (1, 2)) for part in (here, down, right, face)]
    sites = max(here.shape[1] * here.shape[2], 1)
    return np.asarray((count[0] - count[1] - count[2] + count[3]) / sites, dtype=np.float64)


def grey_quantiles(images: NDArray[Any]) -> Floats:
    """Quantiles of the grey levels: the histogram as a rising curve.

    The mean absolute difference of two such curves is the 1-Wasserstein distance of the histograms.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``.

    Returns
    -------
    ndarray
        ``(N, 64)`` at the shares 1/128, 3/128, ... of the pixels.
    """
    flat = np.sort(batch(images).reshape(len(batch(images)), -1), axis=1)
    places = ((np.arange(QUANTILES) + 0.5) / QUANTILES * flat.shape[1]).astype(np.int64)
    return np.asarray(flat[:, places], np.float64)


def describe(images: NDArray[Any]) -> dict[str, Floats]:
    """All descriptors by name.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``, or one ``(H, W)``: 0 and 1, or grey levels in [0, 1] where they are floating-point numbers.

    Returns
    -------
    dict of ndarray
        ``(N,)`` each: ``phase_fraction`` in [0, 1], ``spacing`` in px and its relative ``spacing_spread`` (nan
        for uniform images), ``orientation_x`` and ``orientation_y`` (:func:`orientation_tensor`),
        ``euler_density`` per px^2, ``coherence`` and ``edge_roughness`` in [0, 1]. Of grey levels, in place of what
        phases alone have: ``mean_level`` and ``contrast``, their mean and standard deviation.
    """
    grey = has_grey_levels(images)
    values = images.astype(np.float32, copy=False) if grey else images
    spacing, spread = spacing_and_spread(values)
    tensor, coherent = _order(values, COHERENT, 1.0)
    shared = {
        "spacing": spacing,
        "spacing_spread": spread,
        "orientation_x": tensor[:, 0],
        "orientation_y": tensor[:, 1],
    }
    if grey:
        pixels = batch(values).reshape(len(batch(values)), -1)
        moments = {"mean_level": pixels.mean(1, np.float64), "contrast": pixels.std(1, np.float64)}
        return {**moments, **shared, "coherence": coherent}
    return {
        "phase_fraction": phase_fraction(images),
        **shared,
        "euler_density": euler_density(images),
        "coherence": coherent,
        "edge_roughness": edge_roughness(images),
    }
