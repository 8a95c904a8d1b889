"""Binarisation: the recipe step by step, other thresholds, shading, and noise that is told from structure."""

from __future__ import annotations

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
