from __future__ import annotations

import cv2
import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.numerics import images


def stripes(height: int = 120, width: int = 120, period: int = 12) -> np.ndarray:
    """Vertical stripes of grey levels 60 and 180."""
    columns = np.where(np.arange(width) % period < period // 2, 60, 180)
    return np.tile(columns, (height, 1)).astype(np.uint8)


def test_resize_keeps_linear_ramp_with_half_pixel_centres() -> None:
    ramp = np.tile((np.arange(16) + 0.5) / 16, (16, 1)).astype(np.float32)
    expected = (np.arange(8) + 0.5) / 8
    assert np.allclose(images.resize(ramp, 8), np.tile(expected, (8, 1)), atol=1e-6)


def test_resize_does_not_smooth_a_shrunk_pattern() -> None:
    pixels = np.zeros((9, 9), np.float32)
    pixels[4, 4] = 1.0
    assert images.resize(pixels, 3)[1, 1] == 1.0


@pytest.mark.parametrize("shape", [(10, 14), (10, 14, 1), (10, 14, 3)])
def test_resize_keeps_the_channels(shape: tuple[int, ...]) -> None:
    resized = images.resize(np.ones(shape), 6)
    assert resized.shape == (6, 6, *shape[2:])
    assert resized.dtype == np.float32


def test_binarise_follows_the_recipe_step_by_step() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(colours, (5, 5), 1.0)
    grey = cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY)
    binary = cv2.adaptiveThreshold(grey, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 15, 2)
    expected = cv2.GaussianBlur(binary, (5, 5), 1.0)
    result = images.binarise_sem(colours)
    assert np.array_equal(result, expected)
    assert set(np.unique(result)) == {0, 1}


def test_binarise_finds_stripes_under_uneven_light() -> None:
    light = np.linspace(0, 70, 120)[:, None]
    result = images.binarise_sem((stripes() + light).astype(np.uint8))
    inner = (slice(20, -20), slice(24, -24))
    assert np.array_equal(result[inner], (stripes() > 120)[inner])


def test_second_blur_removes_single_pixels() -> None:
    grey = np.full((40, 40), 100, np.uint8)
    grey[20, 20] = 0
    assert images.binarise_sem(grey, blur_px=1, offset=2)[20, 20] == 0
    assert images.binarise_sem(grey, blur_px=5, offset=12)[20, 20] == 1


@pytest.mark.parametrize("wrong", [{"window_px": 14}, {"window_px": 1}, {"blur_px": 4}])
def test_even_windows_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected an odd"):
        images.binarise_sem(stripes(), **wrong)


@pytest.mark.parametrize("method", sorted(images.THRESHOLDS))
def test_every_threshold_separates_two_grey_levels(method: str) -> None:
    result = images.threshold(stripes(), method)
    inner = (slice(20, -20), slice(24, -24))
    assert result.dtype == np.uint8
    assert np.array_equal(result[inner], (stripes() > 120)[inner])


def test_unknown_threshold_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"adaptive.*sauvola, found 'otto'"):
        images.threshold(stripes(), "otto")


def test_crop_positions_reach_every_corner_and_repeat_with_the_seed() -> None:
    positions = images.crop_positions(12, 15, 10, 500, np.random.default_rng(1))
    assert positions.shape == (500, 2)
    assert positions.min(0).tolist() == [0, 0]
    assert positions.max(0).tolist() == [2, 5]
    again = images.crop_positions(12, 15, 10, 500, np.random.default_rng(1))
    assert np.array_equal(positions, again)


def test_crop_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="at least 20 x 20 px, found 12 x 30"):
        images.crop_positions(12, 30, 20, 1, np.random.default_rng(0))
    with pytest.raises(InputError, match="crop positions from 0 to 2, 2"):
        images.crops(np.zeros((12, 12)), np.array([[0, 3]]), 10)


def test_crops_hold_the_pixels_at_their_positions() -> None:
    image = np.arange(60).reshape(6, 10)
    cut = images.crops(image, np.array([[0, 0], [3, 7]]), 3)
    assert cut.shape == (2, 3, 3)
    assert cut.dtype == image.dtype
    assert cut[1].tolist() == [[37, 38, 39], [47, 48, 49], [57, 58, 59]]


def test_contact_sheet_places_images_row_by_row() -> None:
    sheet = images.contact_sheet(
        np.stack([np.full((4, 6), value / 4) for value in range(3)]), columns=2, gap=2
    )
    assert sheet.shape == (10, 14)
    assert sheet.dtype == np.uint8
    assert sheet[0, 0] == 0 and sheet[0, 8] == 64 and sheet[6, 0] == 128
    assert sheet[5, 0] == 255 and sheet[9, 13] == 255


def test_contact_sheet_shows_binary_images_and_keeps_grey_levels() -> None:
    assert images.contact_sheet(np.ones((1, 2, 2), np.uint8), columns=3).max() == 255
    assert images.contact_sheet(np.full((1, 2, 2, 3), 7, np.uint8), columns=3).tolist() == [[[7] * 3] * 2] * 2
