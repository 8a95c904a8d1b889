"""Raw detector counts: which pixels to trust, where the beam is, and counts as a picture in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

UINT32_SENTINEL = 4294967295.0  # what Dectris detectors write into pixels that do not exist
LIVELY = 10.0  # counts around a pixel that make a zero in it incredible: exp(-10) by Poisson statistics
SHADOW_PX = 50  # connected pixels without a count that make a shadow
FOOT, HEAD = 5.0, 99.9  # percentiles of the positive counts that set the scale


@dataclass(frozen=True)
class BeamCentre:
    """Row and column of the beam in px (pixel centres at whole numbers), and how it came about.

    ``symmetry``: correlation in [-1, 1] of the pattern with itself turned by 180 degrees about the centre.
    ``doubt``: why the centre is uncertain; empty where it is reliable.
    """

    row: float
    column: float
    how: Literal["given", "header", "poni", "found"]
    symmetry: float
    doubt: str = ""


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
    if counts.dtype.kind == "f" and not _whole_numbers(good):
        return np.asarray(bad)
    return np.asarray(bad | (empty & (around >= LIVELY)) | _shadows(empty & ~bad, good, bad))


def _shadows(empty: np.ndarray, good: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Connected pixels without a count whose rim is lively: a beamstop, or what lies beyond a round detector."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats(empty.astype(np.uint8), connectivity=4)
    large = [label for label in range(1, number) if stats[label, cv2.CC_STAT_AREA] >= SHADOW_PX]
    shadows = np.zeros(empty.shape, bool)
    for label in large:
        left, top, width, height = (int(value) for value in stats[label, :4])
        part = np.s_[max(0, top - 3) : top + height + 3, max(0, left - 3) : left + width + 3]
        inside = (labels[part] == label).astype(np.uint8)
        rim = (cv2.dilate(inside, np.ones((7, 7), np.uint8)) > 0) & (inside == 0) & ~bad[part]
        if rim.any() and float(np.median(good[part][rim])) >= LIVELY:
            shadows[part] |= inside > 0
    return shadows


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
