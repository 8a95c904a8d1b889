"""Likelihoods against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pairvae.models.likelihoods import PIXEL_LIKELIHOODS, TextureMatch
from pairvae.models.vae import Decoder
from pairvae.numerics import texture


class Fixed(Decoder):
    """Shows the same raw image, whatever the latent; remembers the side it was asked for."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image
        self.asked: int | None = None

    def raw(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        self.asked = size
        return self.image.expand(len(latent), -1, -1, -1)


LATENT = torch.zeros(2, 1, 1, 1)
INDICES = torch.tensor([0, 1])


def value(name: str, raw: float, true: float) -> float:
    inputs = torch.full((2, 1, 4, 4), true)
    decoder = Fixed(torch.full((1, 1, 4, 4), raw))
    return float(PIXEL_LIKELIHOODS[name](decoder, LATENT, inputs, INDICES, torch.Generator()))


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
    return float(found)


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
