"""Covariances and widths, against known ones."""

import numpy as np
import pytest
import torch

from pairvae.calibration.latents import feature_weights
from pairvae.calibration.posterior_covariance import scale_tril_of
from pairvae.calibration.variance_matching import WIDEST, match_variance
from pairvae.models.compact import CompactEncoder
from pairvae.numerics.ridge import ridge

FACTOR = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.0, 1.5]])
FOLLOWED = np.array([0.5, -1.0, 0.25])


def known(samples: int, crops: int, factor: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Residuals ``(N, K, C, 1)`` with covariance D factor factor^T D, D the square roots of std ``(N, C, 1)``."""
    noise = np.random.default_rng(0).standard_normal((samples, crops, len(factor)))
    return (noise @ factor.T)[..., None] * np.sqrt(std)[:, None]


def test_the_factor_of_residuals_of_known_covariance_is_found() -> None:
    factor = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.0, 1.5]])
    std = np.random.default_rng(1).uniform(0.2, 3.0, (400, 3, 1))
    found = scale_tril_of(known(400, 100, factor, std), np.zeros((400, 100, 3, 1)), std)
    np.testing.assert_allclose(found, factor, atol=0.03)
    assert (np.triu(found, 1) == 0).all()


def test_a_right_posterior_stays_as_wide_as_it_is() -> None:
    std = np.full((300, 4, 1), 0.25)
    residuals = 0.25 * np.random.default_rng(0).standard_normal((300, 100, 4, 1))
    found = scale_tril_of(residuals, np.zeros((300, 100, 4, 1)), std)
    np.testing.assert_allclose(np.sqrt(0.25) * found, 0.25 * np.eye(4), atol=0.01)


def test_the_crops_own_posteriors_add_their_variance() -> None:
    std = np.full((2, 3, 1), 4.0)
    found = scale_tril_of(np.zeros((2, 5, 3, 1)), np.full((2, 5, 3, 1), 1.0), std)
    np.testing.assert_allclose(found, 0.5 * np.eye(3))


def test_places_of_a_grid_count_as_crops() -> None:
    residuals = np.random.default_rng(0).standard_normal((6, 4, 3, 9))
    own, std = np.full((6, 4, 3, 9), 0.1), np.ones((6, 3, 9))
    apart = residuals.transpose(0, 1, 3, 2).reshape(6, 36, 3, 1)
    found = scale_tril_of(apart, np.full((6, 36, 3, 1), 0.1), np.ones((6, 3, 1)))
    np.testing.assert_allclose(scale_tril_of(residuals, own, std), found)


def drawn(noise: float, factor: np.ndarray = FACTOR) -> tuple[np.ndarray, np.ndarray]:
    """Draws ``(60, 80, 3)`` and values that follow them, with noise and an offset of each sample."""
    generator = np.random.default_rng(0)
    draws = generator.standard_normal((60, 80, 3)) @ factor.T
    own = generator.standard_normal((60, 1))
    return draws, draws @ FOLLOWED + own + noise * generator.standard_normal((60, 80))


@pytest.mark.parametrize("wanted", [0.5, 1.0, 4.0])
def test_draws_get_the_width_that_their_values_shall_have(wanted: float) -> None:
    found = match_variance(FACTOR, *drawn(0.3), wanted).factor
    _, values = drawn(0.3, found)
    assert values.var(1, ddof=1).mean() == pytest.approx(wanted, rel=0.05)
    assert (np.triu(found, 1) == 0).all()


def test_what_the_values_do_not_follow_keeps_its_width() -> None:
    draws, values = drawn(0.0)
    found = match_variance(FACTOR, draws, values, 9.0).factor
    before, after = FACTOR @ FACTOR.T, found @ found.T
    for other in np.eye(3):
        apart = other - FOLLOWED * (FOLLOWED @ before @ other) / (FOLLOWED @ before @ FOLLOWED)
        assert apart @ after @ apart == pytest.approx(apart @ before @ apart, rel=1e-6)


def test_the_width_is_changed_within_bounds() -> None:
    draws, values = drawn(0.0)
    found = match_variance(FACTOR, draws, values, 1e6).factor
    ratio = (FOLLOWED @ found @ found.T @ FOLLOWED) / (FOLLOWED @ FACTOR @ FACTOR.T @ FOLLOWED)
    assert np.sqrt(ratio) == pytest.approx(WIDEST)
    np.testing.assert_array_equal(match_variance(FACTOR, draws, np.zeros((60, 80)), 1.0).factor, FACTOR)


def test_as_many_components_as_patterns_do_not_hide_what_matters() -> None:
    """Whitened scores of N patterns in N - 1 components are a simplex, from which no left-out one can be told."""
    draw = np.random.default_rng(0)
    basis = draw.normal(0, 1, (2, 3 * 8 * 8))
    strengths = draw.normal(0, 1, (212, 2))
    noise = 0.1 * draw.normal(0, 1, (212, 3 * 8 * 8))
    arrays = torch.from_numpy((strengths @ basis + noise).reshape(-1, 3, 8, 8).astype(np.float32))
    encoder = CompactEncoder((3, 8, 8), pool=1, components=16, width=4, channels=1, grid=1)
    encoder.fit(arrays[:12])
    features = encoder.features(arrays).double().numpy()

    def error(inputs: np.ndarray) -> float:
        predicted = ridge(inputs[:12], strengths[:12])(inputs[12:])
        return float(((predicted - strengths[12:]) ** 2).mean() / strengths[12:].var())

    assert error(features) > 0.5
    assert error(features * feature_weights(encoder)) < 0.1
