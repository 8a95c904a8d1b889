"""How draws have to vary: against toys whose covariance is known."""

import numpy as np
import pytest

from pairvae.evaluation.spread import WIDEST, left_out, mixing, widened


def known(samples: int, crops: int, factor: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Residuals ``(N, K, C, 1)`` with covariance D factor factor^T D, D the square roots of std ``(N, C, 1)``."""
    noise = np.random.default_rng(0).standard_normal((samples, crops, len(factor)))
    return (noise @ factor.T)[..., None] * np.sqrt(std)[:, None]


def test_the_factor_of_residuals_of_known_covariance_is_found() -> None:
    factor = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.0, 1.5]])
    std = np.random.default_rng(1).uniform(0.2, 3.0, (400, 3, 1))
    found = mixing(known(400, 100, factor, std), np.zeros((400, 100, 3, 1)), std)
    np.testing.assert_allclose(found, factor, atol=0.03)
    assert (np.triu(found, 1) == 0).all()


def test_a_right_posterior_stays_as_wide_as_it_is() -> None:
    std = np.full((300, 4, 1), 0.25)
    residuals = 0.25 * np.random.default_rng(0).standard_normal((300, 100, 4, 1))
    found = mixing(residuals, np.zeros((300, 100, 4, 1)), std)
    np.testing.assert_allclose(np.sqrt(0.25) * found, 0.25 * np.eye(4), atol=0.01)


def test_the_crops_own_posteriors_add_their_variance() -> None:
    std = np.full((2, 3, 1), 4.0)
    found = mixing(np.zeros((2, 5, 3, 1)), np.full((2, 5, 3, 1), 1.0), std)
    np.testing.assert_allclose(found, 0.5 * np.eye(3))


def test_places_of_a_grid_count_as_crops() -> None:
    residuals = np.random.default_rng(0).standard_normal((6, 4, 3, 9))
    own, std = np.full((6, 4, 3, 9), 0.1), np.ones((6, 3, 9))
    apart = residuals.transpose(0, 1, 3, 2).reshape(6, 36, 3, 1)
    found = mixing(apart, np.full((6, 36, 3, 1), 0.1), np.ones((6, 3, 1)))
    np.testing.assert_allclose(mixing(residuals, own, std), found)


def test_a_sample_s_own_outputs_do_not_tell_its_prediction() -> None:
    generator = np.random.default_rng(0)
    inputs, outputs = generator.standard_normal((20, 3)), generator.standard_normal((20, 2))
    groups = [str(row // 2) for row in range(20)]
    other = outputs.copy()
    other[4:6] += 100.0
    first, second = (left_out(inputs, one, groups) for one in (outputs, other))
    np.testing.assert_array_equal(first[4:6], second[4:6])
    assert (np.abs(first - second)[[0, 1, 2, 3, 6, 7]] > 1e-3).all()


def test_what_inputs_tell_is_predicted() -> None:
    inputs = np.random.default_rng(0).standard_normal((60, 3))
    outputs = inputs @ np.array([[1.0, 0.0], [2.0, -1.0], [0.0, 3.0]]) + 5.0
    found = left_out(inputs, outputs, [str(row) for row in range(60)])
    np.testing.assert_allclose(found, outputs, atol=1e-3)


def test_errors_of_overfitting_are_those_of_samples_not_seen() -> None:
    """With as many inputs as samples any regression fits what it has seen; what it has not, it cannot."""
    generator = np.random.default_rng(0)
    inputs, outputs = generator.standard_normal((24, 24)), generator.standard_normal((24, 1))
    error = left_out(inputs, outputs, [str(row) for row in range(24)]) - outputs
    assert error.std() == pytest.approx(outputs.std(), rel=0.3)


FACTOR = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.0, 1.5]])
FOLLOWED = np.array([0.5, -1.0, 0.25])


def drawn(noise: float, factor: np.ndarray = FACTOR) -> tuple[np.ndarray, np.ndarray]:
    """Draws ``(60, 80, 3)`` and values that follow them, with noise and an offset of each sample."""
    generator = np.random.default_rng(0)
    draws = generator.standard_normal((60, 80, 3)) @ factor.T
    own = generator.standard_normal((60, 1))
    return draws, draws @ FOLLOWED + own + noise * generator.standard_normal((60, 80))


@pytest.mark.parametrize("wanted", [0.5, 1.0, 4.0])
def test_draws_get_the_width_that_their_values_shall_have(wanted: float) -> None:
    found = widened(FACTOR, *drawn(0.3), wanted)
    _, values = drawn(0.3, found)
    assert values.var(1, ddof=1).mean() == pytest.approx(wanted, rel=0.05)
    assert (np.triu(found, 1) == 0).all()


def test_what_the_values_do_not_follow_keeps_its_width() -> None:
    draws, values = drawn(0.0)
    found = widened(FACTOR, draws, values, 9.0)
    before, after = FACTOR @ FACTOR.T, found @ found.T
    for other in np.eye(3):
        apart = other - FOLLOWED * (FOLLOWED @ before @ other) / (FOLLOWED @ before @ FOLLOWED)
        assert apart @ after @ apart == pytest.approx(apart @ before @ apart, rel=1e-6)


def test_the_width_is_changed_within_bounds() -> None:
    draws, values = drawn(0.0)
    found = widened(FACTOR, draws, values, 1e6)
    ratio = (FOLLOWED @ found @ found.T @ FOLLOWED) / (FOLLOWED @ FACTOR @ FACTOR.T @ FOLLOWED)
    assert np.sqrt(ratio) == pytest.approx(WIDEST)
    np.testing.assert_array_equal(widened(FACTOR, draws, np.zeros((60, 80)), 1.0), FACTOR)
