import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.numerics import images


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
