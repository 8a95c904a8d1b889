"""Binarisation: the recipe step by step, other thresholds, shading, and noise that is told from structure."""

import cv2
import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.numerics import thresholds


def stripes(height: int = 120, width: int = 120, period: int = 12) -> np.ndarray:
    """Vertical stripes of grey levels 60 and 180."""
    columns = np.where(np.arange(width) % period < period // 2, 60, 180)
    return np.tile(columns, (height, 1)).astype(np.uint8)


def test_binarise_follows_the_recipe_step_by_step() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(colours, (5, 5), 1.0)
    grey = cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY)
    binary = cv2.adaptiveThreshold(grey, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 15, 2)
    expected = cv2.GaussianBlur(binary, (5, 5), 1.0)
    result = thresholds.binarise_sem(colours)
    assert np.array_equal(result, expected)
    assert set(np.unique(result)) == {0, 1}


def test_binarise_finds_stripes_under_uneven_light() -> None:
    light = np.linspace(0, 70, 120)[:, None]
    result = thresholds.binarise_sem((stripes() + light).astype(np.uint8))
    inner = (slice(20, -20), slice(24, -24))
    assert np.array_equal(result[inner], (stripes() > 120)[inner])


def test_second_blur_removes_single_pixels() -> None:
    grey = np.full((40, 40), 100, np.uint8)
    grey[20, 20] = 0
    assert thresholds.binarise_sem(grey, blur_px=1, offset=2)[20, 20] == 0
    assert thresholds.binarise_sem(grey, blur_px=5, offset=12)[20, 20] == 1


@pytest.mark.parametrize("wrong", [{"window_px": 14}, {"window_px": 1}, {"blur_px": 4}])
def test_even_windows_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected an odd"):
        thresholds.binarise_sem(stripes(), **wrong)


@pytest.mark.parametrize("method", sorted(thresholds.THRESHOLDS))
def test_every_threshold_separates_two_grey_levels(method: str) -> None:
    result = thresholds.threshold(stripes(), method)
    inner = (slice(20, -20), slice(24, -24))
    assert result.dtype == np.uint8
    assert np.array_equal(result[inner], (stripes() > 120)[inner])


def test_unknown_threshold_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"adaptive.*sauvola, found 'otto'"):
        thresholds.threshold(stripes(), "otto")


def noise(sigma: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, (240, 320))


@pytest.mark.parametrize("sigma", [3.0, 12.0])
def test_noise_level_is_that_of_the_noise_not_of_the_structure(sigma: float) -> None:
    structure = 120 + 60 * np.sin(2 * np.pi * np.arange(320) / 16)
    grey = np.clip(structure + noise(sigma), 0, 255).astype(np.uint8)
    assert thresholds.noise_level(grey) == pytest.approx(sigma, rel=0.1)
    assert thresholds.noise_level(np.full((20, 20), 9, np.uint8)) == 0


def test_structure_and_noise_are_told_apart_by_each_threshold() -> None:
    y, x = np.indices((240, 320))
    fine = np.clip(120 + 50 * np.sin(2 * np.pi * x / 12) + noise(15), 0, 255).astype(np.uint8)
    cells = np.clip(np.where(np.hypot(y - 120, x - 160) < 90, 70, 180) + noise(15), 0, 255).astype(np.uint8)
    plain = np.clip(128 + noise(15), 0, 255).astype(np.uint8)
    shares = {
        name: [thresholds.noise_share(image, method=method) for method in ("adaptive", "otsu")]
        for name, image in {"fine": fine, "cells": cells, "plain": plain}.items()
    }
    assert max(shares["fine"]) < 0.25
    assert shares["cells"][0] > 0.7 and shares["cells"][1] < 0.05  # 15 px are less than a cell
    assert min(shares["plain"]) > 0.8


def test_flattened_takes_a_gradient_away_and_keeps_the_structure() -> None:
    y, x = np.indices((240, 320))
    structure = 20 * np.sin(2 * np.pi * x / 12)
    shaded = np.clip(60 + 0.5 * y + structure, 0, 255).astype(np.uint8)
    flat = thresholds.flattened(shaded)
    right = structure > 0
    assert np.mean(thresholds.threshold(shaded, "otsu") == right) < 0.75
    assert np.mean(thresholds.threshold(flat, "otsu") == right) > 0.9
    assert float(flat.mean()) == pytest.approx(float(shaded.mean()), abs=2)
