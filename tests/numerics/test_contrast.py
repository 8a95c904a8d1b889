"""Which way round a micrograph's contrast is, by its counting noise."""

import cv2
import numpy as np
import pytest

from pairvae.numerics.images import noise_asymmetry


def micrograph(electrons: float) -> np.ndarray:
    """(400, 400) uint8: domains of two grey levels with the noise of so many electrons in a white pixel."""
    generator = np.random.default_rng(0)
    field = cv2.GaussianBlur(generator.normal(size=(400, 400)).astype(np.float32), (0, 0), 6.0)
    signal = 0.25 + 0.5 / (1 + np.exp(-200 * field))
    noisy = signal + np.sqrt(signal / electrons) * generator.normal(size=signal.shape)
    return np.clip(noisy * 255, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("electrons", [50, 400])
def test_noise_grows_with_brightness_and_a_negative_has_it_the_other_way_round(electrons: float) -> None:
    found = noise_asymmetry(micrograph(electrons))
    assert found == pytest.approx(0.5 * np.log(0.75 / 0.25), abs=0.25)
    assert noise_asymmetry(255 - micrograph(electrons)) == pytest.approx(-found, abs=0.02)


def test_a_binary_image_tells_nothing() -> None:
    assert np.isnan(noise_asymmetry(np.where(micrograph(400) > 128, 255, 0).astype(np.uint8)))
