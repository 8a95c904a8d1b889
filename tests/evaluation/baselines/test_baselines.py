"""Baselines: never the sample itself, and a regression that beats the mean where there is something to learn."""

import numpy as np
import pytest

from pairvae.evaluation.baselines.retrieval import (
    at_own_fraction,
    gaussian_process,
    neighbours,
    retrieval,
)


def test_nearest_on_a_line() -> None:
    queries, references = np.array([[0.1], [0.9], [5.0]]), np.array([[0.0], [1.0], [2.0]])
    own, owners = np.array([7, 8, 9]), np.array([7, 5, 9])
    assert neighbours(queries, references, 1, own, np.zeros(3, int)).tolist() == [[0], [1], [2]]
    assert neighbours(queries, references, 2, own, owners).tolist() == [[1, 2], [1, 0], [1, 0]]


def test_retrieval_gives_other_training_samples_only() -> None:
    features = np.random.default_rng(0).random((40, 3, 4, 4))
    train = np.random.default_rng(1).permutation(40)[:15].tolist()
    found = retrieval(features, train, 3)
    assert found.shape == (40, 3)
    assert set(found.ravel()) <= set(train)
    assert (found != np.arange(40)[:, None]).all()


def test_retrieval_finds_the_twin() -> None:
    features = np.random.default_rng(0).random((6, 5))
    features[4], features[5] = features[1], features[0]
    assert retrieval(features, [0, 1, 2, 3]).tolist()[4:] == [[1], [0]]


def test_retrieval_of_equal_patterns_still_skips_the_sample() -> None:
    assert retrieval(np.zeros((3, 2)), [0, 1, 2]).tolist() == [[1], [0], [0]]


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


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5, 3.0])
def test_regression_is_the_one_that_leaving_each_pair_out_asks_for(noise: float) -> None:
    """Against the same done the long way: every fit repeated without one pair."""
    generator = np.random.default_rng(2)
    inputs = generator.standard_normal((16, 3)) + 5.0
    wanted = np.sin(inputs) @ generator.random((3, 4)) + noise * generator.standard_normal((16, 4))
    train, number = list(range(12)), 12
    centred = inputs - inputs[:12].mean(0)
    _, values, axes = np.linalg.svd(centred[:12], full_matrices=False)
    scores = centred @ axes.T / (values[0] / np.sqrt(number))
    squares = ((scores[:, None] - scores[None]) ** 2).sum(-1)
    curves = wanted - wanted[:12].mean(0)

    def fitted(known: list[int], length: float, level: float) -> np.ndarray:
        kernel = np.exp(-squares / (2 * length**2))
        inside = kernel[np.ix_(known, known)] + level * np.eye(len(known))
        return kernel[:, known] @ np.linalg.solve(inside, curves[known])

    def error(length: float, level: float) -> float:
        gaps = [fitted([i for i in train if i != one], length, level)[one] - curves[one] for one in train]
        return float(np.mean(np.square(gaps)))

    grid = [(length, level) for length in (0.5, 1.0, 2.0, 4.0, 8.0) for level in (0.01, 0.03, 0.1, 0.3, 1.0)]
    best = min(grid, key=lambda choice: error(*choice))
    expected = fitted(train, *best) + wanted[:12].mean(0)
    np.testing.assert_allclose(gaussian_process(inputs, wanted, train), expected, rtol=1e-6, atol=1e-8)
