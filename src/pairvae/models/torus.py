"""Maps on a torus, whose edges are neighbours: what a texture without a border lies on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _CircularPad(torch.autograd.Function):
    """:func:`circular_pad` with its own backward pass: torch's fills and adds a whole map for each of the six views."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, reach: int) -> Tensor:
        ctx.reach = reach
        return _padded(maps, reach)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (outer,), reach = gradients, ctx.reach
        folds = ((slice(-reach, None), slice(None, reach)), (slice(None, reach), slice(-reach, None)))
        inside = slice(reach, -reach)
        inner = outer[..., inside, inside].clone()
        for rows, top in folds:
            inner[..., top, :] += outer[..., rows, inside]
            inner[..., top] += outer[..., inside, rows]
            for columns, left in folds:
                inner[..., top, left] += outer[..., rows, columns]
        return inner, None


def _padded(maps: Tensor, reach: int) -> Tensor:
    """Written once: two concatenations would copy every map twice."""
    height, width = maps.shape[-2:]
    wide = maps.new_empty(*maps.shape[:-2], height + 2 * reach, width + 2 * reach)
    rows = wide[..., reach:-reach, :]
    rows[..., reach:-reach] = maps
    rows[..., :reach], rows[..., -reach:] = maps[..., -reach:], maps[..., :reach]
    wide[..., :reach, :], wide[..., -reach:, :] = rows[..., -reach:, :], rows[..., :reach, :]
    return wide


def circular_pad(maps: Tensor, reach: int) -> Tensor:
    """Pad maps circularly on all sides (faster than torch's pad).

    Parameters
    ----------
    maps : Tensor
        ``(B, C, h, w)``.
    reach : int
        Width of the padding in px, at least 1 and at most the maps' sides.

    Returns
    -------
    Tensor
        ``(B, C, h + 2 reach, w + 2 reach)``.
    """
    if torch.compiler.is_compiling():  # an exported program has no writing in place
        maps = torch.cat([maps[..., -reach:, :], maps, maps[..., :reach, :]], dim=-2)
        return torch.cat([maps[..., -reach:], maps, maps[..., :reach]], dim=-1)
    if not (torch.is_grad_enabled() and maps.requires_grad):
        return _padded(maps, reach)
    padded: Tensor = _CircularPad.apply(maps, reach)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return padded


def smoothed(maps: Tensor, times: int) -> Tensor:
    """Smooth maps on a torus by the binomial filter (1, 2, 1) / 4 along both axes.

    It takes out the shortest waves, those of 2 px, which a pixel shuffle draws for nothing (Zhang, ICML 2019).

    Parameters
    ----------
    maps : Tensor
        ``(B, C, h, w)``.
    times : int
        Runs of the filter.

    Returns
    -------
    Tensor
        ``(B, C, h, w)``.
    """
    for _ in range(times):
        wide = circular_pad(maps, 1)
        rows = (wide[..., :-2, :] + wide[..., 2:, :]) / 4 + wide[..., 1:-1, :] / 2
        maps = (rows[..., :-2] + rows[..., 2:]) / 4 + rows[..., 1:-1] / 2
    return maps
