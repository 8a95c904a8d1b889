from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pairvae.models.posterior import Posterior, join_statistics
from pairvae.models.vae import CHUNK, VAE, Decoder, Encoder, decode_in_chunks


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
    mean, std = joined.chunk(2, dim=1)
    assert torch.equal(mean, torch.arange(8.0).reshape(1, 2, 2, 2) - 8)
    torch.testing.assert_close(std, F.softplus(torch.arange(8.0)).reshape(1, 2, 2, 2) + 1e-4)


def test_deviation_stays_above_0_for_any_network_output() -> None:
    assert (join_statistics(torch.full((1, 2, 1, 1), -1e4))[:, 1:] > 0).all()


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


def calibrated() -> VAE:
    vae = VAE(Halves(), Decoder())
    vae.encoder.scale_tril = torch.tensor([[0.5, 0.0], [1.6, 1.2]])
    return vae


def test_samples_have_the_covariance_of_the_factor_and_std_is_their_standard_deviation() -> None:
    vae, inputs = calibrated(), torch.tensor([3.0, -1.0]).view(1, 2, 1, 1)
    posterior = vae.posterior(inputs)
    drawn = posterior.repeated(0, 40_000).sample(seeded()).flatten(1)
    torch.testing.assert_close(drawn.mean(0), inputs.flatten(), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.std(0), posterior.std.flatten(), atol=0.02, rtol=0)
    factor = vae.encoder.scale_tril
    torch.testing.assert_close(torch.cov(drawn.T), factor @ factor.T, atol=0.06, rtol=0)
    assert torch.equal(vae.encoder(inputs), torch.cat([posterior.mean, posterior.std], dim=1))


def test_places_of_a_grid_are_correlated_each_by_itself() -> None:
    correlation = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    drawn = Posterior(torch.zeros(3, 2, 4, 4), torch.ones(3, 2, 4, 4), correlation).sample(seeded())
    assert torch.equal(drawn[:, 0], drawn[:, 1])
    assert drawn[:, 0].unique().numel() == 3 * 16


def test_the_covariance_is_a_weight_once_it_is_set_and_leaves_means_as_they_are() -> None:
    vae, inputs = VAE(Halves(), Decoder()), torch.randn(5, 2, 1, 1, generator=seeded(1))
    plain = vae.posterior(inputs)
    assert not vae.state_dict()
    vae.encoder.scale_tril = torch.eye(2)  # and deviations of 1: no different samples, either
    assert list(vae.state_dict()) == ["encoder.scale_tril"]
    assert torch.equal(vae.posterior(inputs).mean, plain.mean)
    torch.testing.assert_close(vae.posterior(inputs).sample(seeded()), plain.sample(seeded()))


class Noisy(Decoder):
    """The latent plus noise of its own at each call; ``sizes`` are the batches that it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, latent: Tensor) -> Tensor:
        self.sizes.append(len(latent))
        return latent + torch.randn(latent.shape)


@pytest.mark.parametrize("count", [0, 1, CHUNK, 2 * CHUNK + 1])
def test_a_decoder_holds_few_images_at_a_time_each_with_its_own_noise(count: int) -> None:
    decoder, latents = Noisy(), torch.zeros(count, 3, 2, 2)
    images = decode_in_chunks(decoder, latents)
    assert images.shape == latents.shape
    assert sum(decoder.sizes) == count
    assert max(decoder.sizes) <= CHUNK
    assert len({tuple(image.flatten().tolist()) for image in images}) == count


def test_chunks_keep_the_order_of_the_latents() -> None:
    latents = torch.arange(3.0 * CHUNK - 1).reshape(-1, 1, 1, 1)
    assert torch.equal(decode_in_chunks(torch.nn.Identity(), latents), latents)


def test_antithetic_samples_have_the_mean_of_the_posterior_and_are_samples_like_any_other() -> None:
    correlation = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    one = Posterior(torch.tensor([[[[1.0]], [[-2.0]]]]), torch.tensor([[[[0.5]], [[2.0]]]]), correlation)
    drawn = one.repeated(0, 4000).antithetic_samples(torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn[0::2] + drawn[1::2], 2 * one.mean.expand(2000, 2, 1, 1))
    factor = one.std[0, :, 0] * correlation
    torch.testing.assert_close(torch.cov(drawn[:, :, 0, 0].T), factor @ factor.T, rtol=0.1, atol=0.03)
    odd = one.repeated(0, 5).antithetic_samples(torch.Generator().manual_seed(1))
    assert odd.shape == (5, 2, 1, 1)
    torch.testing.assert_close(odd[0] + odd[1], odd[2] + odd[3])
    assert not torch.allclose(odd[4], one.mean[0])
