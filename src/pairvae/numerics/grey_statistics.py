"""Statistics that all crops of one stationary grey texture share: histogram, and filters together.

The counterparts of phase fraction and lineal path, which two-phase images alone have (``texture_statistics.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 16
STRIDE = 2  # px, of the fine filters: as far apart as pixels of the image at half the resolution
LEAST = 1e-8  # of a mean square response: below, an image has no contrast at this scale


def histogram(images: Tensor) -> Tensor:
    """Share of each image's pixels above 16 grey levels, each a ramp of 1/16: a cumulative histogram with a gradient.

    The mean over the levels is the mean grey level, and the mean absolute difference of two histograms their
    1-Wasserstein distance, but for what happens within one level.

    Parameters
    ----------
    images : Tensor
        ``(B, 1, H, W)`` in [0, 1].

    Returns
    -------
    Tensor
        ``(B, 16)`` in [0, 1], falling.

    Examples
    --------
    >>> halves = torch.tensor([[[[0.0, 0.5]]]])
    >>> histogram(halves)[0, 7:9].tolist()
    [0.5, 0.0]
    """
    flat = LEVELS * images.flatten(1)
    return torch.stack([(flat - level).clamp(0, 1).mean(1) for level in range(LEVELS)], dim=1)


def joint_filters(images: Tensor, bank: Tensor) -> Tensor:
    """How filters respond, and which of them respond at the same places (after Portilla and Simoncelli 2000).

    The first half of the filters sees the image, all of them see it at half the resolution: three scales, an octave
    apart.

    Parameters
    ----------
    images : Tensor
        ``(B, 1, H, W)`` in [0, 1].
    bank : Tensor
        Filters ``(2 F, 1, S, S)`` of zero sum, S odd: F of one scale, and F of twice that scale.

    Returns
    -------
    Tensor
        ``(B, D)``: of each of the 3 F filters the root mean square of its response r, mean |r| over that (small where
        few places stand out) and mean r |r| over its square (its sign: bright on dark, or dark on bright); of each two
        filters the cosine of their |r|.
    """
    fine = F.conv2d(images, bank[: len(bank) // 2], stride=STRIDE)
    coarse = F.conv2d(F.avg_pool2d(images, STRIDE), bank)
    offset = (fine.shape[-2] - coarse.shape[-2]) // 2, (fine.shape[-1] - coarse.shape[-1]) // 2
    rows, columns = (
        slice(start, start + side) for start, side in zip(offset, coarse.shape[-2:], strict=True)
    )
    responses = torch.cat([fine[..., rows, columns], coarse], dim=1).flatten(2)
    sizes = responses.abs()
    products = sizes @ sizes.mT / sizes.shape[-1]
    power = products.diagonal(dim1=1, dim2=2) + LEAST
    root = power.sqrt()
    first, second = torch.triu_indices(len(root[0]), len(root[0]), 1, device=images.device)
    cosines = products[:, first, second] / (root[:, first] * root[:, second])
    return torch.cat([root, sizes.mean(2) / root, (responses * sizes).mean(2) / power, cosines], dim=1)
