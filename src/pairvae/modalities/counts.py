"""Raw detector counts: which pixels to trust, where the beam is, and counts as a picture in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2

UINT32_SENTINEL = 4294967295.0  # what Dectris detectors write into pixels that do not exist
LIVELY = 10.0  # counts around a pixel that make a zero in it incredible: exp(-10) by Poisson statistics
FOOT, HEAD = 5.0, 99.9  # percentiles of the positive counts that set the scale
COARSE_SIDE = 256  # px; the centre is searched at this size, then refined to a fraction of a coarse pixel
LEAST_OVERLAP = 0.3  # share of the trusted pixels that must lie opposite to trusted pixels


@dataclass(frozen=True)
class BeamCentre:
    """Row and column of the beam in px (pixel centres at whole numbers), and how it came about.

    ``symmetry``: correlation in [-1, 1] of the pattern with itself turned by 180 degrees about the centre.
    """

    row: float
    column: float
    how: Literal["given", "found"]
    symmetry: float


def bad_pixels(counts: np.ndarray) -> np.ndarray:
    """``(H, W)`` bool: negative, non-finite, sentinel, gap and dead pixels of detector counts ``(H, W)``.

    Gaps are rows or columns without a single count; a dead pixel has none amid neighbours of 10 or more.
    """
    values = counts.astype(np.float32)
    bad = ~np.isfinite(values) | (values < 0) | (values >= UINT32_SENTINEL)
    if counts.dtype == np.uint16:
        bad |= counts == np.iinfo(np.uint16).max
    good = np.where(bad, 0.0, values).astype(np.float32)
    empty = good <= 0
    bad |= np.all(empty, axis=1, keepdims=True) | np.all(empty, axis=0, keepdims=True)
    weight = cv2.blur((~bad).astype(np.float32), (5, 5))
    around = cv2.blur(good, (5, 5)) / np.maximum(weight, 1e-6)
    return np.asarray(bad | (empty & (around >= LIVELY) & (counts.dtype.kind != "f" or _whole_numbers(good))))


def _whole_numbers(values: np.ndarray) -> bool:
    return bool(np.all(values == np.floor(values)))


def scale_counts(counts: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Counts ``(H, W)`` as float32 in [0, 1], log-scaled; pixels in ``mask`` (default: the bad ones) are 0.

    With a the 5th and b the 99.9th percentile of the positive counts: log(1 + c/a) / log(1 + b/a).
    Unlike a bare logarithm this keeps zero counts at 0. ``(H, W, 3|4)`` is a picture, not counts: it is
    scaled linearly.
    """
    if counts.ndim == 3:
        return _scale_colours(counts)
    bad = bad_pixels(counts) if mask is None else mask
    values = np.where(bad, 0.0, counts.astype(np.float32)).astype(np.float32)
    positive = values[values > 0]
    if not positive.size:
        return np.zeros(counts.shape, np.float32)
    low, high = (max(float(level), 1e-30) for level in np.percentile(positive, [FOOT, HEAD]))
    scaled = np.log1p(np.maximum(values, 0.0) / low) / np.log1p(high / low)
    return np.asarray(np.clip(scaled, 0.0, 1.0), dtype=np.float32)


def _scale_colours(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype.kind == "u":
        return np.asarray(pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max))
    finite = np.nan_to_num(pixels.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    highest = float(finite.max(initial=0.0))
    return np.asarray(np.clip(finite / (highest if highest > 1.0 else 1.0), 0.0, 1.0))


def beam_centre(
    counts: np.ndarray, mask: np.ndarray | None = None, given: tuple[float, float] | None = None
) -> BeamCentre:
    """The beam's place in ``(H, W)`` counts: ``given`` (row, column), or the point of inversion symmetry.

    Friedel's law makes the pattern of a thin sample equal to itself turned by 180 degrees; the centre is
    where the masked correlation with the turned pattern is highest. Beamstop and gaps only lower the overlap.
    """
    bad = bad_pixels(counts) if mask is None else mask
    picture = scale_counts(counts, bad)
    step = max(1, -(-max(counts.shape) // COARSE_SIDE))
    coarse, trusted = _shrink(picture, ~bad, step)
    score = _inversion_score(coarse, trusted)
    if given is not None:
        place = tuple(round(2 * ((value + 0.5) / step - 0.5)) for value in given)
        inside = all(0 <= p < side for p, side in zip(place, score.shape, strict=True))
        return BeamCentre(*given, "given", float(score[place]) if inside else -1.0)
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    peak = (row + _offset(score[:, column], int(row)), column + _offset(score[row], int(column)))
    centre = [(value / 2 + 0.5) * step - 0.5 for value in peak]
    return BeamCentre(float(centre[0]), float(centre[1]), "found", float(score.max()))


def _shrink(picture: np.ndarray, trusted: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Means over ``step`` x ``step`` blocks of the trusted pixels, and which blocks have any."""
    height, width = (side - side % step for side in picture.shape)
    weight = trusted[:height, :width].astype(np.float32)
    blocks = (height // step, step, width // step, step)
    total = weight.reshape(blocks).sum(axis=(1, 3))
    value = (picture[:height, :width] * weight).reshape(blocks).sum(axis=(1, 3)) / np.maximum(total, 1.0)
    return value, total > 0.5 * step * step


def _inversion_score(picture: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """``(2H - 1, 2W - 1)``: correlation of the picture with its inversion about the point (index / 2)."""
    shape = tuple(2 * side - 1 for side in picture.shape)
    fast = tuple(next_fast_len(side, real=True) for side in shape)
    weight = trusted.astype(np.float64)
    mean = float((picture * weight).sum() / max(weight.sum(), 1.0))
    centred = (picture - mean) * weight
    transforms = [rfft2(part, fast) for part in (centred, centred**2, weight)]
    product = irfft2(transforms[0] ** 2, fast)[: shape[0], : shape[1]]
    energy = irfft2(transforms[1] * transforms[2], fast)[: shape[0], : shape[1]]
    overlap = irfft2(transforms[2] ** 2, fast)[: shape[0], : shape[1]]
    enough = (overlap >= LEAST_OVERLAP * weight.sum()) & (energy > 1e-9)
    return np.where(enough, product / np.where(enough, energy, 1.0), -1.0)


def _offset(line: np.ndarray, place: int) -> float:
    """Sub-sample place of a maximum, from the parabola through it and its neighbours; in [-0.5, 0.5]."""
    if place in (0, len(line) - 1):
        return 0.0
    left, middle, right = (float(value) for value in line[place - 1 : place + 2])
    curvature = left - 2 * middle + right
    if curvature >= 0 or min(left, right) <= -1:
        return 0.0
    return max(-0.5, min(0.5, 0.5 * (left - right) / curvature))
