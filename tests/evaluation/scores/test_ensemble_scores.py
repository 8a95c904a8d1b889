"""Distances between ensembles with known numbers; repeating one image is bad, however good the image."""

import numpy as np
import pytest

from pairvae.evaluation.scores.definitions import properties
from pairvae.evaluation.scores.ensemble_scores import (
    coverage,
    descriptor_space,
    ensemble_scores,
    frechet_distance,
    mean_distance,
    repeats,
)


def test_frechet_distance_of_normals() -> None:
    generator = np.random.default_rng(0)
    one = generator.normal(size=(4000, 3))
    one = (one - one.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(one.T, bias=True))).T
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(one, one + np.array([3, 0, 4])) == pytest.approx(25)
    # equal means, standard deviations s and 1 in each of three directions: 3 (s - 1)^2
    assert frechet_distance(2 * one, one) == pytest.approx(3)
    turned = one * [1, 2, 3]
    assert frechet_distance(turned, turned[:, ::-1]) == pytest.approx(2 * (3 - 1) ** 2)


def test_coverage_of_one_distribution_and_of_a_point() -> None:
    generator = np.random.default_rng(1)
    true, other = generator.normal(size=(2, 400, 4))
    assert coverage(other, true) == pytest.approx(1 - 2**-5, abs=0.03)
    assert coverage(np.repeat(true[:1], 400, axis=0), true) < 0.05
    assert coverage(true + 50, true) == 0


def test_root_mean_square_distance() -> None:
    assert mean_distance(np.array([[0.0, 0.0], [3.0, 4.0]])) == pytest.approx(5)
    assert mean_distance(np.zeros((4, 2))) == 0
    assert mean_distance(np.zeros((1, 2))) == 0


def test_repeats_counts_pixel_by_pixel() -> None:
    images = np.random.default_rng(2).integers(0, 2, (4, 8, 8)).astype(np.uint8)
    assert repeats(images) == 0
    assert repeats(np.concatenate([images, images])) == 0.5
    assert repeats(np.repeat(images[:1], 10, axis=0)) == 0.9


def noise_stripes(samples: int, crops: int, seed: int, period: float = 9.0) -> np.ndarray:
    """Stripes of about ``period`` px at random angles, specks on them: (samples, crops, 64, 64)."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:64, :64]
    images = []
    for angle, scale in zip(
        generator.normal(0, 0.4, samples), generator.normal(1, 0.08, samples), strict=True
    ):
        phase = generator.random((crops, 1, 1)) * 6
        across = (columns * np.cos(angle) + rows * np.sin(angle)) / (period * scale)
        images.append((np.cos(2 * np.pi * across + phase) > 0) ^ (generator.random((crops, 64, 64)) < 0.01))
    return np.stack(images).astype(np.uint8)


def vectors(images: np.ndarray, space: object = None) -> tuple[np.ndarray, object]:
    n, k = images.shape[:2]
    found = properties(images.reshape(n * k, *images.shape[2:]), "unbiased")
    shaped = {name: values.reshape(n, k, *values.shape[1:]) for name, values in found.items()}
    space = space or descriptor_space(shaped)
    return space.vectors(shaped), space  # type: ignore[attr-defined]


def test_good_ensemble_is_at_the_floor_and_one_repeated_true_image_is_not() -> None:
    true, space = vectors(noise_stripes(16, 4, seed=0))
    good = ensemble_scores(vectors(noise_stripes(16, 4, seed=1), space)[0], true, seed=0)
    assert good["frechet"] < 1.6 * good["frechet_floor"]
    assert good["coverage"] > 0.8 and good["diversity"] == pytest.approx(1, abs=0.3)
    sharp = np.repeat(np.repeat(noise_stripes(16, 4, seed=0)[:1, :1], 16, axis=0), 4, axis=1)
    repeated = ensemble_scores(vectors(sharp, space)[0], true, seed=0)
    assert repeated["diversity"] == pytest.approx(0, abs=1e-9)
    assert repeated["coverage"] < 0.2
    assert repeated["frechet"] > 2 * good["frechet"]


def test_wrong_spacing_is_far_from_the_truth_in_spite_of_its_diversity() -> None:
    true, space = vectors(noise_stripes(16, 4, seed=0))
    wrong = ensemble_scores(vectors(noise_stripes(16, 4, seed=1, period=14.0), space)[0], true, seed=0)
    assert wrong["diversity"] > 0.5
    assert wrong["frechet"] > 10 * wrong["frechet_floor"]
    assert wrong["coverage"] < 0.2


def test_scores_repeat_and_single_samples_have_no_floor() -> None:
    true, _ = vectors(noise_stripes(4, 4, seed=0))
    assert ensemble_scores(true, true, seed=0) == ensemble_scores(true, true, seed=0)
    assert "frechet_floor" not in ensemble_scores(true[:1], true[:1], seed=0)


def test_blank_images_are_far_from_all_others() -> None:
    images = noise_stripes(6, 4, seed=0)
    true, space = vectors(images)
    blank, _ = vectors(np.zeros_like(images), space)
    assert np.isfinite(blank).all()
    assert ensemble_scores(blank, true, seed=0)["coverage"] == 0
