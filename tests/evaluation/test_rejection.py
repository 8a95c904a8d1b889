"""Ensembles by rejection: what is kept fulfils the wishes, the acceptance is told, an impossible wish ends."""

import numpy as np
import pytest

from pairvae.evaluation.rejection import TRIES, Range, draw

CENTRE, DEVIATION = np.full((1, 1, 1), 0.5, np.float32), np.full((1, 1, 1), 0.1, np.float32)


def noisy(latent: np.ndarray, seed: int) -> np.ndarray:
    """An image whose bright fraction is the latent."""
    return (np.random.default_rng(seed).random((64, 64)) < latent[0, 0, 0]).astype(np.uint8)


def test_without_wishes_all_are_kept() -> None:
    found = draw(noisy, CENTRE, DEVIATION, 20, {}, np.random.default_rng(0))
    assert (found.images.shape, found.latents.shape, found.drawn, found.acceptance) == (
        (20, 64, 64), (20, 1, 1, 1), 20, 1.0,
    )  # fmt: skip
    assert len(np.unique(found.seeds)) == 20
    np.testing.assert_array_equal(noisy(found.latents[7], int(found.seeds[7])), found.images[7])


def test_what_is_kept_fulfils_the_wishes() -> None:
    """A third of a normal's draws lie above its mean plus 0.43 standard deviations."""
    found = draw(noisy, CENTRE, DEVIATION, 60, {"phase_fraction": Range(0.543, 1)}, np.random.default_rng(1))
    assert len(found.images) == 60
    assert (found.images.mean((1, 2)) >= 0.543).all()
    assert found.acceptance == pytest.approx(1 / 3, abs=0.12)


def test_an_impossible_wish_ends() -> None:
    found = draw(noisy, CENTRE, DEVIATION, 2, {"phase_fraction": Range(2, 3)}, np.random.default_rng(2))
    assert (len(found.images), found.drawn, found.acceptance) == (0, 2 * TRIES, 0.0)


def test_ranges_hold_their_ends_and_no_nan() -> None:
    np.testing.assert_array_equal(
        Range(1, 2).holds(np.array([0.9, 1, 2, 2.1, np.nan])), [False, True, True, False, False]
    )


def test_latents_are_normal_around_the_centre_in_the_order_of_the_generator() -> None:
    for wishes in ({}, {"phase_fraction": Range(0.0, 1.0)}):
        found = draw(noisy, CENTRE, DEVIATION, 3, wishes, np.random.default_rng(5))
        generator = np.random.default_rng(5)
        size = 16 if wishes else 3
        noise = generator.standard_normal((size, 1, 1, 1)).astype(np.float32)
        np.testing.assert_array_equal(found.latents, (CENTRE + DEVIATION * noise)[:3])
        np.testing.assert_array_equal(found.seeds, generator.integers(0, 2**62, size)[:3])


def test_acceptance_of_nothing_is_zero() -> None:
    found = draw(noisy, CENTRE, DEVIATION, 0, {}, np.random.default_rng(0))
    assert (len(found.images), found.drawn, found.acceptance, found.descriptors) == (0, 0, 0.0, {})
