"""Ensembles against known numbers: exact coverage, spreads of known ratio, repeated images."""

import numpy as np
import pytest
import torch

from pairvae.evaluation.uncertainty import (
    coverage,
    describe,
    diversity,
    draw_images,
    mean_curve_errors,
    repeated,
    uncertainty,
)
from pairvae.models.build import build_vae
from pairvae.models.vae import CHUNK, VAE
from pairvae.settings import CompactNetwork, LatentSettings, TextureNetwork

LATENT = LatentSettings(channels=3, grid=1)
COMPACT = CompactNetwork(architecture="compact", components=2, width=8, pool=1)
TEXTURE = TextureNetwork(
    architecture="texture", components=2, width=8, noise_channels=4, block_widths=(4, 4, 4)
)


def normals(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def blobs(n: int, k: int, side: int = 64, seed: int = 0) -> np.ndarray:
    """Random images of different phase fractions."""
    generator = np.random.default_rng(seed)
    threshold = generator.uniform(0.3, 0.7, (n, k, 1, 1))
    return (
        (generator.random((n, k, side // 8, side // 8)) < threshold)
        .repeat(8, 2)
        .repeat(8, 3)
        .astype(np.uint8)
    )


@pytest.fixture
def vaes() -> tuple[VAE, VAE]:
    saxs = build_vae(COMPACT, LATENT, (3, 8, 8), seed=0).eval()
    return saxs, build_vae(TEXTURE, LATENT, (1, 32, 32), seed=0).eval()


@pytest.mark.parametrize("draws", [4, 9, 16, 19, 100])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_exchangeable_draws_cover_the_level_whatever_their_number(draws: int, level: float) -> None:
    """The mean over all K + 1 ranks that a true value can take is the level, exactly."""
    drawn = np.tile(np.arange(draws, dtype=float), (draws + 1, 1))
    true = np.arange(draws + 1)[:, None] - 0.5
    assert coverage(drawn, true, level).mean() == pytest.approx(level)


def test_coverage_of_normals() -> None:
    drawn, true = normals(200, 16), normals(200, 50, seed=1)
    assert coverage(drawn, true).mean() == pytest.approx(0.9, abs=0.015)
    half = 0.5 * normals(200, 400)
    assert coverage(half, true).mean() == pytest.approx(0.589, abs=0.02), "too narrow: P(|x| < 0.82)"
    assert coverage(3 * drawn, true).mean() > 0.98, "too wide"
    beside = coverage(normals(5, 19), normals(5, 4) + 10)
    assert beside == pytest.approx(np.zeros((5, 4))), "beside the truth"


def test_equal_values_share_their_ranks() -> None:
    """A constant that is predicted as such is covered like any other true prediction, not always and not never."""
    assert coverage(np.ones((1, 9)), np.ones((1, 4))) == pytest.approx(np.full((1, 4), 0.9))


def test_what_is_not_finite_does_not_count() -> None:
    drawn = np.concatenate([np.arange(9.0), [np.nan] * 3])[None]
    true = np.array([[4.5, np.nan]])
    found = coverage(drawn, true)
    assert found[0, 0] == coverage(np.arange(9.0)[None], true[:, :1])[0, 0] == 1.0
    assert np.isnan(found[0, 1])


def test_mean_curves_of_known_distance() -> None:
    drawn = np.stack([np.full((2, 5), 0.2), np.full((2, 5), 0.4)], axis=1)
    true = np.stack([np.full((2, 5), 0.3), np.full((2, 5), 0.5)], axis=1)
    found = mean_curve_errors(drawn, true)
    np.testing.assert_allclose(found["per_crop"], [[0.0, 0.2]] * 2, atol=1e-12)
    np.testing.assert_allclose(found["per_sample"], [0.1, 0.1])


def test_diversity_is_the_ratio_of_spreads() -> None:
    true = normals(40, 30)
    same = diversity(true[:, ::-1], true)
    assert same == pytest.approx({"same_sample": 1.0, "pooled": 1.0})
    narrow = true.mean(1, keepdims=True) + 0.5 * (true - true.mean(1, keepdims=True))
    assert diversity(narrow, true)["same_sample"] == pytest.approx(0.5)
    offsets = 10 * np.arange(40.0)[:, None]
    spread = diversity(0.5 * true + offsets, true + offsets)
    assert spread["same_sample"] == pytest.approx(0.5)
    assert spread["pooled"] == pytest.approx(1.0, abs=0.01), "between samples nothing differs"
    curves = np.stack([true, 2 * true], axis=-1)
    assert diversity(3 * curves, curves)["same_sample"] == pytest.approx(3.0)


def test_repeated_images_are_counted_once_a_pair() -> None:
    images = blobs(3, 4)
    assert repeated(images) == 0
    images[1, 2] = images[1, 0]
    images[2, :3] = images[2, 0]
    assert repeated(images) == 1 + 3
    assert repeated(np.stack([images[0], 1 - images[0]], 1).reshape(1, 8, 64, 64)) == 0, (
        "inverted is not repeated"
    )


def test_uniform_images_are_repeated_images() -> None:
    assert repeated(np.zeros((1, 3, 8, 8), np.uint8)) == 3


def test_descriptors_have_their_shapes_and_known_values() -> None:
    images = blobs(2, 3)
    found = describe(images, "unbiased")
    assert found.s2.shape == (2, 3, 32)
    np.testing.assert_allclose(found.numbers["phase_fraction"], images.mean((2, 3)))
    np.testing.assert_allclose(found.numbers["s2_at_8"], found.s2[..., 8])
    assert "s2_at_32" not in found.numbers, "the curve ends before"
    spots = np.zeros((1, 1, 100, 100), np.uint8)
    spots[0, 0, 10::20, 10::20] = 1
    assert describe(spots, "unbiased").numbers["euler_density"] == pytest.approx(25.0, rel=0.03)


def test_uncertainty_of_the_truth_itself_is_right() -> None:
    true = describe(blobs(8, 20), "unbiased")
    drawn = describe(blobs(8, 20, seed=1), "unbiased")
    found = uncertainty(drawn, true)
    assert found["coverage"]["phase_fraction"]["value"] == pytest.approx(0.9, abs=0.06)
    assert found["diversity"]["phase_fraction"]["same_sample"] == pytest.approx(1.0, abs=0.15)
    assert found["diversity"]["s2"]["pooled"] == pytest.approx(1.0, abs=0.15)
    assert set(found["coverage"]) == set(true.numbers)
    assert set(found["diversity"]) == {"s2", *true.numbers}


def test_what_has_no_spread_is_left_out() -> None:
    stripes = np.broadcast_to(np.arange(64) % 8 < 4, (2, 3, 64, 64)).astype(np.uint8)
    found = uncertainty(describe(stripes, "unbiased"), describe(stripes, "unbiased"))
    assert "phase_fraction" not in found["diversity"]
    assert found["coverage"]["phase_fraction"]["value"] == pytest.approx(0.9)
    blank = describe(np.zeros((2, 3, 64, 64), np.uint8), "unbiased")
    assert "domain_spacing" not in uncertainty(blank, blank)["coverage"]


def test_drawn_images_differ_and_repeat_with_their_seed(vaes: tuple[VAE, VAE]) -> None:
    inputs = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    images = draw_images(*vaes, inputs, CHUNK + 2, seed=0)
    assert images.shape == (2, CHUNK + 2, 32, 32)
    assert set(np.unique(images)) == {0, 1}
    assert repeated(images) == 0
    np.testing.assert_array_equal(images, draw_images(*vaes, inputs, CHUNK + 2, seed=0))
    assert (images != draw_images(*vaes, inputs, CHUNK + 2, seed=1)).any()
    assert (images[0] != images[1]).any()


def test_diversity_of_known_variances_and_of_what_is_not_finite() -> None:
    true = np.array([[0.0, 2.0, 4.0], [1.0, 1.0, np.nan], [np.nan, np.nan, 3.0]])
    drawn = np.array([[0.0, 4.0, 8.0], [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    found = diversity(drawn, true)
    within = np.mean([16.0, 0.0, 0.0]) / np.mean([4.0, 0.0])  # the third sample shows one value alone
    assert found["same_sample"] == pytest.approx(np.sqrt(within))
    pooled = np.var(drawn, ddof=1) / np.var([0.0, 2.0, 4.0, 1.0, 1.0, 3.0], ddof=1)
    assert found["pooled"] == pytest.approx(np.sqrt(pooled))
