"""Resample a square window of an image: area means where pixels become larger, interpolation where smaller."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def window(
    image: NDArray[Any],
    trusted: NDArray[np.bool_] | None,
    centre: tuple[float, float],
    side: float,
    size: int,
) -> tuple[Floats, Floats]:
    """Resample a square window to ``size`` x ``size`` pixels, and tell how much of each pixel was measured.

    A new pixel that is larger than an old one is the mean of the old ones that it covers; a smaller one is
    interpolated linearly. Pixels outside ``trusted`` or beyond the edges do not count.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)``.
    trusted
        ``(H, W)``, True where a pixel counts; None: everywhere.
    centre
        Row and column of the middle of the square (px, pixel centres at whole numbers).
    side
        Side of the square in pixels of ``image``; need not be whole, and may reach beyond the edges.
    size
        Side of the result, px.

    Returns
    -------
    tuple
        Means ``(size, size[, C])`` float32, 0 where nothing was measured; shares ``(size, size)`` float32 in [0, 1].
    """
    height, width = image.shape[:2]
    seen = np.ones((height, width), bool) if trusted is None else trusted
    rows, columns = _weights(height, centre[0], side, size), _weights(width, centre[1], side, size)
    share = np.clip(_both(rows, seen.astype(np.float64), columns), 0.0, 1.0)
    channels = image[..., None] if image.ndim == 2 else image
    means = [
        _both(rows, np.where(seen, channels[..., index], 0).astype(np.float64), columns)
        / np.maximum(share, 1e-12)
        for index in range(channels.shape[2])
    ]
    stacked = np.where((share > 1e-9)[..., None], np.stack(means, axis=2), 0.0).astype(np.float32)
    return (stacked[..., 0] if image.ndim == 2 else stacked), share.astype(np.float32)


def _both(rows: Any, values: NDArray[np.float64], columns: Any) -> NDArray[np.float64]:
    return np.asarray((columns @ (rows @ values).T).T)


def _weights(length: int, centre: float, side: float, size: int) -> Any:
    """Sparse ``(size, length)``: the weight of each old pixel in each new one; rows beyond the edges sum to less."""
    step = side / size
    starts = (
        centre - side / 2 + step * np.arange(size)
    )  # in the unit of pixels, whose centres are whole numbers
    if step >= 1:
        first = np.floor(starts + 0.5).astype(np.int64)
        index = first[:, None] + np.arange(int(np.ceil(step)) + 1)
        low = np.maximum(index - 0.5, starts[:, None])
        high = np.minimum(index + 0.5, starts[:, None] + step)
        share = np.maximum(high - low, 0.0) / step
    else:
        middle = starts + step / 2
        first = np.floor(middle).astype(np.int64)
        index = first[:, None] + np.arange(2)
        share = np.stack([1 - (middle - first), middle - first], axis=1)
    inside = (index >= 0) & (index < length) & (share > 0)
    row = np.broadcast_to(np.arange(size)[:, None], index.shape)
    return scipy.sparse.csr_array((share[inside], (row[inside], index[inside])), shape=(size, length))
