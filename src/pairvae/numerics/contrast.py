"""The contrast of grey micrographs: robust scaling into [0, 1], and how much of an image is saturated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TAILS = (
    0.5,
    99.5,
)  # percentiles between which grey levels are told apart: single pixels do not set the contrast


def normalised_contrast(grey: NDArray[Any]) -> NDArray[np.float32] | None:
    """Grey levels with their median at 0.5, and the farther of two percentiles from it at 0 or 1.

    Brightness and contrast of a microscope are set at will. What stays is the shape of the histogram, its skew
    included. Beyond 0 and 1 levels are clipped, about one pixel in 200.

    Parameters
    ----------
    grey : ndarray
        ``(H, W)`` in any unit.

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
    low, middle, high = (float(level) for level in np.percentile(grey, [TAILS[0], 50, TAILS[1]]))
    reach = max(high - middle, middle - low)
    if reach <= np.finfo(np.float32).eps * max(abs(low), abs(high)):
        return None
    levels = 0.5 + 0.5 * (grey.astype(np.float32) - np.float32(middle)) / np.float32(reach)
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
