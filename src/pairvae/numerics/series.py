"""Series: smoothing without delay, and which of many rows to look at."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray


def smoothed(series: NDArray[np.floating], sigma: float) -> NDArray[np.float32]:
    """A series ``(T, ...)`` convolved along its first axis with a Gaussian of ``sigma`` frames; 0 leaves it.

    The kernel is symmetric, so that nothing is delayed (zero phase), and its sum is 1, so that constants stay; the
    first and last frames are continued beyond the ends. ``ValueError`` for a negative ``sigma``.
    """
    if sigma < 0:
        raise ValueError("expected a width of 0 frames or more")
    values = np.asarray(series, dtype=np.float32)
    if sigma == 0 or len(values) < 2:
        return values
    return np.asarray(
        scipy.ndimage.gaussian_filter1d(values, sigma, axis=0, mode="nearest"), dtype=np.float32
    )


def frame_change(frames: NDArray[Any]) -> NDArray[np.float64]:
    """Mean absolute difference of each frame ``(T, ...)`` from the one before, ``(T - 1,)``: how much they flicker."""
    values = np.asarray(frames, dtype=np.float64)
    return np.asarray(np.abs(np.diff(values, axis=0)).reshape(len(values) - 1, -1).mean(1))


def evenly_spread(count: int, most: int) -> NDArray[np.int64]:
    """Ascending places ``(K,)``, each once and within [0, count), the first and the last among them where K > 1.

    K is the smaller of ``count`` and ``most``, so that up to ``most`` rows are all taken.
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)
