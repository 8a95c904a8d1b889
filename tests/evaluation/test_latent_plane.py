"""The plane through a latent space."""

from __future__ import annotations

import numpy as np
import pytest

from pairvae.evaluation.latent_plane import latent_at, plane_of


def test_a_latent_is_found_again_at_its_own_point() -> None:
    latents = np.random.default_rng(0).standard_normal((20, 4, 1, 1))
    plane = plane_of(latents)
    for point, latent in zip(plane.points, latents, strict=True):
        assert np.allclose(latent_at(plane, *point), latent.ravel(), atol=1e-6)


def test_axes_are_the_directions_of_most_variance() -> None:
    rng = np.random.default_rng(1)
    latents = rng.standard_normal((500, 5)) * np.array([0.1, 3.0, 0.1, 1.0, 0.1])
    plane = plane_of(latents)
    assert np.allclose(np.abs(plane.axes[0]), [0, 1, 0, 0, 0], atol=0.05)
    assert np.allclose(np.abs(plane.axes[1]), [0, 0, 0, 1, 0], atol=0.05)
    assert np.allclose(plane.axes @ plane.axes.T, np.eye(2))
    assert plane.shares[0] == pytest.approx(9 / 10.03, abs=0.03)


def test_latents_in_a_plane_have_nothing_beside_it() -> None:
    latents = np.random.default_rng(2).standard_normal((10, 2)) @ np.array([[1.0, 0, 2, 0], [0, 1, 0, 1]])
    plane = plane_of(latents)
    assert np.allclose(plane.residuals, 0)
    assert np.allclose(latent_at(plane, 0.0, 0.0), latents.mean(0))


def test_the_plane_needs_two_latents_of_two_values() -> None:
    for shape in ((1, 4), (4, 1)):
        with pytest.raises(ValueError, match="two latents of two values"):
            plane_of(np.zeros(shape))
