"""Patterns brought to one form: the colour map undone, the beam moved to the middle, q per pixel carried."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.raw import RawImage
from pairvae.modalities.readers import read_image
from pairvae.numerics.colormaps import apply_colormap
from pairvae.settings import SaxsPrepare

SIDE = 64
REAL = Path(os.environ.get("PAIRVAE_REAL_FILES", "nowhere"))


def settings(**changes: Any) -> SaxsPrepare:
    return SaxsPrepare.model_validate({"size": SIDE, "colormap": None, "beam_centre": None} | changes)


def rings(height: int, width: int, row: float, column: float) -> np.ndarray:
    """A pattern in [0, 1] with a halo and a ring about the beam."""
    y, x = np.mgrid[:height, :width]
    radius = np.hypot(y - row, x - column)
    return 0.6 * np.exp(-radius / 6) + 0.4 * np.exp(-(((radius - 15) / 2) ** 2))


def raw(pixels: np.ndarray, q_per_px: float | None = None) -> RawImage:
    return RawImage(pixels, None, None, "png", "pattern.png", q_per_px)


def coloured(intensity: np.ndarray) -> np.ndarray:
    return np.rint(apply_colormap(intensity, "vge") * 255).astype(np.uint8)


def test_colours_stay_unless_a_map_is_named() -> None:
    pixels = coloured(rings(SIDE, SIDE, 31.5, 31.5))
    array = MODALITIES["saxs"].prepare(raw(pixels), settings())
    np.testing.assert_allclose(array, pixels.transpose(2, 0, 1) / 255, atol=1e-6)


def test_map_is_undone_to_the_intensity_on_three_channels() -> None:
    intensity = rings(SIDE, SIDE, 31.5, 31.5)
    array = MODALITIES["saxs"].prepare(raw(coloured(intensity)), settings(colormap="vge"))
    np.testing.assert_allclose(array, np.broadcast_to(intensity, (3, SIDE, SIDE)), atol=0.01)


def test_grey_picture_needs_no_map() -> None:
    grey = np.rint(rings(SIDE, SIDE, 31.5, 31.5) * 255).astype(np.uint8)
    array = MODALITIES["saxs"].prepare(raw(np.repeat(grey[..., None], 3, 2)), settings(colormap="vge"))
    np.testing.assert_allclose(array[0], grey / 255, atol=1e-6)


def test_other_colours_and_unknown_maps_are_refused() -> None:
    green = np.zeros((SIDE, SIDE, 3), np.uint8)
    green[..., 1] = np.rint(rings(SIDE, SIDE, 31.5, 31.5) * 255)
    green[8:40, 8:40, 1] = 255
    with pytest.raises(InputError, match="expected the colours of the map vge, found a mean distance of"):
        MODALITIES["saxs"].prepare(raw(green), settings(colormap="vge"))
    with pytest.raises(InputError, match="expected a colour map among vge, found 'jet'"):
        MODALITIES["saxs"].prepare(raw(green), settings(colormap="jet"))


@pytest.mark.parametrize("option", [[39.5, 25.5], "auto"])
def test_beam_is_moved_to_the_middle_at_the_same_scale(option: Any) -> None:
    off = np.rint(rings(SIDE, SIDE + 20, 39.5, 25.5) * 255).astype(np.uint8)
    array = MODALITIES["saxs"].prepare(raw(off), settings(beam_centre=option))
    wanted = np.rint(rings(SIDE, SIDE, 31.5, 31.5) * 255) / 255
    inside = np.s_[10:54, 10:54]  # what lies beyond the picture's edge is zero
    np.testing.assert_allclose(array[0][inside], wanted[inside], atol=1e-6)
    told = MODALITIES["saxs"].describe(raw(off, 0.002), settings(beam_centre=option))
    assert told["beam_from"] == ("found" if option == "auto" else "given")
    np.testing.assert_allclose(told["beam_centre"], [39.5, 25.5], atol=0.3)
    assert told["q_per_px_inv_nm"] == pytest.approx(0.002)


def test_beam_outside_the_picture_and_pattern_without_symmetry_are_refused() -> None:
    pixels = np.rint(rings(SIDE, SIDE, 32, 32) * 255).astype(np.uint8)
    with pytest.raises(InputError, match="expected a beam centre within 64 x 64 px, found row 70, column 3"):
        MODALITIES["saxs"].prepare(raw(pixels), settings(beam_centre=[70, 3]))
    noise = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)
    with pytest.raises(InputError, match=r"saxs\.prepare\.beam_centre as \[row, column\], or null"):
        MODALITIES["saxs"].prepare(raw(noise), settings(beam_centre="auto"))


@pytest.mark.parametrize(("shape", "expected"), [((128, 128), 0.002), ((128, 100), None)])
def test_q_per_pixel_follows_the_resizing(shape: tuple[int, int], expected: float | None) -> None:
    told = MODALITIES["saxs"].describe(raw(np.zeros(shape, np.uint8), 0.001), settings())
    assert told["q_per_px_inv_nm_of_file"] == 0.001
    assert told["q_per_px_inv_nm"] == (None if expected is None else pytest.approx(expected))


def test_micrograph_tells_its_rows_and_rescaling() -> None:
    from pairvae.settings import resolve

    sem, section = MODALITIES["sem"], resolve({}).sem.prepare
    image = replace(raw(np.zeros((900, 1300), np.uint8)), nm_per_px=1.45)
    told = sem.describe(image, section.model_copy(update={"rows": 830, "columns": 1280}))
    assert (told["rows"], told["rows_from"], told["columns"]) == (830, "settings", 1280)
    assert (told["rescaled_by"], told["nm_per_px"]) == (1.0, 1.45)
    told = sem.describe(replace(image, image_rows=870), section.model_copy(update={"nm_per_px": 2.9}))
    assert (told["rows"], told["rows_from"]) == (870, "metadata")
    assert (told["rescaled_by"], told["nm_per_px"], told["nm_per_px_of_file"]) == (0.5, 2.9, 1.45)
    told = sem.describe(image, section.model_copy(update={"rows": None}))
    assert (told["rows"], told["rows_from"]) == (900, "no data bar")


@pytest.mark.skipif(not REAL.is_dir(), reason="PAIRVAE_REAL_FILES names no folder")
def test_published_pattern_has_the_known_colours() -> None:
    array = MODALITIES["saxs"].prepare(read_image(REAL / "true_saxs_b.png"), settings(colormap="vge"))
    assert 0.05 < array.mean() < 0.9
