"""Scores of patterns: what was moved, turned or hidden by a known amount is found by that amount."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from colour_samples import apply_colormap
from pairvae.evaluation.scores import patterns
from pairvae.numerics.colormaps import known_colormap, levels

SIDE = 192
MIDDLE = (SIDE - 1) / 2


def intensity(
    radius: float = 52.0, turn: float = 0.0, spot: float = 42.0, sigma: float = 5.0, spots: float = 0.5
) -> np.ndarray:
    """A pattern of levels: halo, a ring with four arcs, two spots on the horizontal axis."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    up, right = MIDDLE - rows, columns - MIDDLE
    q, phi = np.hypot(up, right), np.arctan2(up, right)
    # sharp enough that turning moves all of the intensity above the darkest direction
    arcs = 0.15 + sum(np.exp(-(np.sin(phi - angle - turn) ** 2) / 0.02) for angle in (0.7, 2.4))
    image = 0.3 * arcs * np.exp(-((q - radius) ** 2) / (2 * sigma**2)) + 0.5 * np.exp(-q / 12) + 0.1
    for sign in (-1, 1):
        image += spots * np.exp(-(up**2 + (right - sign * spot) ** 2) / 6)
    return np.clip(image, 0, 1)


def shadows() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:, 90:103] = True
    mask[12:24] = mask[168:180] = True
    return mask


def coloured(*images: np.ndarray) -> np.ndarray:
    stacked = np.stack([apply_colormap(image, "vge") for image in images]).astype(np.float32)
    stacked[:, shadows()] = 0
    return np.moveaxis(stacked, -1, 1)


def grey(*images: np.ndarray) -> np.ndarray:
    stacked = np.stack([np.where(shadows(), 0, image) for image in images]).astype(np.float32)
    return np.repeat(stacked[:, None], 3, axis=1)


def error(name: str, predicted: np.ndarray, true: np.ndarray) -> float:
    return float(patterns.pattern_errors(predicted, patterns.true_patterns(true))[name][0])


@pytest.mark.parametrize("drawn", [coloured, grey])
def test_perfect_patterns_have_no_error(drawn) -> None:  # type: ignore[no-untyped-def]  # two functions
    true = drawn(intensity(), intensity(turn=0.3))
    errors = patterns.pattern_errors(true, patterns.true_patterns(true))
    assert all(value.shape == (2,) for value in errors.values())
    assert errors.pop("ssim") == pytest.approx([1, 1])
    assert all(value == pytest.approx([0, 0]) for value in errors.values())


def test_colours_are_undone_where_they_are_known() -> None:
    assert known_colormap(coloured(intensity())) == "vge"
    assert known_colormap(grey(intensity())) is None
    assert known_colormap(np.random.default_rng(0).random((1, 3, 64, 64), np.float32)) is None
    found = levels(coloured(intensity()), "vge")[0]
    assert np.abs(found - intensity())[~shadows()].max() < 0.01


@pytest.mark.parametrize("drawn", [coloured, grey])
@pytest.mark.parametrize("change", [0.96, 0.99, 1.03])
def test_ring_that_moved(drawn, change: float) -> None:  # type: ignore[no-untyped-def]
    moved = drawn(intensity(radius=52 * change, spots=0))
    found = error("ring_position", moved, drawn(intensity(spots=0)))
    assert found == pytest.approx(abs(change - 1), abs=0.002)


def test_ring_that_is_wider() -> None:
    found = error("ring_width", grey(intensity(sigma=6, spots=0)), grey(intensity(sigma=5, spots=0)))
    assert found == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("degrees", [3.0, 10.0, -7.0])
def test_arcs_that_turned(degrees: float) -> None:
    turned = grey(intensity(turn=np.deg2rad(degrees), spots=0))
    found = error("arc_angle_deg", turned, grey(intensity(spots=0)))
    assert found == pytest.approx(abs(degrees), rel=0.08)


def test_ring_without_arcs_is_told_from_one_with_arcs() -> None:
    true, even = intensity(spots=0), intensity(spots=0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    q = np.hypot(rows - MIDDLE, columns - MIDDLE)
    even = 0.12 * np.exp(-((q - 52) ** 2) / 50) + 0.5 * np.exp(-q / 12) + 0.1
    errors = patterns.pattern_errors(grey(even), patterns.true_patterns(grey(true)))
    assert errors["arc_strength"][0] > 0.2
    assert errors["ring_position"][0] < 0.01


@pytest.mark.parametrize(("shift", "expected"), [(0.4, 0.4), (1.5, 1.5), (-2.0, 2.0)])
def test_spots_that_moved(shift: float, expected: float) -> None:
    true = coloured(intensity(spot=34.0))
    assert error("spot_px", coloured(intensity(spot=34.0 + shift)), true) == pytest.approx(expected, abs=0.15)


def test_spots_that_are_missing_count_as_far() -> None:
    true = grey(intensity(spot=34.0))
    assert error("spot_px", grey(np.full((SIDE, SIDE), 0.2)), true) == patterns.FARTHEST_SPOT_PX
    assert error("spot_px", true, grey(np.full((SIDE, SIDE), 0.2))) == 0  # none is wanted


def test_pattern_without_a_ring_is_finite_and_bad() -> None:
    errors = patterns.pattern_errors(
        grey(np.full((SIDE, SIDE), 0.2)), patterns.true_patterns(grey(intensity()))
    )
    assert all(np.isfinite(value).all() for value in errors.values())
    assert errors["ring_position"] == 1 and errors["arc_angle_deg"] == 90


def test_curve_error_is_in_levels() -> None:
    found = error("iq_error", grey(intensity() * 0.5 + 0.1), grey(intensity() * 0.5))
    assert found == pytest.approx(0.1, abs=1e-6)


def test_what_a_detector_hides_does_not_count() -> None:
    true = grey(intensity())
    spoiled = true.copy()
    spoiled[:, :, shadows()] = 1.0
    errors = patterns.pattern_errors(spoiled, patterns.true_patterns(true))
    names = ("ring_position", "arc_angle_deg", "spot_px", "iq_error")
    assert [float(errors[name][0]) for name in names] == pytest.approx([0] * 4, abs=1e-9)
    assert errors["mae"] > 0.05


def test_similarity_is_that_of_scikit_image() -> None:
    generator = np.random.default_rng(0)
    one = coloured(intensity())[0]
    other = np.clip(one + generator.normal(0, 0.05, one.shape), 0, 1).astype(np.float32)
    expected = structural_similarity(
        one, other, data_range=1.0, channel_axis=0, gaussian_weights=True, use_sample_covariance=False
    )
    assert patterns.similarity(one, other) == pytest.approx(expected, abs=1e-6)
