"""Edges that are neighbours, and a filter over them."""

import math

import pytest
import torch
from torch.nn import functional as F

from pairvae.models.torus import circular_pad, smoothed


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("reach", [1, 2])
def test_edges_wrap_circular_pad_and_their_gradients_come_back(reach: int) -> None:
    maps = torch.rand(2, 3, 6, 8, dtype=torch.float64, generator=seeded(0), requires_grad=True)
    wanted = F.pad(maps, [reach] * 4, mode="circular")
    assert torch.equal(circular_pad(maps, reach), wanted)
    assert torch.equal(circular_pad(maps.detach(), reach), wanted)
    weights = torch.rand(wanted.shape, dtype=torch.float64, generator=seeded(1))
    (plain,) = torch.autograd.grad((wanted.square() * weights).sum(), maps)
    (own,) = torch.autograd.grad((circular_pad(maps, reach).square() * weights).sum(), maps)
    torch.testing.assert_close(own, plain)


def test_smoothing_takes_out_what_alternates_and_keeps_what_is_wide() -> None:
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    board = ((rows + columns) % 2).float()[None, None]
    torch.testing.assert_close(smoothed(board, 1), torch.full_like(board, 0.5))
    wide = torch.cos(2 * torch.pi * columns / 16).expand(1, 2, 32, 32)
    torch.testing.assert_close(smoothed(wide, 2), wide * (0.5 + 0.5 * math.cos(2 * math.pi / 16)) ** 2)
    assert torch.equal(smoothed(board, 0), board)
