"""Averages of patterns: over rings, over directions, and where a detector sees nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Centre = tuple[float, float]

SHADOW_PX = 2  # pixels beside a gap hold a share of its darkness


class RadialProfile(NamedTuple):
    """Azimuthal average of a pattern, ``(bins,)`` each.

    Attributes
    ----------
    q : ndarray
        Radius of each ring around the centre.
    intensity : ndarray
        Mean of its pixels; nan without any.
    counts : ndarray
        Their number.
    """

    q: Floats
    intensity: Floats
    counts: NDArray[np.int64]


class AzimuthalProfile(NamedTuple):
    """Intensity by direction, ``(bins,)`` each.

    Attributes
    ----------
    phi : ndarray
        Directions, rad, counter-clockwise from the right.
    intensity : ndarray
        Mean of the pixels in each; nan without any.
    """

    phi: Floats
    intensity: Floats


def offsets(shape: tuple[int, int], centre: Centre) -> tuple[Floats, Floats]:
    """Distances of the pixels of a pattern from its centre, by axis.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    centre : (float, float)
        Row and column, px.

    Returns
    -------
    up : ndarray
        ``(H, 1)`` px.
    right : ndarray
        ``(1, W)`` px.
    """
    rows, columns = (np.arange(side, dtype=np.float64) for side in shape)
    return (centre[0] - rows)[:, None], (columns - centre[1])[None, :]


def q_map(shape: tuple[int, int], centre: Centre, q_per_px: float = 1.0) -> Floats:
    """Length of q of every pixel; it grows as the distance from the centre (small angles).

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    centre : (float, float)
        Row and column of the beam, px.
    q_per_px : float
        1/nm; 1 gives q in px.

    Returns
    -------
    ndarray
        ``(H, W)``, in the unit of ``q_per_px``.
    """
    up, right = offsets(shape, centre)
    return np.hypot(up, right) * q_per_px


def azimuthal_average(
    pattern: NDArray[Any],
    centre: Centre,
    mask: Mask | None = None,
    bins: int | None = None,
    q_per_px: float = 1.0,
) -> RadialProfile:
    """Azimuthal average I(q) of a pattern: means over rings, the first one at q = 0.

    Parameters
    ----------
    pattern : ndarray
        Intensities ``(H, W)``.
    centre : (float, float)
        Row and column of the beam, px.
    mask : ndarray, optional
        ``(H, W)``, True where a pixel does not count (:func:`gap_mask`).
    bins : int, optional
        Equally spaced rings up to half of the shorter side; rings of 1 px by default.
    q_per_px : float
        1/nm; 1 gives q in px.

    Returns
    -------
    RadialProfile
        ``q``, ``intensity`` (nan where a ring has no pixel that counts) and ``counts``, each ``(bins,)``.

    Examples
    --------
    >>> profile = azimuthal_average(np.full((9, 9), 2.0), (4.0, 4.0), q_per_px=0.01)
    >>> profile.q.tolist(), profile.intensity.tolist()
    ([0.0, 0.01, 0.02, 0.03], [2.0, 2.0, 2.0, 2.0])
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
    """Azimuthal profile I(phi) of a pattern between two radii.

    Parameters
    ----------
    pattern : ndarray
        Intensities ``(H, W)``.
    centre : (float, float)
        Row and column of the beam, px.
    q_range : (float, float)
        Inner and outer radius, px.
    bins : int
        Directions, the first at phi = 0.
    mask : ndarray, optional
        ``(H, W)``, True where a pixel does not count.

    Returns
    -------
    AzimuthalProfile
        Intensity in each direction.
    """
    shape = (pattern.shape[0], pattern.shape[1])
    up, right = offsets(shape, centre)
    radius = np.hypot(up, right)
    counted = (radius >= q_range[0]) & (radius <= q_range[1])
    if mask is not None:
        counted &= ~mask
    step = 2 * np.pi / bins
    sector = np.rint(np.arctan2(up, right) / step).astype(np.int64) % bins
    counts = np.bincount(sector[counted], minlength=bins)
    phi = np.arange(bins, dtype=np.float64) * step
    return AzimuthalProfile(phi, _means(pattern[counted], sector[counted], counts))


def gap_mask(patterns: NDArray[Any], level: float = 0.1) -> Mask:
    """Beamstop and detector gaps: what is dark in all patterns.

    Specks smaller than 3 x 3 px are weak signal, not gaps.

    Parameters
    ----------
    patterns : ndarray
        ``(N, H, W, 3)`` or ``(N, H, W)`` in [0, 1].
    level : float
        Below it every channel of a dark pixel lies.

    Returns
    -------
    ndarray
        ``(H, W)``, True in a gap.
    """
    bright = patterns.max(axis=(0, 3)) if patterns.ndim == 4 else patterns.max(axis=0)
    padded = np.pad(bright < level, 1, mode="edge")
    opened = scipy.ndimage.binary_opening(padded, structure=np.ones((3, 3), dtype=bool))
    return np.asarray(opened[1:-1, 1:-1], dtype=np.bool_)


def shadow(patterns: NDArray[np.float32]) -> Mask:
    """Gaps and beamstop that patterns share, with the pixels beside them, which hold a share of their darkness.

    Parameters
    ----------
    patterns : ndarray
        ``(N, 3, H, W)`` in [0, 1].

    Returns
    -------
    ndarray
        ``(H, W)``, True in a gap or within ``SHADOW_PX`` of one.
    """
    mask = gap_mask(np.moveaxis(patterns, 1, -1))
    return np.asarray(scipy.ndimage.binary_dilation(mask, iterations=SHADOW_PX))
