"""A window of an image on another grid: area means, interpolation, masks, and what lies beyond the edges."""

import cv2
import numpy as np
import pytest

from pairvae.numerics.resampling import window

IMAGE = np.random.default_rng(0).random((60, 80))


def test_the_same_grid_changes_nothing() -> None:
    square, seen = window(IMAGE, None, (29.5, 39.5), 60, 60)
    np.testing.assert_allclose(square, IMAGE[:, 10:70], rtol=1e-6)
    assert (seen == 1).all()


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_shrinking_takes_the_mean_of_every_pixel(factor: int) -> None:
    square, _ = window(IMAGE, None, (29.5, 39.5), 60, 60 // factor)
    blocks = IMAGE[:, 10:70].reshape(60 // factor, factor, 60 // factor, factor).mean(axis=(1, 3))
    np.testing.assert_allclose(square, blocks, rtol=1e-6)


def test_shrinking_by_a_broken_factor_keeps_the_sum() -> None:
    square, _ = window(IMAGE, None, (29.5, 29.5), 60, 37)
    assert square.mean() == pytest.approx(IMAGE[:, :60].mean(), rel=1e-6)


def test_growing_interpolates_as_opencv_does() -> None:
    square, _ = window(IMAGE[:, :60], None, (29.5, 29.5), 60, 100)
    wanted = cv2.resize(IMAGE[:, :60].astype(np.float32), (100, 100))
    np.testing.assert_allclose(square[2:-2, 2:-2], wanted[2:-2, 2:-2], atol=1e-6)


def test_masked_pixels_do_not_count_and_what_is_beyond_is_not_seen() -> None:
    image = np.ones((40, 40))
    image[10:20] = 1000.0
    trusted = np.ones((40, 40), bool)
    trusted[10:20] = False
    square, seen = window(image, trusted, (19.5, 19.5), 60, 20)  # 3 old pixels a new one; 10 beyond each edge
    assert set(np.unique(square)) == {0.0, 1.0}
    assert (seen[:3] == 0).all() and (seen[7:9] == 0).all(), "beyond the edge, and within the mask"
    assert seen[12, 12] == 1


def test_colours_are_averaged_channel_by_channel() -> None:
    colours = np.stack([IMAGE, 1 - IMAGE], axis=2)
    square, _ = window(colours, None, (29.5, 39.5), 60, 20)
    np.testing.assert_allclose(square.sum(axis=2), 1.0, rtol=1e-6)
