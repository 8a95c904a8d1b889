"""Which way round the contrast of a micrograph is: counting noise grows with brightness, as in no negative."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SECOND_DIFFERENCES = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)  # blind to edges and ramps
SIDE = 512  # px that are looked at
SMOOTHING = 1.5  # px
LEAST_NOISE = 2.4  # mean absolute second difference; 4.8 where pixels scatter by one grey level of 255
LEAST_PIXELS = 2000
CLIPPED = (3, 252)  # of 255; beyond, noise is cut off


def noise_asymmetry(grey: NDArray[Any]) -> float:
    """Logarithm of the noise of the bright quarter over that of the dark one, of ``(H, W)`` grey levels 0 to 255.

    Positive for a micrograph (0.05 to 0.7 for instruments of five makers), the opposite for its negative. nan where
    there is too little noise (a binary or smoothed image) or too few flat pixels.
    """
    levels = np.ascontiguousarray(grey[:SIDE, :SIDE], np.float32)
    smooth = cv2.GaussianBlur(levels, (0, 0), SMOOTHING)
    noise = np.abs(cv2.filter2D(levels, -1, SECOND_DIFFERENCES))
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    flat = (slope < np.median(slope)) & (levels > CLIPPED[0]) & (levels < CLIPPED[1])
    low, high = np.percentile(smooth, [25, 75])
    bright, dark = noise[flat & (smooth >= high)], noise[flat & (smooth <= low)]
    if min(len(bright), len(dark)) < LEAST_PIXELS or min(bright.mean(), dark.mean()) < LEAST_NOISE:
        return float("nan")
    return float(np.log(bright.mean() / dark.mean()))
