"""A score of images: how much interface they have."""

from __future__ import annotations

import numpy as np


def interface(images: np.ndarray) -> np.ndarray:
    """Mean difference of neighbouring pixels ``(N,)`` of images ``(N, H, W)``: of two phases the interface per area."""
    values = images.astype(np.float32)
    down, right = (np.abs(np.diff(values, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2))
    return np.asarray(down + right)
