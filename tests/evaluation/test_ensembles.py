from __future__ import annotations

import numpy as np
import pytest
import torch

from pairvae.evaluation.ensembles import centres, ensembles
from pairvae.evaluation.scores.definitions import curves
from pairvae.evaluation.scores.reconstruct import EvaluationSet
from pairvae.models.build import build_vae
from pairvae.models.vae import VAE, Decoder, Encoder
from pairvae.settings import CompactNetwork, GenerateSettings, LatentSettings

NETWORK = CompactNetwork(architecture="compact", components=3, width=8, pool=1)
SETTINGS = GenerateSettings(samples=7, scales=(0.5, 2.0))
NAMES = ["dots", "dots", "lines", "dots", "lines"]


@pytest.fixture
def what() -> EvaluationSet:
    crops = np.random.default_rng(0).integers(0, 2, (5, 2, 16, 16), dtype=np.uint8)
    return EvaluationSet(np.zeros((5, 3, 4, 4), np.float32), crops, [0, 2], [1, 3, 4], NAMES, "unbiased", 0)


@pytest.fixture
def vaes() -> dict[str, VAE]:
    vae = build_vae(NETWORK, LatentSettings(channels=2, grid=1), (1, 16, 16), seed=0).eval()
    vae.decoder.fit(torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0)))
    return {"sem": vae}


LATENTS = np.random.default_rng(1).standard_normal((5, 2, 1, 1)).astype(np.float32)


def test_centre_is_the_first_validation_sample_of_each_morphology(what: EvaluationSet) -> None:
    assert centres(what) == {"dots": 1, "lines": 4}
    unknown = EvaluationSet(what.patterns, what.crops, [0], [2, 3], [None] * 5, "unbiased", 0)
    assert centres(unknown) == {"all": 2}


def test_one_ensemble_a_morphology(what: EvaluationSet, vaes: dict[str, VAE]) -> None:
    found = ensembles(vaes, LATENTS, what, SETTINGS)
    assert set(found) == {"dots", "lines"}
    dots = found["dots"]
    assert (dots.sample, dots.scale) == (1, 0.5)
    assert dots.images.shape == (7, 16, 16)
    assert dots.errors.shape == (7,)
    np.testing.assert_allclose(dots.s2, curves(dots.images, "unbiased")["s2"])
    expected = np.abs(dots.s2[2] - curves(what.crops[1], "unbiased")["s2"][0]).mean()
    assert dots.errors[2] == pytest.approx(expected)


def test_ensembles_repeat(what: EvaluationSet, vaes: dict[str, VAE]) -> None:
    first, again = (ensembles(vaes, LATENTS, what, SETTINGS)["dots"].images for _ in range(2))
    assert (first == again).all()


class Recording(Decoder):
    """Grey images, and the latents they were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        self.seen.append(latent)
        return latent.mean((1, 2, 3))[:, None, None, None].expand(-1, 1, 16, 16)


def test_scale_is_that_of_the_variance_over_all_patterns(what: EvaluationSet) -> None:
    decoder = Recording()
    found = []
    for scale in (1.0, 4.0):
        decoder.seen.clear()
        ensembles({"sem": VAE(Encoder(), decoder)}, LATENTS, what, SETTINGS, scale=scale)
        found.append(torch.cat(decoder.seen)[: SETTINGS.samples] - LATENTS[1])
    one, four = found
    torch.testing.assert_close(four, 2 * one)
    deviations = one / torch.from_numpy(LATENTS.std(0))
    assert 0.6 < float(deviations.std()) < 1.5


def test_no_variance_gives_one_image(what: EvaluationSet, vaes: dict[str, VAE]) -> None:
    images = ensembles(vaes, LATENTS, what, SETTINGS, scale=0.0)["dots"].images
    assert (images == images[0]).all()
    spread = ensembles(vaes, 10 * LATENTS, what, SETTINGS, scale=4.0)["dots"].images
    assert (spread != spread[0]).any()


def test_morphologies_have_their_own_noise(what: EvaluationSet) -> None:
    decoder = Recording()
    still = np.zeros_like(LATENTS)
    asked: list[int] = []
    original = torch.manual_seed

    def manual_seed(seed: int) -> torch.Generator:
        asked.append(seed)
        return original(seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "manual_seed", manual_seed)
        ensembles({"sem": VAE(Encoder(), decoder)}, still, what, SETTINGS)
    assert asked == [what.seed, what.seed + 1]


def test_no_ensembles_where_the_second_modality_is_no_image(what: EvaluationSet) -> None:
    curves_only = EvaluationSet(
        what.patterns, what.patterns[:, None], [0, 2], [1, 3, 4], NAMES, "unbiased", 0, ("saxs", "iq")
    )
    assert ensembles({}, LATENTS, curves_only, SETTINGS) == {}
