"""Ridge regression: the strength that leaving samples out asks for, against doing it the long way."""

import numpy as np
import pytest

from pairvae.evaluation import ridge as module
from pairvae.evaluation.ridge import STRENGTHS, ridge


def line(count: int = 30, noise: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of 40 numbers and outputs of 7 that follow linearly from three of their directions."""
    generator = np.random.default_rng(0)
    scores = generator.standard_normal((count, 3))
    inputs = scores @ generator.standard_normal((3, 40)) + noise * generator.standard_normal((count, 40))
    outputs = scores @ generator.standard_normal((3, 7)) + noise * generator.standard_normal((count, 7))
    return inputs, outputs + 2.0


def test_regression_finds_a_linear_law_and_carries_it_to_new_samples() -> None:
    inputs, outputs = line()
    found = ridge(inputs[:20], outputs[:20])(inputs[20:])
    spread = np.abs(outputs[20:] - outputs[:20].mean(0)).mean()
    assert np.abs(found - outputs[20:]).mean() < 0.1 * spread


def test_noise_is_answered_by_the_mean() -> None:
    generator = np.random.default_rng(1)
    inputs, outputs = generator.standard_normal((40, 200)), generator.standard_normal((40, 3))
    fitted = ridge(inputs, outputs)
    assert fitted.strength == STRENGTHS[-1]
    gap = np.abs(fitted(inputs) - outputs.mean(0)).mean()
    assert gap < 0.2 * np.abs(outputs - outputs.mean(0)).mean()


def test_left_out_error_is_that_of_fitting_without_each_sample() -> None:
    inputs, outputs = line(12)
    owners = np.repeat(np.arange(6), 2)
    rows = inputs - inputs.mean(0)
    kernel = module._kernel(rows, rows, 1.0)
    wanted = (outputs - outputs.mean(0))[:6][owners]
    squares = 0.0
    for sample in range(6):
        kept, own = owners != sample, owners == sample
        weights = np.linalg.solve(kernel[np.ix_(kept, kept)] + 0.1 * np.eye(10), wanted[kept])
        squares += ((kernel[np.ix_(own, kept)] @ weights - wanted[own]) ** 2).sum()
    assert module._left_out(kernel, 0.1, wanted, owners) == pytest.approx(squares / 12)


def test_several_views_of_a_sample_are_left_out_together() -> None:
    """Views that tell who they are, and nothing else, must not look like a good regression."""
    generator = np.random.default_rng(2)
    who = np.repeat(generator.standard_normal((15, 60)), 8, axis=0)
    inputs = who + 0.01 * generator.standard_normal(who.shape)
    outputs, owners = generator.standard_normal((15, 4)), np.repeat(np.arange(15), 8)
    assert ridge(inputs, outputs, owners).error > 0.5 * outputs.var()
    assert ridge(inputs, outputs[owners]).error < 0.1 * outputs.var()


def test_many_rows_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, outputs = line()
    monkeypatch.setattr(module, "LARGEST", 10)
    fitted = ridge(inputs, outputs)
    assert len(fitted.inputs) == 10
    assert fitted(inputs).shape == outputs.shape


@pytest.mark.parametrize("count", [1, 2])
def test_few_or_equal_samples_give_finite_outputs(count: int) -> None:
    inputs, outputs = line()
    assert np.isfinite(ridge(inputs[:count], outputs[:count])(inputs)).all()
    equal = ridge(np.ones((5, 3)), outputs[:5])(np.ones((2, 3)))
    np.testing.assert_allclose(equal, np.broadcast_to(outputs[:5].mean(0), (2, 7)), rtol=1e-5)


def test_fitted_values_are_those_of_the_normal_equations() -> None:
    inputs, outputs = line(14)
    fitted = ridge(inputs, outputs)
    rows, wanted = inputs - inputs.mean(0), outputs - outputs.mean(0)
    scale = (rows**2).sum(1).mean()
    kernel = rows @ rows.T / scale + 1.0
    inside = kernel @ np.linalg.solve(kernel + fitted.strength * np.eye(14), wanted) + outputs.mean(0)
    np.testing.assert_allclose(fitted(inputs), inside, rtol=1e-4, atol=1e-5)


def test_a_fitted_regression_is_an_affine_map() -> None:
    inputs, outputs = line()
    found = ridge(inputs, outputs)
    weight, bias = found.affine()
    assert weight.shape == (7, 40)
    np.testing.assert_allclose(inputs @ weight.T + bias, found(inputs), atol=1e-4)
