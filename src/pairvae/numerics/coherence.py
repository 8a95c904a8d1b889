"""How parallel domains run, in windows of several sides."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

POOL = 4  # px, every second: gradients of domains, not of their pixels
WINDOWS = (4, 8, 16, 32)  # of every second px: up to beyond the size of grains
LEAST_ENERGY = 1e-8


def coherence(images: Tensor) -> Tensor:
    """How parallel domains run, in windows of 8 to 64 px (Bigun and Granlund 1987).

    The square of the mean structure tensor's deviator over that of its trace: what the autocovariance, an average
    over all grains, does not tell.

    Parameters
    ----------
    images : Tensor
        ``(B, 1, H, W)`` in [0, 1]. One that is smaller than a window is one window.

    Returns
    -------
    Tensor
        ``(B, 4)`` in [0, 1]: 1 for domains that are parallel within each window, wherever they point; small
        grains and dots have little.
    """
    pooled = F.avg_pool2d(images, POOL, stride=2)
    across = pooled[..., 1:-1, 2:] - pooled[..., 1:-1, :-2]
    down = pooled[..., 2:, 1:-1] - pooled[..., :-2, 1:-1]
    fields = torch.cat(
        [across.square() - down.square(), 2 * across * down, across.square() + down.square()], dim=1
    )
    coherences, means = [], fields
    for window in WINDOWS:
        if window > min(fields.shape[-2:]):
            sides = [min(window, side) for side in fields.shape[-2:]]
            means = F.avg_pool2d(fields, sides, stride=window // 4)
        elif window == WINDOWS[0]:
            means = _halves_averaged(_halves_averaged(fields, 1, 1), 2, 1)
        else:  # a window's mean is that of its quarters, which the last windows were: a tenth of the time
            means = _halves_averaged(means, 4, 2)
        squares = means.square().mean((2, 3))
        coherences.append((squares[:, 0] + squares[:, 1]) / (squares[:, 2] + LEAST_ENERGY))
    return torch.stack(coherences, dim=1)


def _halves_averaged(means: Tensor, apart: int, stride: int) -> Tensor:
    """Mean of each four maps' values that lie ``apart`` elements from one another down and across."""
    means = (means[..., :-apart:stride, :] + means[..., apart::stride, :]) / 2
    return (means[..., :-apart:stride] + means[..., apart::stride]) / 2
