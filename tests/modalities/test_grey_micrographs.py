"""Micrographs that keep their grey levels: contrast, saturation, background, and what has no contrast at all."""

from typing import Any

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.arrays import prepared_already
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.modalities.sem import describe, prepare
from pairvae.numerics.contrast import clipped_share, normalised_contrast
from pairvae.settings import SemPrepare, resolve


def settings(**changes: Any) -> SemPrepare:
    return resolve({"sem": {"prepare": {"crop": 64, "threshold": "none", **changes}}}).sem.prepare


def raw(pixels: np.ndarray, nm: float | None = None) -> RawImage:
    return RawImage(pixels, nm, None, "tiff", "a.tif")


def waves(low: float = 40, high: float = 200, side: int = 128) -> np.ndarray:
    """(side, side) grey levels between two, in periods of 16 px."""
    y, x = np.indices((side, side))
    wave = np.sin(2 * np.pi * x / 16) * np.sin(2 * np.pi * y / 16)
    return low + (high - low) * (0.5 + 0.5 * wave)


def test_only_the_threshold_none_changes_the_defaults() -> None:
    two_phases, grey = resolve({}), resolve({"sem": {"prepare": {"threshold": "none"}}})
    assert MODALITIES["sem"].two_phases(two_phases.sem.prepare)
    assert not MODALITIES["sem"].two_phases(grey.sem.prepare)
    assert grey.sem.prepare.shading
    assert not settings(shading=False).shading
    weights = grey.sem.training.texture
    assert weights.lineal_path == weights.phase_fraction == 0 < weights.histogram
    assert two_phases.sem.training.texture.histogram == 0
    published = resolve({"preset": "paper", "sem": {"prepare": {"threshold": "none"}}})
    assert published.sem.network.architecture == "paper"


def test_the_prior_knows_two_phases_only() -> None:
    with pytest.raises(InputError, match=r"start_from null for prepare\.threshold none"):
        resolve({"sem": {"prepare": {"threshold": "none"}, "training": {"start_from": "prior"}}})


@pytest.mark.parametrize(
    "change", [lambda grey: 3 * grey + 7, lambda grey: grey / 255, lambda grey: grey * 200]
)
def test_brightness_and_contrast_of_the_microscope_do_not_count(change: Any) -> None:
    expected = normalised_contrast(waves())
    found = normalised_contrast(change(waves()))
    assert expected is not None and found is not None
    assert np.allclose(found, expected, atol=1e-5)
    assert found.mean() == pytest.approx(0.5, abs=1e-3)
    assert (found.min(), found.max()) == pytest.approx((0, 1), abs=1e-6)


def test_two_levels_are_told_apart_by_their_shares() -> None:
    quarter = np.zeros((20, 20))
    quarter[:5] = 8  # the mean is 2: 6 below the bright level, and 2 above the dark one
    levels = normalised_contrast(quarter)
    assert levels is not None
    assert sorted(set(levels.ravel().tolist())) == pytest.approx([0.5 - 0.5 * 2 / 6, 1])


def test_single_pixels_do_not_set_the_contrast() -> None:
    hot = waves().copy()
    hot[3, 3], hot[90, 90] = 1e6, -1e6
    clean, found = normalised_contrast(waves()), normalised_contrast(hot)
    assert clean is not None and found is not None
    assert np.abs(found - clean).mean() < 1e-3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_depth_and_colours_do_not_count(dtype: Any) -> None:
    plain = prepare(raw(waves().astype(np.uint8)), settings(blur_px=1))
    scale = 257 if dtype == np.uint16 else 1
    deep = np.floor(waves()).astype(dtype) * dtype(scale)
    assert np.allclose(prepare(raw(deep), settings(blur_px=1)), plain, atol=0.01)
    colours = np.repeat(deep[..., None], 3, axis=2)
    found = prepare(raw(colours), settings(blur_px=1))
    assert found.shape == (1, 128, 128) and found.dtype == np.float32
    assert np.allclose(found, plain, atol=0.01)


def test_dark_inverts_and_shading_is_taken_out() -> None:
    image = waves()
    assert np.allclose(prepare(raw(image), settings(phase="dark")), 1 - prepare(raw(image), settings()))
    uneven = image + np.linspace(0, 300, 128)[None]
    even = prepare(raw(image), settings())
    taken, left = prepare(raw(uneven), settings()), prepare(raw(uneven), settings(shading=False))
    assert np.corrcoef(taken.ravel(), even.ravel())[0, 1] > 0.95
    assert np.corrcoef(left.ravel(), even.ravel())[0, 1] < 0.7


def test_saturation_is_warned_of_and_its_share_named() -> None:
    bright = np.clip(waves(-100, 300), 0, 255).astype(np.uint8)
    share = clipped_share(bright)
    assert share == np.mean((bright == 0) | (bright == 255)) > 0.2
    (warning,) = describe(raw(bright), settings())["warnings"]
    assert warning.startswith(f"saturated: {share:.0%} of the pixels")
    assert describe(raw(waves()), settings())["warnings"] == []


@pytest.mark.parametrize("pixels", [np.full((96, 96), 7, np.uint8), np.eye(200, dtype=np.uint16) * 0 + 3])
def test_an_image_of_one_grey_level_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"a\.tif: expected a micrograph with contrast"):
        prepare(raw(pixels), settings())


def test_a_few_odd_pixels_are_no_contrast() -> None:
    image = np.full((96, 96), 7, np.uint8)
    image[:4, :4] = 255
    with pytest.raises(InputError, match="nearly all pixels of one grey level"):
        prepare(raw(image), settings(blur_px=1, shading=False))


def test_a_micrograph_smaller_than_a_crop_is_refused() -> None:
    with pytest.raises(InputError, match="at least 64 x 64 px"):
        prepare(raw(waves(side=40)), settings())


def test_a_prepared_array_has_a_channel_axis_and_a_raw_one_has_none() -> None:
    sem, shape = MODALITIES["sem"], (1, 64, 64)
    grey = prepare(raw(waves()), settings())
    assert prepared_already(grey, sem, shape, two_phases=False) is grey
    for other in (grey[0], (grey * 255).astype(np.uint8), grey * 255):
        assert prepared_already(other, sem, shape, two_phases=False) is None
    assert prepared_already(grey, sem, shape, two_phases=True) is None
