"""Draws are as wide as decoded phase fractions ask for: with a decoder whose fractions are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pairvae.models.vae import VAE, Decoder, Encoder
from pairvae.stages.draw_width import as_wide_as_crops

SIDE = 64


class Constant(Encoder):
    """A posterior of mean 0 and one standard deviation, whatever comes in."""

    def __init__(self, std: float, channels: int, grid: int) -> None:
        super().__init__()
        self.statistics = nn.Parameter(torch.zeros(1, 2 * channels, grid, grid))
        self.statistics.data[:, channels:] = std

    def features(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1)

    def head(self, features: Tensor) -> Tensor:
        return self.statistics.expand(len(features), -1, -1, -1)


class Slow(Decoder):
    """Noise of a phase fraction of 0.5 plus ``slope`` times the first channel's mean, at the level of one pixel."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def raw(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        noise = torch.rand((len(latent), 1, SIDE, SIDE), generator=generator)
        found: Tensor = self.slope * latent[:, :1].mean((2, 3), keepdim=True) + 0.5 - noise
        return found


def pair(slope: float, grid: int) -> dict[str, VAE]:
    encoder = Constant(0.25, 3, grid)
    return {"saxs": VAE(encoder, Slow(0.0)), "sem": VAE(encoder, Slow(slope))}


@pytest.mark.parametrize("grid", [1, 2])
def test_decoded_fractions_get_the_variance_that_is_wanted(grid: int) -> None:
    slope, wanted = 0.02, 0.015**2
    found = as_wide_as_crops(
        pair(slope, grid), "saxs", np.zeros((48, 1, 4, 4), np.float32), np.eye(3), wanted, seed=0
    )
    own = 0.25 / SIDE**2  # of the noise's own fraction
    decoded = slope**2 * 0.25 * (found @ found.T)[0, 0] / grid**2 + own
    assert decoded == pytest.approx(wanted, rel=0.25)
    np.testing.assert_allclose((found @ found.T)[1:, 1:], np.eye(2), atol=0.15)


def test_the_same_seed_gives_the_same_factor() -> None:
    arrays = np.zeros((8, 1, 4, 4), np.float32)
    first, again, other = (
        as_wide_as_crops(pair(0.02, 1), "saxs", arrays, np.eye(3), 1e-4, seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
