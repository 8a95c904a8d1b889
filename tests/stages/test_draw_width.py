"""Draws are as wide as decoded phase fractions ask for: with a decoder whose fractions are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pairvae.models.vae import VAE, Decoder, Encoder, Posterior
from pairvae.stages.draw_width import as_wide_as_crops

SIDE = 64


class Slow(Decoder):
    """Noise of a phase fraction of 0.5 plus ``slope`` times the first channel's mean, at the level of one pixel."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def logits(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        noise = torch.rand((len(latent), 1, SIDE, SIDE), generator=generator)
        found: Tensor = self.slope * latent[:, :1].mean((2, 3), keepdim=True) + 0.5 - noise
        return found


class Unused(Encoder):
    """Of a VAE that decodes only."""


def decoding(slope: float) -> VAE:
    return VAE(Unused(), Slow(slope))


def of_mean_0(count: int, grid: int) -> Posterior:
    return Posterior(torch.zeros(count, 3, grid, grid), torch.full((count, 3, grid, grid), 0.25))


@pytest.mark.parametrize("grid", [1, 2])
def test_decoded_fractions_get_the_variance_that_is_wanted(grid: int) -> None:
    slope, wanted = 0.02, 0.015**2
    found = as_wide_as_crops(decoding(slope), of_mean_0(48, grid), np.eye(3), wanted, seed=0)
    own = 0.25 / SIDE**2  # of the noise's own fraction
    decoded = slope**2 * 0.25 * (found @ found.T)[0, 0] / grid**2 + own
    assert decoded == pytest.approx(wanted, rel=0.25)
    np.testing.assert_allclose((found @ found.T)[1:, 1:], np.eye(2), atol=0.15)


def test_the_same_seed_gives_the_same_factor() -> None:
    first, again, other = (
        as_wide_as_crops(decoding(0.02), of_mean_0(8, 1), np.eye(3), 1e-4, seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
