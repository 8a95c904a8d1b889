"""Mask files: what they hold, how they are kept, and what they do to a pattern."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile

from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.calibration_files import with_files
from pairvae.modalities.readers.image import read_image
from pairvae.modalities.readers.masks import bad_of, is_mask, mask_of
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.settings import MaskPixels, SaxsPrepare
from real_files import has_real, real_file

BAD = np.zeros((70, 60), bool)
BAD[20:30] = BAD[:, 11] = True


def settings(**changes: Any) -> SaxsPrepare:
    return SaxsPrepare.model_validate({"size": 32, "colormap": None, "beam_centre": None} | changes)


def raw(pixels: np.ndarray) -> RawImage:
    return RawImage(pixels, None, None, "edf", "a.edf")


def write(path: Path) -> Path:
    if path.suffix == ".png":
        cv2.imwrite(str(path), BAD.astype(np.uint8) * 255)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, BAD.astype(np.uint8))
    elif path.suffix == ".npy":
        np.save(path, BAD)
    else:
        fabio = pytest.importorskip("fabio")
        kind = {".edf": fabio.edfimage.EdfImage, ".msk": fabio.fit2dmaskimage.Fit2dMaskImage}[path.suffix]
        kind(data=BAD.astype(np.uint8)).write(str(path))
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy", ".edf", ".msk"])
def test_every_kind_of_mask_file_is_kept_and_unpacked(suffix: str, tmp_path: Path) -> None:
    kept = mask_of(read_image(write(tmp_path / f"m{suffix}")), "m")
    again = MaskPixels.model_validate(kept.model_dump(mode="json"))
    np.testing.assert_array_equal(bad_of(again, (70, 60), "a"), BAD)
    assert len(kept.deflated) < 200


def test_flags_of_a_detector_and_what_is_no_mask() -> None:
    flags = np.zeros((40, 40), np.float32)
    flags[3:9], flags[20] = 8, 1
    assert is_mask(flags)
    assert bad_of(mask_of(raw(flags), "m"), (40, 40), "a").sum() == 7 * 40
    assert not is_mask(np.arange(1600.0).reshape(40, 40))
    with pytest.raises(InputError, match=r"a mask: zero where a pixel counts.*1600 different values"):
        mask_of(raw(np.arange(1600.0, dtype=np.float32).reshape(40, 40)), "m")
    with pytest.raises(
        InputError, match="found 84% of them - non-zero marks the pixels that do not count: invert it"
    ):
        mask_of(raw((~BAD).astype(np.uint8)), "m")


def test_a_mask_of_another_size_and_a_damaged_one_are_refused() -> None:
    kept = mask_of(raw(BAD.astype(np.uint8)), "m.edf")
    with pytest.raises(InputError, match=r"a pattern of 70 x 60 px, as the mask m\.edf, found 60 x 70"):
        bad_of(kept, (60, 70), "a")
    bomb = "eNrtwTEBAAAAwqD1T20ND6AAAAAAAAAAAAAA"
    for text in ("", "@@@", kept.deflated[:-8], bomb):
        with pytest.raises(InputError, match="a sound mask in the model's card"):
            bad_of(kept.model_copy(update={"deflated": text}), (70, 60), "a")
    small = kept.model_copy(update={"rows": 7, "columns": 6})
    with pytest.raises(InputError, match="bytes where 6 belong"):
        bad_of(small, (7, 6), "a")


def test_masked_pixels_are_zero_and_do_not_spoil_their_neighbours() -> None:
    counts = np.full((64, 64), 100.0, np.float32) + np.arange(64, dtype=np.float32)
    bad = np.zeros((64, 64), bool)
    bad[20:30], bad[40, 7] = True, True
    spoilt = np.where(bad, 1e6, counts).astype(np.float32)
    kept = mask_of(raw(bad.astype(np.uint8)), "m")
    array = MODALITIES["saxs"].prepare(raw(spoilt), settings(mask=kept))[0]
    clean = MODALITIES["saxs"].prepare(raw(counts), settings())[0]
    assert (array[10:15] == 0).all()
    seen = np.delete(np.arange(32), np.arange(10, 15))
    np.testing.assert_allclose(array[seen], clean[seen], atol=0.01)
    own = MODALITIES["saxs"].prepare(replace(raw(spoilt), mask=bad), settings())[0]
    np.testing.assert_array_equal(own, array)


def test_masked_pixels_of_a_picture_are_black() -> None:
    picture = np.random.default_rng(0).integers(100, 200, (64, 64, 3), np.uint8)
    bad = np.zeros((64, 64), bool)
    bad[20:30] = True
    section = settings(mask=mask_of(raw(bad.astype(np.uint8)), "m"))
    array = MODALITIES["saxs"].prepare(replace(raw(picture), format="png"), section)
    assert (array[:, 10:15] == 0).all() and array[:, 16:].min() > 0.3


def test_files_are_looked_for_beside_the_pairs_first(tmp_path: Path) -> None:
    for number, folder in enumerate(("raw", "project")):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "m.npy", np.roll(BAD, number, axis=0))
    places = [tmp_path / "raw", tmp_path / "project"]
    section = with_files(settings(mask="m.npy"), places)
    assert isinstance(section, SaxsPrepare) and isinstance(section.mask, MaskPixels)
    np.testing.assert_array_equal(bad_of(section.mask, (70, 60), "a"), BAD)
    assert with_files(section, []) is section
    with pytest.raises(InputError, match=r"other\.npy: expected a file in .* put it beside pairs\.csv"):
        with_files(settings(mask="other.npy"), places)


@has_real("RT_SAXS_mask_03.edf")
def test_the_real_mask_and_pattern() -> None:
    pytest.importorskip("fabio")
    mask = mask_of(read_image(real_file("RT_SAXS_mask_03.edf")), "m")
    pattern = read_image(real_file("galaxi_data.tif.gz"))
    section = SaxsPrepare(size=192, colormap=None, beam_centre=(720.0, 597.0), mask=mask)
    assert MODALITIES["saxs"].describe(pattern, section)["masked_share"] == pytest.approx(0.17, abs=0.1)
    with pytest.raises(InputError, match="2 different values, as in a mask"):
        MODALITIES["saxs"].prepare(read_image(real_file("RT_SAXS_mask_03.edf")), section)


def test_a_card_of_before_is_still_read() -> None:
    old = SaxsPrepare.model_validate({"size": 192, "colormap": None, "beam_centre": None})
    assert (old.mask, old.geometry, old.q_per_px) == (None, None, None)
