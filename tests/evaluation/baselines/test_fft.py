"""The spectrum on the detector: peaks where q = 2 pi f puts them, a look that is learned and carried over."""

import math

import numpy as np
import pytest

from colour_samples import apply_colormap
from pairvae.evaluation.baselines.fft import (
    Colours,
    best_look,
    detector_spectrum,
    fit_colours,
    fitted_scale,
    predict,
    px_per_frequency,
)

SIDE = 64


def grating(period: float, angle: float = 0.0, shape: tuple[int, int] = (96, 160)) -> np.ndarray:
    """Binary stripes of ``period`` px whose normal makes ``angle`` with the columns' axis."""
    rows, columns = np.indices(shape)
    along = rows * math.sin(angle) + columns * math.cos(angle)
    return (np.sin(2 * np.pi * along / period) > 0).astype(np.uint8)


def test_scale_from_pixel_sizes() -> None:
    # a period of 10 px of 3 nm: q = 2 pi / 30 nm = 0.2094 1/nm, 20.94 px of 0.01 1/nm
    scale = px_per_frequency(3.0, 0.01)
    assert scale is not None
    assert scale / 10 == pytest.approx(2 * math.pi / 30 / 0.01)
    assert px_per_frequency(None, 0.01) is None and px_per_frequency(3.0, None) is None


@pytest.mark.parametrize("period", [8.0, 12.5])
@pytest.mark.parametrize("angle", [0.0, math.pi / 2, math.pi / 3])
def test_peak_of_a_grating_lies_where_q_says(period: float, angle: float) -> None:
    spectrum = detector_spectrum(grating(period, angle), SIDE, 160.0, 1.0)
    centre = (SIDE - 1) / 2
    rows, columns = np.indices((SIDE, SIDE)) - centre
    spectrum = np.where(columns * math.cos(angle) + rows * math.sin(angle) > 3, spectrum, -np.inf)
    row, column = np.unravel_index(int(spectrum.argmax()), spectrum.shape)
    assert row - centre == pytest.approx(160 / period * math.sin(angle), abs=1.0)
    assert column - centre == pytest.approx(160 / period * math.cos(angle), abs=1.0)


def test_even_image_and_frequencies_beyond_the_image_are_finite() -> None:
    assert np.isfinite(detector_spectrum(np.ones((40, 40), np.uint8), SIDE, 20.0, 2.0)).all()


@pytest.mark.parametrize("colormap", [None, "vge"])
def test_colours_are_ordered_and_painted_back(colormap: str | None) -> None:
    levels = np.random.default_rng(0).random((4, SIDE, SIDE))
    grey = np.repeat(levels[..., None], 3, axis=-1)
    patterns = np.moveaxis(grey if colormap is None else apply_colormap(levels, colormap), -1, 1)
    colours: Colours = fit_colours(patterns)
    assert (np.diff(colours.levels) > 0).all()
    gap = np.abs(colours.paint(colours.level(patterns)) - patterns)
    assert gap.mean() < 0.005 and gap.max() < 0.05


def measured(images: list[np.ndarray], scale: float) -> np.ndarray:
    """Patterns as a detector with a halo, a beamstop and a logarithmic scale would show them: 3 grey channels."""
    rows, columns = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    halo = 0.4 * np.exp(-np.hypot(rows, columns) / 8)
    spectra = np.stack([detector_spectrum(image, SIDE, scale, 2.0) for image in images])
    levels = np.clip(0.25 + 0.05 * spectra + halo, 0, 1)
    levels[:, :, 30:34] = 0.0
    return np.repeat(levels[:, None], 3, axis=1).astype(np.float32)


def gratings(seed: int, count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [grating(generator.uniform(7, 14), generator.uniform(0, math.pi)) for _ in range(count)]


def test_look_is_learned_from_training_pairs_and_carried_to_others() -> None:
    training, others, scales = gratings(0, 12), gratings(1, 6), [160.0] * 12
    patterns, true = measured(training, 160.0), measured(others, 160.0)
    look = best_look(training, scales, patterns)
    found = predict(look, others, scales[:6])
    assert found.shape == true.shape and found.dtype == np.float32
    assert look.smoothing == 2.0
    assert (np.diff(look.heights) >= 0).all()
    mean = np.abs(patterns.mean(0) - true).mean()
    assert np.abs(found - true).mean() < 0.2 * mean
    assert found[..., 30:34].max() < 0.01


def test_patterns_that_are_all_equal_are_repeated() -> None:
    images = gratings(0, 4)
    patterns = np.repeat(measured(images[:1], 160.0), 4, axis=0)
    found = predict(best_look(images, [160.0] * 4, patterns), images, [160.0] * 4)
    np.testing.assert_allclose(found, patterns, atol=0.02)


def test_unknown_scale_is_found_by_likeness() -> None:
    images = gratings(0, 12)
    assert fitted_scale(images, measured(images, 160.0)) == pytest.approx(160.0, rel=0.08)
