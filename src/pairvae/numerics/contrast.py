"""The contrast of grey micrographs: robust scaling into [0, 1], and how much of an image is saturated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-5  # of the highest level: a smaller contrast is errors of rounding
TAILS = (0.5, 99.5)  # percentiles of the grey levels: single pixels do not set the contrast


def normalised_contrast(
    grey: NDArray[Any], background: NDArray[np.float32] | float = 0.0
) -> NDArray[np.float32] | None:
    """Grey levels with their mean at 0.5, and the farther of the percentiles 0.5 and 99.5 from it at 0 or 1.

    Brightness and contrast of a microscope are set at will. What stays is the shape of the histogram, its skew
    included. Levels beyond the percentiles are clipped to them, also for the mean: about one pixel in a hundred.
    (A median in place of the mean would jump between the levels of two phases of about equal share.)

    Parameters
    ----------
    grey : ndarray
        ``(H, W)`` in any unit.
    background : ndarray or float
        ``(H, W)`` in the same unit: what is subtracted before.

    Returns
    -------
    ndarray or None
        ``(H, W)`` float32 in [0, 1]; None where 99 % of the pixels have one grey level.

    Examples
    --------
    >>> ramp = np.arange(200.0).reshape(10, 20)
    >>> levels = normalised_contrast(7 * ramp + 3)
    >>> [round(float(levels.ravel()[place]), 2) for place in (0, 50, 100, 199)]
    [0.0, 0.25, 0.5, 1.0]
    """
    values = grey.astype(np.float32)
    rounding = LEAST * float(np.abs(np.percentile(values, TAILS)).max())
    values = values - background
    low, high = (float(level) for level in np.percentile(values, TAILS))
    if high - low <= rounding:
        return None
    clipped = np.clip(values, low, high)
    mean = float(clipped.mean(dtype=np.float64))
    levels = 0.5 + 0.5 * (clipped - np.float32(mean)) / np.float32(max(high - mean, mean - low))
    return np.asarray(np.clip(levels, 0, 1), np.float32)


def clipped_share(grey: NDArray[Any]) -> float:
    """Share of the pixels at an image's lowest or highest grey level.

    Parameters
    ----------
    grey : ndarray
        ``(H, W)`` in any unit, not blurred.

    Returns
    -------
    float
        In [0, 1]; about 0 where neither end is cut off, 1 for a binary image.
    """
    return float(np.mean((grey == grey.min()) | (grey == grey.max())))
