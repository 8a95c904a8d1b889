"""Likelihoods against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pairvae.models.likelihoods import PIXEL_LIKELIHOODS, TextureMatch, posterior_divergence
from pairvae.models.posterior import Posterior
from pairvae.models.vae import Decoder
from pairvae.numerics import texture_statistics as texture


class Fixed(Decoder):
    """Shows the same raw tile, whatever the latent; remembers the side it was asked for."""

    periodic = True

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image
        self.asked: int | None = None

    def logits(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        self.asked = size
        return self.image.expand(len(latent), -1, -1, -1)


LATENT = torch.zeros(2, 1, 1, 1)
INDICES = torch.tensor([0, 1])


def value(name: str, raw: float, true: float) -> float:
    inputs = torch.full((2, 1, 4, 4), true)
    decoder = Fixed(torch.full((1, 1, 4, 4), raw))
    return float(PIXEL_LIKELIHOODS[name](decoder, LATENT, inputs, INDICES, torch.Generator()).loss)


def test_known_numbers() -> None:
    assert value("mse", 0.5, 0.1) == pytest.approx(0.16)
    assert value("mae", 0.5, 0.1) == pytest.approx(0.4)
    assert value("bernoulli", 0.0, 1.0) == pytest.approx(math.log(2))
    assert value("bernoulli", 2.0, 0.0) == pytest.approx(math.log(1 + math.exp(2)))


def test_every_pixel_likelihood_is_best_at_the_truth() -> None:
    assert value("mse", 0.3, 0.3) == 0
    assert value("mae", 0.3, 0.3) == 0
    assert value("bernoulli", 50.0, 1.0) < 1e-6


def stripes(period: int) -> Tensor:
    return (torch.arange(64) % period < period // 2).float().expand(1, 1, 64, 64)


def match(targets: dict[str, Tensor], image: Tensor, weight: float = 1.0) -> float:
    likelihood = TextureMatch(targets, dict.fromkeys(targets, weight), 64)
    decoder = Fixed(40 * (image - 0.5))
    found = likelihood(decoder, LATENT[:1], torch.zeros(1, 1, 8, 8), torch.tensor([1]), torch.Generator())
    assert decoder.asked == 64
    assert found.images is not None and torch.equal(found.images, torch.sigmoid(40 * (image - 0.5)))
    return float(found.loss)


def test_texture_match_is_0_for_the_sample_it_is_asked_for_wherever_it_lies() -> None:
    tables = [
        texture.statistics(stripes(period), periodic=True, names=("autocovariance",)) for period in (16, 8)
    ]
    targets = {"autocovariance": torch.cat([table["autocovariance"] for table in tables])}
    assert match(targets, stripes(8)) == pytest.approx(0, abs=1e-5)
    assert match(targets, stripes(8).roll(3, dims=-1)) == pytest.approx(0, abs=1e-5)
    assert match(targets, stripes(16)) > 0.05


def test_texture_match_weighs_its_parts() -> None:
    tables = [texture.statistics(stripes(period), periodic=True) for period in (16, 8)]
    targets = {name: torch.cat([table[name] for table in tables]) for name in texture.NAMES}
    assert match(targets, stripes(16), 2.0) == pytest.approx(2 * match(targets, stripes(16)), rel=1e-5)


def test_texture_match_without_targets_compares_with_the_crop_itself() -> None:
    likelihood = TextureMatch(None, {"autocovariance": 1.0, "phase_fraction": 1.0, "filters": 0.0}, 64)
    assert likelihood.names == ("autocovariance", "phase_fraction")

    def loss(shown: Tensor, crop: Tensor) -> float:
        decoder = Fixed(40 * (shown - 0.5))
        return float(likelihood(decoder, LATENT[:1], crop, torch.tensor([7]), torch.Generator()).loss)

    # of a window only the pairs inside are counted, of a decoded tile those across its border, too
    assert loss(stripes(8), stripes(8).repeat(1, 1, 4, 4)) == pytest.approx(0, abs=0.004)
    assert loss(stripes(16), stripes(8)) > 0.05
    assert loss(stripes(8), stripes(8).repeat(1, 1, 4, 4)) < 0.004, "another crop, not the one before"
    assert loss(stripes(8), torch.ones(1, 1, 64, 64)) > 0.5, "the phase fraction is 0.5, not 1"


def normal(mean: float, std: float) -> Posterior:
    return Posterior(torch.full((3, 2, 1, 1), mean), torch.full((3, 2, 1, 1), std))


def test_divergence_of_known_normals() -> None:
    torch.testing.assert_close(posterior_divergence(normal(0.3, 0.2), normal(0.3, 0.2)), torch.zeros(3))
    torch.testing.assert_close(
        posterior_divergence(normal(1.0, 1.0), normal(0.0, 1.0)), torch.full((3,), 1.0)
    )
    expected = 2 * (math.log(2.0) + 1 / 8 - 0.5)
    torch.testing.assert_close(
        posterior_divergence(normal(0.0, 1.0), normal(0.0, 2.0)), torch.full((3,), expected)
    )


def test_the_posterior_without_crops_takes_the_mean_and_the_spread_of_those_of_the_crops() -> None:
    crops = Posterior(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1), torch.full((2, 1, 1, 1), 0.5))
    mean, scale = torch.tensor(0.7, requires_grad=True), torch.tensor(0.3, requires_grad=True)
    optimiser = torch.optim.Adam([mean, scale], lr=0.05)
    for _ in range(300):
        pattern = Posterior(mean.expand(2, 1, 1, 1), scale.exp().expand(2, 1, 1, 1))
        loss = posterior_divergence(crops, pattern).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(mean.detach()) == pytest.approx(0.0, abs=0.01)
    assert float(scale.detach().exp()) == pytest.approx(math.sqrt(1.0 + 0.25), rel=0.01)


def test_the_covered_posterior_is_not_pulled() -> None:
    crops = Posterior(torch.zeros(2, 1, 1, 1, requires_grad=True), torch.ones(2, 1, 1, 1, requires_grad=True))
    pattern = Posterior(torch.ones(2, 1, 1, 1, requires_grad=True), torch.ones(2, 1, 1, 1))
    posterior_divergence(crops, pattern).sum().backward()
    assert crops.mean.grad is None
    assert crops.std.grad is None
    assert pattern.mean.grad is not None
