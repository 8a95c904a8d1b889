"""Ridge regression: the strength that leaving samples out asks for, against doing it the long way."""

import numpy as np
import pytest

from pairvae.numerics import ridge as module
from pairvae.numerics.ridge import alpha_of_error, cross_val_predict, ridge


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
    assert fitted.alpha > 10.0
    gap = np.abs(fitted(inputs) - outputs.mean(0)).mean()
    assert gap < 0.2 * np.abs(outputs - outputs.mean(0)).mean()


@pytest.mark.parametrize("rows_each", [[2] * 6, [1] * 12, [3, 1, 2, 2, 1, 3]])
@pytest.mark.parametrize("alpha", [0.01, 1.0, 100.0])
def test_left_out_error_is_that_of_fitting_without_each_sample(rows_each: list[int], alpha: float) -> None:
    inputs, outputs = line(12)
    samples, squares = np.repeat(np.arange(len(rows_each)), rows_each), 0.0
    scale = ((inputs - inputs.mean(0)) ** 2).sum(1).mean()
    for sample in range(len(rows_each)):
        own, wanted = samples == sample, outputs[samples[samples != sample]]
        centre, mean = inputs[~own].mean(0), wanted.mean(0)  # the intercept, of what is left
        rows = inputs[~own] - centre
        weights = np.linalg.solve(rows @ rows.T / scale + alpha * np.eye(len(rows)), wanted - mean)
        predicted = (inputs[own] - centre) @ rows.T / scale @ weights + mean
        squares += ((predicted - outputs[sample]) ** 2).sum()
    fitted = ridge(inputs, outputs[: len(rows_each)], samples, alphas=[alpha, alpha])
    assert fitted.error == pytest.approx(squares / 12)


def test_several_views_of_a_sample_are_left_out_together() -> None:
    """Views that tell who they are, and nothing else, must not look like a good regression."""
    generator = np.random.default_rng(2)
    who = np.repeat(generator.standard_normal((15, 60)), 8, axis=0)
    inputs = who + 0.01 * generator.standard_normal(who.shape)
    outputs, samples = generator.standard_normal((15, 4)), np.repeat(np.arange(15), 8)
    assert ridge(inputs, outputs, samples).error > 0.5 * outputs.var()
    assert ridge(inputs, outputs[samples]).error < 0.1 * outputs.var()


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
    kernel = rows @ rows.T / scale
    inside = kernel @ np.linalg.solve(kernel + fitted.alpha * np.eye(14), wanted) + outputs.mean(0)
    np.testing.assert_allclose(fitted(inputs), inside, rtol=1e-4, atol=1e-5)


def test_a_fitted_regression_is_an_affine_map() -> None:
    inputs, outputs = line()
    found = ridge(inputs, outputs)
    weight, bias = found.affine()
    assert weight.shape == (7, 40)
    np.testing.assert_allclose(inputs @ weight.T + bias, found(inputs), atol=1e-4)


def test_a_sample_s_own_outputs_do_not_tell_its_prediction() -> None:
    generator = np.random.default_rng(0)
    inputs, outputs = generator.standard_normal((20, 3)), generator.standard_normal((20, 2))
    groups = [str(row // 2) for row in range(20)]
    other = outputs.copy()
    other[4:6] += 100.0
    first, second = (cross_val_predict(inputs, one, groups) for one in (outputs, other))
    np.testing.assert_array_equal(first[4:6], second[4:6])
    assert (np.abs(first - second)[[0, 1, 2, 3, 6, 7]] > 1e-3).all()


def test_what_inputs_tell_is_predicted() -> None:
    inputs = np.random.default_rng(0).standard_normal((60, 3))
    outputs = inputs @ np.array([[1.0, 0.0], [2.0, -1.0], [0.0, 3.0]]) + 5.0
    found = cross_val_predict(inputs, outputs, [str(row) for row in range(60)])
    np.testing.assert_allclose(found, outputs, atol=1e-3)


def test_errors_of_overfitting_are_those_of_samples_not_seen() -> None:
    """With as many inputs as samples any regression fits what it has seen; what it has not, it cannot."""
    generator = np.random.default_rng(0)
    inputs, outputs = generator.standard_normal((24, 24)), generator.standard_normal((24, 1))
    error = cross_val_predict(inputs, outputs, [str(row) for row in range(24)]) - outputs
    assert error.std() == pytest.approx(outputs.std(), rel=0.3)


def test_alpha_can_be_found_from_the_error_on_what_was_fitted() -> None:
    inputs, outputs = line(noise=1.0)
    fitted = ridge(inputs, outputs, alphas=[0.03])
    error = float(np.square(fitted(inputs) - outputs).mean())
    assert alpha_of_error(inputs, outputs, error) == pytest.approx(0.03, rel=1e-3)
