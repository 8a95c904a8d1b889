"""Latents of one VAE from those of another: shapes, and a law that holds between them."""

import numpy as np

from pairvae.evaluation.baselines.dual_vae import by_view, mapped_latents


def test_one_pattern_to_the_mean_latent_of_its_crops_and_back() -> None:
    generator = np.random.default_rng(0)
    pattern = generator.standard_normal((20, 1, 4))
    crops = pattern @ generator.standard_normal((4, 6)) + 0.1 * generator.standard_normal((20, 5, 6))
    train = list(range(15))
    there = mapped_latents(pattern, crops, train)
    back = mapped_latents(crops, pattern, train)
    assert there.shape == (20, 1, 6) and back.shape == (20, 5, 4)
    assert np.abs(there[15:, 0] - crops[15:].mean(1)).mean() < 0.15
    assert np.abs(back[15:] - pattern[15:]).mean() < 0.25 * np.abs(pattern[15:]).mean()


def test_only_training_samples_are_looked_at() -> None:
    generator = np.random.default_rng(1)
    source, target = generator.standard_normal((8, 1, 3)), generator.standard_normal((8, 2, 3))
    changed = target.copy()
    changed[6:] = 9.0
    np.testing.assert_array_equal(
        mapped_latents(source, target, range(6)), mapped_latents(source, changed, range(6))
    )


def test_views_are_counted_from_the_samples() -> None:
    latents = {"saxs": np.zeros((4, 3, 2, 2)), "sem": np.zeros((12, 3, 2, 2))}
    assert {name: part.shape for name, part in by_view(latents, 4).items()} == {
        "saxs": (4, 1, 12),
        "sem": (4, 3, 12),
    }
