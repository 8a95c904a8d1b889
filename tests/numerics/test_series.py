"""Smoothing along time: constants stay, nothing is delayed, and what flickers calms down."""

import numpy as np
import pytest

from pairvae.numerics.series import frame_change, smoothed


def test_constants_and_no_smoothing_leave_the_series() -> None:
    constant = np.full((9, 2, 1), 3.0)
    np.testing.assert_allclose(smoothed(constant, 2.0), constant, rtol=1e-6)
    series = np.random.default_rng(0).normal(size=(9, 2, 1))
    np.testing.assert_array_equal(smoothed(series, 0), series.astype(np.float32))
    np.testing.assert_array_equal(smoothed(series[:1], 2), series[:1].astype(np.float32))


def test_nothing_is_delayed() -> None:
    pulse = np.zeros((21, 1))
    pulse[10] = 1
    found = smoothed(pulse, 1.5)[:, 0]
    assert found.argmax() == 10
    np.testing.assert_allclose(found, found[::-1], atol=1e-7)
    assert found.sum() == pytest.approx(1, abs=1e-5)


def test_a_negative_width_is_refused() -> None:
    with pytest.raises(ValueError, match="0 frames or more"):
        smoothed(np.zeros((3, 1)), -1)


def test_change_is_the_mean_difference_of_neighbours() -> None:
    frames = np.array([[[0, 0]], [[0, 1]], [[1, 0]]], np.uint8)
    np.testing.assert_allclose(frame_change(frames), [0.5, 1.0])
    noise = np.random.default_rng(1).normal(size=(50, 4))
    assert frame_change(smoothed(noise, 2)).mean() < 0.5 * frame_change(noise).mean()
