"""Errors and summaries with known numbers."""

import numpy as np
import pytest

from pairvae.evaluation.scores.definitions import (
    curve_errors,
    curves,
    descriptor_errors,
    physics_errors,
    properties,
    saxs_errors,
    summary,
)
from pairvae.evaluation.scores.patterns import true_patterns
from pairvae.numerics.descriptors import describe


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
    assert set(errors) == {
        "s2_mae", "phase_fraction_error", "lineal_path_mae", "lineal_vertical_mae", "lineal_horizontal_mae",
    }  # fmt: skip
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


def test_curve_alone_has_its_own_errors_only() -> None:
    predicted, true = np.array([[0.5, 0.2, 0.1, 0.0]]), np.array([[0.4, 0.2, 0.1, 0.0]])
    errors = curve_errors({"s2": predicted}, {"s2": true})
    assert set(errors) == {"s2_mae", "phase_fraction_error"}
    assert errors["s2_mae"] == pytest.approx(0.025)
    assert errors["phase_fraction_error"] == pytest.approx(0.1)


def described(**values: float) -> dict[str, np.ndarray]:
    usual = {"spacing": 10.0} | dict.fromkeys(
        ("orientation_x", "orientation_y", "euler_density", "coherence", "edge_roughness"), 0.0
    )
    return {name: np.array([values.get(name, number)]) for name, number in usual.items()}


@pytest.mark.parametrize(("predicted", "true", "score", "expected"), [
    ({"spacing": 11.0}, {"spacing": 10.0}, "spacing_error", 0.1),
    ({"spacing": np.nan}, {"spacing": 10.0}, "spacing_error", 1.0),
    ({"spacing": 10.0}, {"spacing": np.nan}, "spacing_error", 1.0),
    ({"spacing": np.nan}, {"spacing": np.nan}, "spacing_error", 0.0),
    ({"orientation_x": 1.0}, {"orientation_x": -1.0}, "orientation_error", 1.0),
    ({"orientation_x": 0.3}, {"orientation_y": 0.4}, "orientation_error", 0.25),
    ({"euler_density": 0.01}, {"euler_density": -0.005}, "defect_density_error", 1.5),
    ({"coherence": 0.3}, {"coherence": 0.5}, "coherence_error", 0.2),
    ({"edge_roughness": 0.02}, {"edge_roughness": 0.005}, "roughness_error", 0.015),
])  # fmt: skip
def test_descriptor_errors(
    predicted: dict[str, float], true: dict[str, float], score: str, expected: float
) -> None:
    errors = descriptor_errors(described(**predicted), described(**true), np.array([10.0]))
    assert errors[score] == pytest.approx([expected])
    assert all((errors[other] == 0).all() for other in errors if other != score)


def test_defects_are_counted_per_domain_spacing_squared() -> None:
    """Dots instead of lines: one domain per period each way, whatever the period in px."""
    rows, columns = np.mgrid[:192, :192]
    for period in (8, 16):
        lines = columns % period < period // 2
        images = np.stack([lines & (rows % period < period // 2), lines]).astype(np.uint8)
        dots, straight = (
            {name: values[i : i + 1] for name, values in describe(images).items()} for i in (0, 1)
        )
        errors = descriptor_errors(dots, straight, straight["spacing"])
        assert errors["defect_density_error"] == pytest.approx([1.0], rel=0.06)


def test_properties_of_a_true_image_have_no_error() -> None:
    images = np.stack([stripes(8), stripes(16).T, np.zeros((64, 64), np.uint8)])
    found = properties(images, "unbiased")
    errors = descriptor_errors(found, found, np.full(3, 8.0)) | curve_errors(
        {name: found[name] for name in ("s2", "lineal_vertical")}, {"s2": found["s2"]}
    )
    assert all((error == 0).all() for error in errors.values())


def test_physics_of_an_equal_pattern_has_no_error_and_every_score_is_an_error() -> None:
    pattern = np.random.default_rng(0).random((1, 3, 64, 64)).astype(np.float32)
    errors = physics_errors(pattern, true_patterns(pattern))
    assert "ssim" not in errors and "mae" not in errors
    assert all(error == pytest.approx([0], abs=1e-9) for error in errors.values())
    assert physics_errors(pattern, true_patterns(1 - pattern))["ssim_error"][0] > 0.5
