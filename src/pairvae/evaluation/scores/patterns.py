"""Scores of scattering patterns that a scientist would look at: ring, arcs, spots, I(q), beside pixels.

Prepared patterns ``(N, 3, H, W)`` in [0, 1], the beam at the middle. Positions are measured on intensity
levels: colours of a known map are undone, of other pictures the mean of the channels is taken. The scale of
the colours is unknown, so levels keep the order of the counts; true and predicted patterns are treated alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from pairvae.numerics.colormaps import known_colormap, levels
from pairvae.numerics.scattering import (
    Mask,
    arc_distribution,
    azimuthal_average,
    ring_peak,
    shadow,
    spot_positions,
    turned_by,
)

Floats = NDArray[np.float64]

SPOTS, CANDIDATES = 2, 8
FARTHEST_SPOT_PX = 16.0  # of 192; a spot that is missing counts as far
LEAST_SPOT = 0.02  # levels above the surroundings
SSIM_SIGMA, SSIM_K1, SSIM_K2 = 1.5, 0.01, 0.03


@dataclass(frozen=True)
class PatternProperties:
    """What ``N`` patterns show; what is not there is nan.

    Parameters
    ----------
    curve : ndarray
        I(q) ``(N, K)``, in levels.
    ring, width : ndarray
        ``(N,)``: radius and width of the ring, px.
    arcs : ndarray
        ``(N, 90)`` of unit sum: the intensity around the ring above its darkest direction, by angle mod 180 degrees.
    strength : ndarray
        ``(N,)``: how far the intensity around the ring varies, relative to its mean.
    spots : ndarray
        ``(N, 8)``: columns (px) of up to eight spots on the horizontal axis, the brightest first.
    """

    curve: Floats
    ring: Floats
    width: Floats
    arcs: Floats
    strength: Floats
    spots: Floats


@dataclass(frozen=True)
class TruePatterns:
    """Patterns that predictions are compared with, and what they show, measured once.

    Parameters
    ----------
    patterns : ndarray
        ``(N, 3, H, W)`` in [0, 1].
    colormap : str or None
        Name of their colour map, where it is known.
    mask : ndarray of bool
        ``(H, W)``, True where a pixel counts in neither ring, arcs, spots nor I(q).
    properties : PatternProperties
        Of the N patterns.
    """

    patterns: NDArray[np.float32]
    colormap: str | None
    mask: Mask
    properties: PatternProperties


def true_patterns(patterns: NDArray[np.float32], mask: Mask | None = None) -> TruePatterns:
    """Measure true patterns.

    Parameters
    ----------
    patterns : ndarray
        ``(N, 3, H, W)`` in [0, 1].
    mask : ndarray of bool, optional
        ``(H, W)``, True where a pixel does not count; without it what is dark in all patterns.

    Returns
    -------
    TruePatterns
        For :func:`pattern_errors`.
    """
    colormap = known_colormap(patterns)
    hidden = shadow(patterns) if mask is None else mask
    return TruePatterns(patterns, colormap, hidden, properties_of(levels(patterns, colormap), hidden))


def properties_of(intensity: Floats, mask: Mask) -> PatternProperties:
    """Measure patterns of intensity levels.

    Parameters
    ----------
    intensity : ndarray
        ``(N, H, W)``.
    mask : ndarray of bool
        ``(H, W)``, True where a pixel does not count.

    Returns
    -------
    PatternProperties
        Of the N patterns.
    """
    rows = [_properties_of_one(pattern, mask) for pattern in intensity]
    return PatternProperties(*(np.stack(column) for column in zip(*rows, strict=True)))


def _properties_of_one(intensity: Floats, mask: Mask) -> tuple[Floats, ...]:
    height, width = intensity.shape
    centre = ((height - 1) / 2, (width - 1) / 2)
    profile = azimuthal_average(intensity, centre, mask)
    ring = ring_peak(profile.q, profile.intensity)
    arcs, strength = arc_distribution(intensity, centre, ring.position, mask)
    spots = spot_positions(intensity, centre, CANDIDATES, mask=mask, least_contrast=LEAST_SPOT)[:, 1]
    return profile.intensity, np.array(ring.position), np.array(ring.width), arcs, np.array(strength), spots


def pattern_errors(predicted: NDArray[np.float32], truth: TruePatterns) -> dict[str, Floats]:
    """Errors of predicted patterns against the true ones.

    Parameters
    ----------
    predicted : ndarray
        ``(N, 3, H, W)`` in [0, 1].
    truth : TruePatterns
        Of the same N samples.

    Returns
    -------
    dict of str to ndarray
        ``(N,)`` each.

        * ``mae``: mean absolute difference over pixels and channels; ``ssim``: structural similarity, 1 is equal.
        * ``ring_position``, ``ring_width``: relative to the true one; 1 where only one of the two has a ring.
        * ``arc_angle_deg``: by how many degrees the intensity around the ring lies elsewhere (see
          :func:`turned_by`); ``arc_strength``: difference of its relative variation.
        * ``spot_px``: mean distance of the two brightest true spots on the horizontal axis from the nearest
          predicted ones, at most 16 px for 192; a missing spot counts as that far.
        * ``iq_error``: mean absolute difference of the azimuthal averages, in levels.
    """
    true, true_rings = truth.patterns, truth.properties
    predicted_rings = properties_of(levels(predicted, truth.colormap), truth.mask)
    return {
        "mae": np.abs(predicted.astype(np.float64) - true).mean((1, 2, 3)),
        "ssim": np.array([similarity(image, other) for image, other in zip(predicted, true, strict=True)]),
        "ring_position": relative_error(predicted_rings.ring, true_rings.ring),
        "ring_width": relative_error(predicted_rings.width, true_rings.width),
        "arc_angle_deg": turned_by(predicted_rings.arcs, true_rings.arcs),
        "arc_strength": _difference(predicted_rings.strength, true_rings.strength),
        "spot_px": spot_distance(
            predicted_rings.spots, true_rings.spots, FARTHEST_SPOT_PX * true.shape[-1] / 192
        ),
        "iq_error": np.nanmean(np.abs(predicted_rings.curve - true_rings.curve), axis=1),
    }


def relative_error(predicted: Floats, true: Floats) -> Floats:
    """Relative error of lengths that may not be there.

    Parameters
    ----------
    predicted, true : ndarray
        Of one shape; nan where there is none.

    Returns
    -------
    ndarray
        ``|predicted / true - 1|``; 0 where neither is there, 1 where one of them is not.
    """
    missing = np.isnan(predicted) | np.isnan(true)
    error = np.abs(np.where(missing, 1.0, predicted) / np.where(missing, 1.0, true) - 1)
    return np.where(missing, (np.isnan(predicted) != np.isnan(true)).astype(np.float64), error)


def _difference(predicted: Floats, true: Floats) -> Floats:
    """``|predicted - true|``, where what is not there counts as 0."""
    return np.asarray(np.abs(np.nan_to_num(predicted) - np.nan_to_num(true)))


def spot_distance(predicted: Floats, true: Floats, farthest: float) -> Floats:
    """Mean distance of the two brightest true spots from the nearest predicted ones.

    Parameters
    ----------
    predicted, true : ndarray
        Columns ``(N, M)`` of spots in px, the brightest first; nan means no spot.
    farthest : float
        What a true spot without a partner nearer than that counts, px.

    Returns
    -------
    ndarray
        ``(N,)``, px; 0 where there is no true spot.
    """
    targets = true[:, :SPOTS]
    gaps = np.abs(targets[:, :, None] - predicted[:, None, :])
    nearest = np.where(np.isnan(gaps), farthest, gaps).min(2)
    there = np.isfinite(targets)
    total = np.where(there, np.minimum(nearest, farthest), 0.0).sum(1)
    return np.asarray(total / np.maximum(there.sum(1), 1))


def similarity(predicted: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """SSIM of two patterns (Wang et al., IEEE TIP 2004, 13, 600).

    Gaussian windows of 1.5 px; a mean over channels and pixels at least 5 px from the edges.

    Parameters
    ----------
    predicted, true : ndarray
        ``(C, H, W)`` in [0, 1].

    Returns
    -------
    float
        1 where they are equal.
    """
    a, b = predicted.astype(np.float64), true.astype(np.float64)

    def smooth(values: Floats) -> Floats:
        blurred = scipy.ndimage.gaussian_filter(values, (0, SSIM_SIGMA, SSIM_SIGMA), truncate=3.5)
        return np.asarray(blurred[:, 5:-5, 5:-5])

    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
    shared = smooth(a * b) - mean_a * mean_b
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    top = (2 * mean_a * mean_b + c1) * (2 * shared + c2)
    return float((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())
