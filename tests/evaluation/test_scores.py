"""Errors and summaries with known numbers."""

from __future__ import annotations

import numpy as np
import pytest

from pairvae.evaluation.scores import curve_errors, curves, saxs_errors, summary


def test_summary_has_the_quartiles() -> None:
    assert summary(np.arange(1.0, 10.0)) == {"median": 5.0, "q1": 3.0, "q3": 7.0, "n": 9}
    assert summary(np.array([[4.0]])) == {"median": 4.0, "q1": 4.0, "q3": 4.0, "n": 1}


def test_summary_counts_images_and_crops_alike() -> None:
    assert summary(np.zeros((6, 10)))["n"] == 60


@pytest.mark.parametrize("values", [[1.0, np.nan], [np.inf], []])
def test_summary_of_what_is_not_finite_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        summary(np.array(values))


def test_pattern_error_is_the_mean_over_pixels_and_channels() -> None:
    true = np.zeros((2, 3, 4, 4), np.float32)
    predicted = true.copy()
    predicted[1, 0] = 0.3
    np.testing.assert_allclose(saxs_errors(predicted, true)["mae"], [0.0, 0.1], atol=1e-7)


def stripes(period: int, side: int = 64) -> np.ndarray:
    return np.broadcast_to(np.arange(side) % period < period // 2, (side, side)).astype(np.uint8)


@pytest.mark.parametrize("estimator", ["unbiased", "periodic"])
def test_curves_of_stripes(estimator: str) -> None:
    found = curves(np.stack([stripes(16), stripes(16).T]), estimator)
    assert {name: curve.shape for name, curve in found.items()} == dict.fromkeys(
        ("s2", "lineal_vertical", "lineal_horizontal"), (2, 32)
    )
    np.testing.assert_allclose(found["s2"][:, 0], 0.5)
    np.testing.assert_allclose(found["s2"][0], found["s2"][1], atol=1e-12)
    np.testing.assert_allclose(found["lineal_vertical"][0], found["lineal_horizontal"][1])
    np.testing.assert_allclose(found["lineal_horizontal"][0, :6], [1, 0.75, 0.5, 0.25, 0, 0])


def test_perfect_prediction_has_no_error() -> None:
    found = curves(np.stack([stripes(8), stripes(16)]), "unbiased")
    errors = curve_errors(found, found)
    assert set(errors) == {"s2_mae", "lineal_path_mae", "lineal_vertical_mae", "lineal_horizontal_mae"}
    assert all((error == 0).all() for error in errors.values())


def test_curve_errors_are_means_over_bins_and_directions() -> None:
    true = {
        "s2": np.zeros((1, 4)),
        "lineal_vertical": np.zeros((1, 2)),
        "lineal_horizontal": np.zeros((1, 2)),
    }
    predicted = {
        "s2": np.array([[0.4, 0, 0, -0.4]]),
        "lineal_vertical": np.array([[0.2, 0.4]]),
        "lineal_horizontal": np.array([[0.1, 0.1]]),
    }
    errors = curve_errors(predicted, true)
    assert errors["s2_mae"] == pytest.approx(0.2)
    assert errors["lineal_vertical_mae"] == pytest.approx(0.3)
    assert errors["lineal_path_mae"] == pytest.approx(0.2)


def test_curve_alone_has_its_own_error_only() -> None:
    assert set(curve_errors({"s2": np.ones((1, 4))}, {"s2": np.zeros((1, 4))})) == {"s2_mae"}
