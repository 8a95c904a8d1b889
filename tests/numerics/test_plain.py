"""The public descriptors: their examples, and what they refuse instead of giving a number."""

import doctest
from typing import Any

import numpy as np
import pytest

import pairvae
from pairvae.errors import InputError
from pairvae.numerics import plain


def test_examples_are_right() -> None:
    done = doctest.testmod(plain)
    assert done.attempted >= 9 and done.failed == 0


def test_lists_bools_and_single_images_count() -> None:
    image = np.random.default_rng(0).random((16, 24)) > 0.4
    for given in (image, image.tolist(), image[None], image.astype(float)):
        assert pairvae.describe(given)["phase_fraction"][0] == image.mean()
        assert pairvae.two_point_correlation(given).shape == (1, 8)
        assert pairvae.lineal_path(given, "horizontal").shape == (1, 12)


@pytest.mark.parametrize(("images", "message"), [
    (np.linspace(0, 1, 256).reshape(16, 16), "images: expected two phases, 0 and 1, found 0 to 1 - threshold"),
    (np.full((16, 16), 255, np.uint8), "found 255 to 255"),
    (np.full((16, 16), np.nan), "found nan to nan"),
    (np.full((16, 16), "a"), "found dtype <U1"),
    (np.zeros((2, 3, 16, 16)), r"found shape \(2, 3, 16, 16\) - take images\[0\]"),
    (np.zeros(16), r"found shape \(16,\)"),
    (np.zeros((0, 16, 16)), r"found shape \(0, 16, 16\)"),
])  # fmt: skip
def test_what_is_no_two_phase_image_is_refused(images: Any, message: str) -> None:
    for function in (pairvae.describe, pairvae.two_point_correlation):
        with pytest.raises(InputError, match=message):
            function(images)
