"""Patterns brought to one form: the colour map undone, the beam moved to the middle, q per pixel carried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from colour_samples import apply_colormap
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.image import read_image
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.numerics.images import resize
from pairvae.settings import SaxsPrepare
from real_files import has_real, real_file

SIDE = 64


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


def test_a_published_picture_is_decoded_and_resized_and_nothing_else() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (640, 640, 3), np.uint8)
    section = settings(size=192)
    array = MODALITIES["saxs"].prepare(replace(raw(pixels), format="jpeg"), section)
    np.testing.assert_array_equal(
        array, resize(pixels.astype(np.float32) / np.float32(255), 192).transpose(2, 0, 1)
    )


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


@pytest.mark.parametrize(("shape", "expected"), [((128, 128), 0.002), ((128, 100), 0.0015625)])
def test_q_per_pixel_follows_the_resizing(shape: tuple[int, int], expected: float) -> None:
    told = MODALITIES["saxs"].describe(raw(np.zeros(shape, np.uint8), 0.001), settings())
    assert told["q_per_px_inv_nm_of_file"] == 0.001
    assert told["q_per_px_inv_nm"] == pytest.approx(expected)


def counts(height: int, width: int, row: float, column: float, radius: float = 15) -> np.ndarray:
    """Counts of a ring and a halo about the beam, without noise."""
    y, x = np.mgrid[:height, :width]
    away = np.hypot(y - row, x - column)
    return (1000 * np.exp(-away / 6) + 400 * np.exp(-(((away - radius) / 2) ** 2)) + 5).astype(np.float32)


def ring_radius(array: np.ndarray, least: float) -> tuple[float, float]:
    """How far the ring of a prepared pattern lies from the middle, downwards and to the right, px."""
    middle = (SIDE - 1) / 2
    down, right = array[0, 32:, 31:33].mean(axis=1), array[0, 31:33, 32:].mean(axis=0)
    start = int(least)
    return tuple(start + float(np.argmax(line[start:])) + 32 - middle for line in (down, right))  # type: ignore[return-value]


@pytest.mark.parametrize("shape", [(96, 64), (64, 96), (200, 130)])
@pytest.mark.parametrize("form", ["counts", "picture"])
def test_rings_stay_round_on_detectors_that_are_not_square(shape: tuple[int, int], form: str) -> None:
    middle = tuple((side - 1) / 2 for side in shape)
    pixels = counts(*shape, *middle, radius=0.25 * min(shape))
    if form == "picture":
        pixels = np.repeat((255 * pixels / pixels.max()).astype(np.uint8)[..., None], 3, axis=2)
    array = MODALITIES["saxs"].prepare(raw(pixels), settings())
    down, right = ring_radius(array, 8)
    assert down == pytest.approx(16, abs=1) and right == pytest.approx(16, abs=1)
    told = MODALITIES["saxs"].record(raw(pixels), settings())
    assert "the middle is taken for it - give saxs.prepare.beam_centre" in told["warnings"][0]


def test_a_pattern_that_is_not_square_is_cut_around_the_beam_of_its_header() -> None:
    image = replace(raw(counts(100, 64, 60.0, 30.0)), beam=(60.0, 30.0), header_q_per_px=0.01)
    array = MODALITIES["saxs"].prepare(image, settings())
    assert ring_radius(array, 8) == pytest.approx((15, 15), abs=1)
    told = MODALITIES["saxs"].record(image, settings())
    assert (told["beam_from"], told["beam_centre"]) == ("header", [60.0, 30.0])
    assert told["q_per_px_inv_nm"] == pytest.approx(0.01)
    assert "warnings" not in told


def test_every_pixel_counts_when_a_large_detector_is_shrunk() -> None:
    side = SIDE * 17
    pixels = np.full((side, side), 20, np.float32)
    pixels[::17, ::17] += 17 * 17  # one pixel of each new one, which interpolation would not look at
    pixels[:, : side // 2] += 60
    array = MODALITIES["saxs"].prepare(raw(pixels), settings())
    expected = np.where(np.arange(SIDE) < SIDE // 2, 81.0, 21.0)
    levels = np.log1p(expected / 21) / np.log1p(81 / 21)
    np.testing.assert_allclose(array[0], np.tile(levels, (SIDE, 1)), atol=2e-3)


@pytest.mark.parametrize("per_px", [0.004, 0.001])
@pytest.mark.parametrize("form", ["counts", "picture"])
def test_one_scale_of_q_for_all_patterns(per_px: float, form: str) -> None:
    radius = 0.06 / per_px  # px of the file; q of the ring is 0.06 1/nm
    pixels = counts(160, 140, 79.5, 69.5, radius=radius)
    if form == "picture":
        pixels = (255 * pixels / pixels.max()).astype(np.uint8)
    section = settings(q_per_px=0.004, beam_centre=[79.5, 69.5])
    array = MODALITIES["saxs"].prepare(raw(pixels, per_px), section)
    assert ring_radius(array, 8) == pytest.approx((15, 15), abs=1)
    assert MODALITIES["saxs"].describe(raw(pixels, per_px), section)["q_per_px_inv_nm"] == pytest.approx(
        0.004
    )


def test_a_scale_of_q_needs_that_of_the_file() -> None:
    with pytest.raises(
        InputError, match=r"the q per pixel of the pattern, .*saxs_q_per_px_inv_nm in pairs\.csv"
    ):
        MODALITIES["saxs"].prepare(raw(counts(64, 64, 31.5, 31.5)), settings(q_per_px=0.004))
    known = replace(raw(counts(64, 64, 31.5, 31.5)), header_q_per_px=0.008)
    told = MODALITIES["saxs"].describe(known, settings(q_per_px=0.004))
    assert told["q_per_px_inv_nm_of_file"] == 0.008
    given = replace(known, q_per_px=0.002)
    assert MODALITIES["saxs"].describe(given, settings())["q_per_px_inv_nm"] == 0.002, "pairs.csv goes first"


@pytest.mark.parametrize(
    ("values", "number"), [([0, 1], 2), ([0, 255], 2), ([0, 1, 2, 8, 16], 5), ([-1, 0], 2)]
)
def test_a_mask_is_no_pattern(values: list[int], number: int) -> None:
    pixels = np.full((SIDE, SIDE), values[0], np.int32).astype(np.float32)
    for place, value in enumerate(values):
        pixels[8 * place : 8 * place + 4] = value
    with pytest.raises(
        InputError, match=rf"expected a pattern, found {number} different value.*saxs\.prepare\.mask"
    ):
        MODALITIES["saxs"].prepare(raw(pixels), settings())


def test_few_counts_are_a_pattern() -> None:
    pixels = np.random.default_rng(0).poisson(0.3, (SIDE, SIDE)).astype(np.int32)
    assert set(np.unique(pixels)) <= set(range(6))
    MODALITIES["saxs"].prepare(raw(pixels.astype(np.float32)), settings())


def test_header_and_symmetry_are_compared() -> None:
    pixels = np.random.default_rng(0).poisson(counts(200, 200, 100, 100, radius=40)).astype(np.float32)
    right, wrong = (replace(raw(pixels), beam=beam) for beam in ((101.0, 99.0), (140.0, 100.0)))
    section = settings(beam_centre="auto")
    assert "warnings" not in MODALITIES["saxs"].record(right, section)
    told = MODALITIES["saxs"].record(wrong, section)["warnings"][0]
    assert told.startswith(
        "beam at row 140, column 100 by the header, but at row 100, column 100 by symmetry"
    )


def test_eight_bits_of_a_detector_are_counts() -> None:
    pixels = np.minimum(counts(64, 64, 31.5, 31.5) / 10, 255).astype(np.uint8)
    as_counts = MODALITIES["saxs"].prepare(replace(raw(pixels), format="edf"), settings())
    as_picture = MODALITIES["saxs"].prepare(raw(pixels), settings())
    assert as_counts.mean() > 1.5 * as_picture.mean(), "on a logarithmic scale"
    np.testing.assert_allclose(as_picture[0], pixels / 255, atol=1e-6)


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


@has_real("true_saxs_b.png")
def test_published_pattern_has_the_known_colours() -> None:
    array = MODALITIES["saxs"].prepare(read_image(real_file("true_saxs_b.png")), settings(colormap="vge"))
    assert 0.05 < array.mean() < 0.9
