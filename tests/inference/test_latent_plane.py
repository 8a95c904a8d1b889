"""The plane through a latent space."""

import numpy as np
import pytest

from pairvae.inference.latent_plane import latent_at, plane_of


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


def test_plane_is_that_of_largest_variance_and_its_axes_point_the_same_way() -> None:
    generator = np.random.default_rng(4)
    flat = generator.standard_normal((50, 2)) * (5.0, 2.0)
    axes = np.array([[0.6, -0.8, 0.0], [0.0, 0.0, 1.0]])
    latents = flat @ axes + 7.0
    found = plane_of(latents)
    np.testing.assert_allclose(found.residuals, 0, atol=1e-9)
    np.testing.assert_allclose(np.abs(found.axes @ found.axes.T), np.eye(2), atol=1e-9)
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in found.axes)
    np.testing.assert_allclose(found.mean + found.points @ found.axes, latents)
    values = np.linalg.eigvalsh(np.cov(latents, rowvar=False))[::-1]
    assert found.shares == pytest.approx(tuple(values[:2] / values.sum()))
