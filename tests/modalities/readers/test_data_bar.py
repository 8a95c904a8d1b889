"""Data bars and letters: metadata against pixels."""

import cv2
import numpy as np
import pytest

from pairvae.modalities.letters import letters_at
from pairvae.modalities.readers.data_bar import data_bar, rows_above_bar


def micrograph(height: int = 300, width: int = 400) -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=(height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.clip(120 + 300 * smooth, 0, 255).astype(np.uint8)


def written(
    image: np.ndarray, row: int, ink: int, text: str = "15.0kV 8.2mm x50.0k", size: float = 0.6
) -> np.ndarray:
    cv2.putText(image, text, (20, row), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)
    return image


def with_bar(first: int, background: int = 0, ink: int = 255) -> np.ndarray:
    image = micrograph()
    image[first:] = background
    return written(image, first + 25, ink)


@pytest.mark.parametrize(
    ("told", "chosen", "expected"),
    [
        (None, None, (260, "detected")),
        (None, 250, (250, "settings")),
        (260, None, (260, "metadata")),
        (261, None, (261, "metadata")),  # a line more or less is the same bar
        (300, None, (260, "detected")),  # the metadata give no bar
        (280, None, (260, "detected")),
        (200, None, (260, "detected")),
        (200, 290, (260, "detected")),
    ],
)
def test_the_pixels_count_where_metadata_disagree(
    told: int | None, chosen: int | None, expected: tuple[int, str]
) -> None:
    found = rows_above_bar(with_bar(260), told, chosen)
    assert (found.rows, found.source) == expected
    contradicted = told is not None and abs(told - 260) > 2
    assert bool(found.notes) == contradicted  # the line says so
    assert all("row 260" in note and "is used" in note for note in found.notes)


def test_a_bar_of_two_strips_is_kept_as_the_metadata_tell_it() -> None:
    image = with_bar(270)
    image[240:270] = 128
    image[250:260, 50:200] = 255
    assert data_bar(image) == 30
    assert rows_above_bar(image, 240, None).rows == 240


def test_metadata_are_believed_where_the_pixels_do_not_tell() -> None:
    image = micrograph()
    image[280:] = (np.arange(400) // 100 * 30).astype(np.uint8)  # drawn, of four backgrounds
    image[280:] //= 2
    image[280:, :220] = 10
    image[290:292] = micrograph()[290:292]
    assert data_bar(image) in (0, 20)
    assert rows_above_bar(image, 280, None).rows == 280
    assert rows_above_bar(micrograph(), None, None).source == "none"


def test_a_bar_that_was_cut_off_takes_no_image_with_it() -> None:
    found = rows_above_bar(micrograph(), 280, None)
    assert (found.rows, found.source) == (300, "none") and "all 300 are used" in found.notes[0]


@pytest.mark.parametrize("depth", [1, 257])
def test_a_bar_below_a_flat_dark_image_is_found(depth: int) -> None:
    image = np.zeros((300, 400), np.uint8)
    image[260:] = 96
    kind = np.uint8 if depth == 1 else np.uint16
    assert data_bar(written(image, 285, 255).astype(kind) * kind(depth)) == 40
    image[260:] = 0
    image[260] = 255  # a bar of the image's own level: the line above it tells
    assert data_bar(written(image, 285, 255).astype(kind) * kind(depth)) == 40


def test_a_dark_part_of_the_sample_is_no_bar() -> None:
    image = micrograph()
    edge = 255 + (8 * np.sin(np.arange(400) / 9)).astype(int)  # a cross-section above vacuum
    for column in range(400):
        image[edge[column] :, column] = 0
    image[-3:, 5:9] = 90
    assert data_bar(image) == 0


@pytest.mark.parametrize("ink", [255, 0])
@pytest.mark.parametrize("row", [30, 285])
def test_letters_over_a_micrograph_are_found(row: int, ink: int) -> None:
    image = micrograph()
    assert letters_at(image) is None
    found = letters_at(written(image, row, ink))
    assert found is not None and row - 20 < found < row
    assert letters_at(np.repeat(image[..., None], 3, axis=2)) == found
    assert letters_at(image.astype(np.uint16) * 257) == found


@pytest.mark.parametrize("period", [12, 24])
def test_lattices_are_no_letters(period: int) -> None:
    y, x = np.indices((300, 400))
    waves = [np.cos(2 * np.pi * (a * x + b * y) / period) for a, b in ((1, 0), (0.5, 0.866), (0.5, -0.866))]
    dots = np.clip(90 + 70 * sum(waves) + np.random.default_rng(0).normal(0, 5, x.shape), 0, 255).astype(
        np.uint8
    )
    stripes = np.clip(128 + 200 * np.sin(2 * np.pi * x / period), 0, 255).astype(np.uint8)
    for image in (dots, 255 - dots, stripes, (dots > 120).astype(np.uint8) * 255):
        assert letters_at(image) is None
