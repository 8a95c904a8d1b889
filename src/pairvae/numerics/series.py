"""Series: smoothing without delay, and which of many rows to look at."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray


def smoothed(series: NDArray[np.floating], sigma: float) -> NDArray[np.float32]:
    """A series convolved along its first axis with a Gaussian, without delay.

    The kernel is symmetric, so that nothing is delayed (zero phase), and its sum is 1, so that constants stay;
    the first and last frames are continued beyond the ends.

    Parameters
    ----------
    series : ndarray
        ``(T, ...)``.
    sigma : float
        Width of the Gaussian in frames; 0 leaves the series as it is.

    Returns
    -------
    ndarray
        ``(T, ...)`` float32.

    Raises
    ------
    ValueError
        A negative width.
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
    """Mean absolute difference of each frame from the one before: how much they flicker.

    Parameters
    ----------
    frames : ndarray
        ``(T, ...)``.

    Returns
    -------
    ndarray
        ``(T - 1,)``.
    """
    values = np.asarray(frames, dtype=np.float64)
    return np.asarray(np.abs(np.diff(values, axis=0)).reshape(len(values) - 1, -1).mean(1))


def evenly_spread(count: int, most: int) -> NDArray[np.int64]:
    """Indices of rows at even distances, the first and (of two or more) the last among them.

    Parameters
    ----------
    count : int
        Rows in all.
    most : int
        The most rows to take: up to so many are all taken.

    Returns
    -------
    ndarray
        ``(K,)`` int64, ascending, each once and in [0, count); K is the smaller of ``count`` and ``most``.
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)
