from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pairvae.models.vae import VAE, Decoder, Encoder, Posterior, join_statistics, split_statistics


class Halves(Encoder):
    """The input as mean, and standard deviation 1."""

    def features(self, inputs: Tensor) -> Tensor:
        return inputs

    def head(self, features: Tensor) -> Tensor:
        return torch.cat([features, torch.ones_like(features)], dim=1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_statistics_are_mean_then_deviation_on_the_channel_axis() -> None:
    joined = join_statistics(torch.arange(16.0).reshape(1, 4, 2, 2) - 8)
    posterior = split_statistics(joined)
    assert posterior.mean.shape == posterior.std.shape == (1, 2, 2, 2)
    assert torch.equal(posterior.mean, torch.arange(8.0).reshape(1, 2, 2, 2) - 8)
    torch.testing.assert_close(posterior.std, F.softplus(torch.arange(8.0)).reshape(1, 2, 2, 2) + 1e-4)


def test_deviation_stays_above_0_for_any_network_output() -> None:
    assert (split_statistics(join_statistics(torch.full((1, 2, 1, 1), -1e4))).std > 0).all()


def test_draws_have_the_posterior_s_mean_and_deviation() -> None:
    posterior = Posterior(torch.full((20_000, 1), 3.0), torch.full((20_000, 1), 0.5))
    drawn = posterior.sample(seeded())
    assert drawn.mean().item() == pytest.approx(3.0, abs=0.02)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(drawn, posterior.sample(seeded()))


def test_draws_pass_gradients_to_mean_and_deviation() -> None:
    mean, std = torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)
    drawn = Posterior(mean, std).sample(seeded())
    drawn.sum().backward()
    assert mean.grad is not None
    assert std.grad is not None
    assert torch.equal(mean.grad, torch.ones(3))
    torch.testing.assert_close(std.grad, drawn.detach())


def test_noise_is_added_to_the_features_in_their_own_units() -> None:
    vae = VAE(Halves(), Decoder())
    inputs = torch.zeros(10_000, 2)
    assert torch.equal(vae.posterior(inputs).mean, inputs)
    noisy = vae.posterior(inputs, 0.25, seeded()).mean
    assert noisy.std().item() == pytest.approx(0.25, rel=0.03)
    assert torch.equal(noisy, vae.posterior_of(inputs, 0.25, seeded()).mean)
