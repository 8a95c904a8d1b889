"""Pictures carry the size of their pixels, and come back as they were."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from pairvae.modalities.readers.image import read_image
from pairvae.store.ensemble_file import write_stack
from pairvae.store.picture_files import Scale, as_8_bit, png_bytes, write_picture, write_tiff
from pairvae.store.rows import table, write_table

BINARY = np.random.default_rng(0).integers(0, 2, (20, 30), dtype=np.uint8)
PATTERN = np.random.default_rng(1).random((3, 16, 16)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("image", [BINARY, PATTERN], ids=["binary", "pattern"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str, image: np.ndarray) -> None:
    path = tmp_path / f"picture{suffix}"
    write_picture(path, image, Scale(2.9, "nm"))
    raw = read_image(path)
    np.testing.assert_array_equal(np.squeeze(raw.pixels), as_8_bit(image))
    if suffix == ".tif":
        assert raw.nm_per_px == pytest.approx(2.9, rel=1e-6)


def test_grey_levels_are_rounded_to_8_bit_and_a_stack_keeps_them(tmp_path: Path) -> None:
    levels = np.array([[0.0, 0.2], [0.5, 1.0]], np.float32)
    assert as_8_bit(levels).tolist() == [[0, 51], [128, 255]]
    write_stack(tmp_path / "a.tif", np.stack([levels, 1 - levels]), 2.0)
    assert tifffile.imread(tmp_path / "a.tif").tolist() == [[[0, 51], [128, 255]], [[255, 204], [128, 0]]]


def test_png_tells_pixels_per_metre(tmp_path: Path) -> None:
    content = png_bytes(as_8_bit(BINARY), Scale(2.9, "nm"))
    place = content.index(b"pHYs")
    assert struct.unpack(">IIB", content[place + 4 : place + 13]) == (344827586, 344827586, 1)
    assert b"tEXtnm per px\x002.9" in content
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED).shape == (20, 30)


def test_png_of_a_pattern_tells_its_q_as_text_alone() -> None:
    content = png_bytes(as_8_bit(PATTERN), Scale(0.00375, "1/nm"))
    assert b"tEXt1/nm per px\x000.00375" in content and b"pHYs" not in content
    assert b"tEXt" not in png_bytes(as_8_bit(PATTERN))


def test_a_stack_opens_as_one_in_imagej(tmp_path: Path) -> None:
    stack = np.random.default_rng(2).integers(0, 2, (5, 8, 9), dtype=np.uint8) * np.uint8(255)
    write_tiff(tmp_path / "stack.tif", stack, Scale(2.5, "nm"))
    with tifffile.TiffFile(tmp_path / "stack.tif") as tiff:
        assert tiff.is_imagej and tiff.imagej_metadata is not None
        assert tiff.imagej_metadata["unit"] == "nm" and tiff.imagej_metadata["images"] == 5
        np.testing.assert_array_equal(tiff.asarray(), stack)


def test_a_table_appears_when_all_is_well(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with pytest.raises(ZeroDivisionError), table(path, ["a", "b"]) as writer:
        writer.writerow({"a": 1})
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    write_table(path, [{"a": 1}, {"a": 2, "b": "x"}], ["a", "b"])
    assert path.read_text() == "a,b\n1,\n2,x\n"
