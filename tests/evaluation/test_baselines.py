"""Baselines: never the sample itself, and a regression that beats the mean where there is something to learn."""

from __future__ import annotations

import numpy as np
import pytest

from pairvae.evaluation.baselines import at_own_fraction, gaussian_process, nearest, retrieval


def test_nearest_on_a_line() -> None:
    queries, references = np.array([[0.1], [0.9], [5.0]]), np.array([[0.0], [1.0], [2.0]])
    assert nearest(queries, references).tolist() == [0, 1, 2]
    assert nearest(queries, references, np.array([0, -1, 2])).tolist() == [1, 1, 1]


def test_retrieval_gives_other_training_samples_only() -> None:
    features = np.random.default_rng(0).random((40, 3, 4, 4))
    train = np.random.default_rng(1).permutation(40)[:15].tolist()
    found = retrieval(features, train)
    assert found.shape == (40,)
    assert set(found) <= set(train)
    assert (found != np.arange(40)).all()


def test_retrieval_finds_the_twin() -> None:
    features = np.random.default_rng(0).random((6, 5))
    features[4], features[5] = features[1], features[0]
    assert retrieval(features, [0, 1, 2, 3]).tolist()[4:] == [1, 0]


def test_retrieval_of_equal_patterns_still_skips_the_sample() -> None:
    assert retrieval(np.zeros((3, 2)), [0, 1, 2]).tolist() == [1, 0, 0]


def line(count: int = 40) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Patterns along one direction, curves that follow linearly, a little noise on both."""
    generator = np.random.default_rng(0)
    along = generator.uniform(-1, 1, (count, 1))
    patterns = along @ generator.random((1, 48)) + 0.01 * generator.standard_normal((count, 48))
    wanted = 0.5 + along @ generator.random((1, 10)) + 0.005 * generator.standard_normal((count, 10))
    return patterns.reshape(count, 3, 4, 4), wanted, list(range(30))


def test_regression_beats_the_mean_on_samples_it_never_saw() -> None:
    patterns, wanted, train = line()
    found = gaussian_process(patterns, wanted, train)
    assert found.shape == wanted.shape
    errors = np.abs(found - wanted)[30:].mean()
    mean = np.abs(wanted[train].mean(0) - wanted)[30:].mean()
    assert errors < 0.2 * mean


def test_regression_looks_at_training_curves_only() -> None:
    patterns, wanted, train = line()
    changed = wanted.copy()
    changed[30:] = 7.0
    np.testing.assert_array_equal(
        gaussian_process(patterns, wanted, train), gaussian_process(patterns, changed, train)
    )


def test_regression_of_a_sample_does_not_depend_on_other_samples_it_never_saw() -> None:
    patterns, wanted, train = line()
    changed = patterns.copy()
    changed[35] = 7.0
    found, other = gaussian_process(patterns, wanted, train), gaussian_process(changed, wanted, train)
    np.testing.assert_array_equal(np.delete(found, 35, 0), np.delete(other, 35, 0))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_regression_on_few_samples_is_finite(count: int) -> None:
    patterns, wanted, _ = line()
    found = gaussian_process(patterns, wanted, list(range(count)))
    assert np.isfinite(found).all()


def test_regression_where_all_patterns_are_equal_is_the_mean() -> None:
    _, wanted, train = line()
    found = gaussian_process(np.zeros((40, 5)), wanted, train)
    np.testing.assert_allclose(found, np.broadcast_to(wanted[train].mean(0), wanted.shape), atol=1e-6)


def test_as_many_pixels_are_bright_as_the_probabilities_expect() -> None:
    ramp = np.linspace(0.0, 0.5, 16).reshape(1, 1, 4, 4)
    found = at_own_fraction(np.concatenate([ramp, np.full((1, 1, 4, 4), 0.25), np.zeros((1, 1, 4, 4))]))
    assert (found.dtype, found.shape) == (np.uint8, (3, 4, 4))
    assert found.sum((1, 2)).tolist() == [4, 4, 0]
    assert found[0].ravel().tolist() == [0] * 12 + [1] * 4
