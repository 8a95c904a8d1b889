"""Decoded textures follow the spacing that their latents know: settled after the training, on training pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pairvae.calibration.correction import CalibrationData, Correction
from pairvae.calibration.length_scale import correct, share_of_gap
from pairvae.models.pair import PairVAE
from pairvae.models.texture import TextureDecoder
from pairvae.models.vae import VAE, Encoder
from pairvae.numerics.texture_statistics import wave_numbers
from pairvae.settings import resolve

SIDE, PERIOD, CHANNELS, PAIRS, EACH = 96, 12.0, 2, 20, 4


def stripes(periods: Tensor, phases: Tensor) -> Tensor:
    rows = torch.arange(SIDE)[None, None, :, None]
    wave = torch.sin(2 * torch.pi * (rows / periods[:, None, None, None] + phases[:, None, None, None]))
    return wave.expand(-1, 1, SIDE, SIDE)


class KnowsSpacing(Encoder):
    """Its first channel is ten times the logarithm of a crop's spacing over 12 px, its second is nothing."""

    def features(self, inputs: Tensor) -> Tensor:
        return inputs

    def head(self, features: Tensor) -> Tensor:
        first = -10 * (wave_numbers(features) + np.log(PERIOD))
        mean = torch.cat([first, torch.zeros_like(first)], dim=1)
        return torch.cat([mean, torch.full_like(mean, 0.01)], dim=1)[:, :, None, None]


class Stripes(TextureDecoder):
    """Draws stripes as far apart as its ``lengths`` ask for, and otherwise the same whatever the latent."""

    def logits(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        factor = 1.0 + self.stretch * torch.tanh(self.lengths(self.mapping(latent)).mean((2, 3)))[:, 0]
        return stripes(PERIOD * factor, torch.rand(len(latent), generator=generator))


def follow_lengths(crops: np.ndarray, vae: VAE, seed: int) -> Correction:
    data = CalibrationData({"sem": crops[:, :, None]}, [str(row) for row in range(len(crops))], len(crops))
    (found,) = correct(PairVAE({"sem": vae}), data, resolve({}).pair.calibration, seed)
    return found


@pytest.fixture
def crops() -> np.ndarray:
    torch.manual_seed(1)
    periods = PERIOD * torch.exp(torch.linspace(-0.08, 0.08, PAIRS * EACH))
    images = (stripes(periods, torch.rand(len(periods))) >= 0).numpy().astype(np.uint8)
    order = np.random.default_rng(2).permutation(len(images))
    return images[order].reshape(PAIRS, EACH, SIDE, SIDE)


def response(vae: VAE, crops: np.ndarray, draws: int = 16) -> tuple[float, float]:
    """Slope of decoded on true wave numbers, and the ratio of their standard deviations: means over ``draws``.

    The phases of one decoding alone move either by 0.01.
    """
    images = torch.from_numpy(crops.reshape(-1, 1, SIDE, SIDE).astype(np.float32))
    true = wave_numbers(images)[:, 0].numpy()
    found = []
    with torch.no_grad():
        latent = vae.posterior(images).mean
        for _ in range(draws):
            wave = wave_numbers((vae.decoder.logits(latent) >= 0).float())[:, 0].numpy()
            found.append((np.polyfit(true, wave, 1)[0], wave.std() / true.std()))
    slope, spread = np.mean(found, 0)
    return float(slope), float(spread)


def made(kind: type[TextureDecoder] = Stripes, stretch: float = 0.2) -> VAE:
    torch.manual_seed(0)
    return VAE(KnowsSpacing(), kind(SIDE, CHANNELS, 4, (4, 4), stretch))


def test_decoded_spacings_vary_as_true_ones(crops: np.ndarray) -> None:
    vae = made()
    slope, spread = response(vae, crops)
    assert abs(slope) < 0.05 and spread < 0.2
    others = {name: value.clone() for name, value in vae.state_dict().items() if "lengths" not in name}
    done = follow_lengths(crops, vae, seed=0)
    assert done.before < 0.2 * done.target and done.after == pytest.approx(done.target, rel=0.2)
    slope, spread = response(vae, crops)
    assert 0.9 < slope < 1.1 and 0.9 < spread < 1.1
    assert all(torch.equal(vae.state_dict()[name], value) for name, value in others.items())
    follow_lengths(crops, vae, seed=3)
    assert spread - 0.02 < response(vae, crops)[1] < 1.05  # comes nearer, and does not go past


def test_equal_seeds_give_equal_weights_and_leave_other_draws_alone(crops: np.ndarray) -> None:
    first, second = made(), made()
    torch.manual_seed(5)
    follow_lengths(crops, first, seed=7)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)
    follow_lengths(crops, second, seed=7)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_two_pairs_and_decoders_without_a_stretch_stay_as_they_are(crops: np.ndarray) -> None:
    few, plain = made(), made(TextureDecoder, 0.0)
    before = [{name: value.clone() for name, value in one.state_dict().items()} for one in (few, plain)]
    assert "fewer than 3" in follow_lengths(crops[:2], few, seed=0).reason
    assert "stretch" in follow_lengths(crops, plain, seed=0).reason
    for one, weights in zip((few, plain), before, strict=True):
        assert all(torch.equal(one.state_dict()[name], value) for name, value in weights.items())


def test_the_share_gives_the_wanted_variance_and_never_overshoots() -> None:
    draw = np.random.default_rng(0)
    wanted = draw.normal(0, 1.0, 400)
    found = 0.5 * wanted + draw.normal(0, 0.3, 400)
    gap = 0.9 * (0.5 * wanted - wanted)
    share = share_of_gap(wanted, found, gap)
    assert 0.5 < share < 1
    assert (found - share * gap).var() == pytest.approx(wanted.var())
    assert share_of_gap(wanted, 2 * wanted, gap) == 0  # varies enough
    assert share_of_gap(wanted, found, np.zeros(400)) == 0  # latents tell nothing
    assert share_of_gap(wanted, found, 0.01 * gap) == 1  # more than is known is not added
