"""Averages of patterns: over rings, over directions, and where a detector sees nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Centre = tuple[float, float]

SHADOW_PX = 2  # pixels beside a gap hold a share of its darkness


class RadialProfile(NamedTuple):
    """Mean ``intensity`` of the ``counts`` pixels on each ring around the centre; nan without pixels."""

    q: Floats
    intensity: Floats
    counts: NDArray[np.int64]


class AzimuthalProfile(NamedTuple):
    """Mean ``intensity`` in each direction ``phi`` (rad, counter-clockwise from the right), or nan."""

    phi: Floats
    intensity: Floats


def offsets(shape: tuple[int, int], centre: Centre) -> tuple[Floats, Floats]:
    """Distances of the pixels from the centre, upwards ``(H, 1)`` and to the right ``(1, W)``."""
    rows, columns = (np.arange(side, dtype=np.float64) for side in shape)
    return (centre[0] - rows)[:, None], (columns - centre[1])[None, :]


def q_map(shape: tuple[int, int], centre: Centre, q_per_px: float = 1.0) -> Floats:
    """|q| of every pixel, ``(H, W)``, in the unit of ``q_per_px``; q grows as the distance (small angles)."""
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
        ``phi`` (rad, counterclockwise from the right) and ``intensity``, each ``(bins,)``.
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
    """Beamstop and detector gaps, ``(H, W)`` True: dark (every channel below ``level``) in all the patterns.

    ``(N, H, W, 3)`` or ``(N, H, W)`` in [0, 1]. Specks smaller than 3 x 3 px are weak signal, not gaps.
    """
    bright = patterns.max(axis=(0, 3)) if patterns.ndim == 4 else patterns.max(axis=0)
    padded = np.pad(bright < level, 1, mode="edge")
    opened = scipy.ndimage.binary_opening(padded, structure=np.ones((3, 3), dtype=bool))
    return np.asarray(opened[1:-1, 1:-1], dtype=np.bool_)


def shadow(patterns: NDArray[np.float32]) -> Mask:
    """Gaps and beamstop that patterns ``(N, 3, H, W)`` share, with the pixels beside them: ``(H, W)``."""
    mask = gap_mask(np.moveaxis(patterns, 1, -1))
    return np.asarray(scipy.ndimage.binary_dilation(mask, iterations=SHADOW_PX))
