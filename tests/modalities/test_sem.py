"""Preparing micrographs: thresholds, phases, windows in nm, deep images, and what is warned of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modalities.readers.test_data_bar import micrograph, with_bar, written
from pairvae.errors import InputError
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.modalities.sem import describe, prepare, threshold_options
from pairvae.settings import SemPrepare, resolve


def settings(**changes: Any) -> SemPrepare:
    return resolve({"sem": {"prepare": {"crop": 64, **changes}}}).sem.prepare


def raw(pixels: np.ndarray, nm: float | None = None, rows: int | None = None) -> RawImage:
    return RawImage(pixels, nm, rows, "tiff", "a.tif")


def cells() -> np.ndarray:
    y, x = np.indices((256, 256))
    light = np.where((y // 64 + x // 64) % 2, 180, 70) + np.random.default_rng(0).normal(0, 15, y.shape)
    return np.clip(light, 0, 255).astype(np.uint8)


def test_defaults_keep_the_recipe_and_detect_the_area() -> None:
    section = resolve({}).sem.prepare
    assert (section.rows, section.columns, section.threshold, section.phase) == (
        None, None, "adaptive", "bright",
    )  # fmt: skip
    assert (section.window_px, section.window_nm, section.shading) == (15, None, False)


@pytest.mark.parametrize("values", [{"preset": "paper"}, {"data": {"source": "mdf"}}])
def test_the_published_set_keeps_its_area(values: dict[str, Any]) -> None:
    section = resolve(values).sem.prepare
    assert (section.rows, section.columns) == (830, 1280)
    own = resolve({**values, "sem": {"prepare": {"rows": None, "columns": 900}}}).sem.prepare
    assert (own.rows, own.columns) == (None, 900)


def test_sections_of_older_models_still_load() -> None:
    old = {
        "rows": 830, "columns": 1280, "crop": 192, "blur_px": 5, "blur_sigma": 1.0, "window_px": 15, "offset": 2.0,
    }  # fmt: skip
    section = SemPrepare.model_validate({**old, "nm_per_px": None})
    assert (section.threshold, section.phase, section.window_nm, section.shading) == (
        "adaptive", "bright", None, False,
    )  # fmt: skip


def test_large_cells_are_noise_in_a_small_window_and_two_phases_by_otsu() -> None:
    right = (np.indices((256, 256)) // 64).sum(axis=0) % 2
    (warning,) = describe(raw(cells()), settings())["warnings"]
    assert warning.startswith("mostly noise") and "pairvae data preview" in warning
    assert describe(raw(cells()), settings(threshold="otsu"))["warnings"] == []
    bright = prepare(raw(cells()), settings(threshold="otsu"))[0]
    assert np.mean(bright == right) > 0.97
    assert np.array_equal(prepare(raw(cells()), settings(threshold="otsu", phase="dark"))[0], 1 - bright)


@pytest.mark.parametrize(("nm", "window"), [(1.0, 41), (2.9, 13), (100.0, 3)])
def test_a_window_in_nm_follows_the_pixel_size(nm: float, window: int) -> None:
    assert threshold_options(raw(micrograph(), nm), settings(window_nm=40))["window_px"] == window
    rescaled = settings(window_nm=40, nm_per_px=2.0)
    assert threshold_options(raw(micrograph(), nm), rescaled)["window_px"] == 21


def test_a_window_in_nm_needs_a_pixel_size() -> None:
    with pytest.raises(InputError, match="sem_nm_per_px"):
        prepare(raw(micrograph()), settings(window_nm=40))


def test_few_levels_of_16_bits_are_stretched() -> None:
    image = micrograph()
    assert np.array_equal(
        prepare(raw((image // 8).astype(np.uint16)), settings()),
        prepare(raw((image // 8).astype(np.uint16) * 2000), settings()),
    )


def test_what_stays_in_the_image_is_warned_of_whatever_told_the_rows() -> None:
    assert describe(raw(with_bar(260)), settings())["warnings"] == []
    (line,) = describe(raw(with_bar(260)), settings(rows=290))["warnings"]
    assert "begins at row 260, and 290 rows are kept" in line
    for section, rows, advice in (
        (settings(), None, "set sem.prepare.rows to"),
        (settings(rows=299), None, "set sem.prepare.rows to"),
        (settings(), 300, "export the image"),  # metadata come before the setting
    ):
        (line,) = describe(raw(written(micrograph(), 285, 255), rows=rows), section)["warnings"]
        assert line.startswith("letters are burned into the image") and advice in line


def test_a_contradiction_of_metadata_and_pixels_is_noted() -> None:
    told = describe(raw(with_bar(260), rows=300), settings())
    assert (told["rows"], told["rows_from"]) == (260, "detected")
    assert "row 260" in told["notes"][0]
