from pathlib import Path

import cv2
import numpy as np
import pytest

from pairvae.reports.contact_sheet import GAP, TILE, strip, write_contact_sheet
from pairvae.store.picture_files import fitting

GIVEN = np.full((3, 192, 192), 0.5, np.float32)
DARK = np.zeros((1, 192, 192), np.uint8)


@pytest.mark.parametrize(("samples", "pictures"), [(1, 2), (2, 3), (3, 4), (8, 4)])
def test_a_strip_is_as_wide_as_its_pictures(samples: int, pictures: int) -> None:
    one = strip(GIVEN, np.stack([DARK] * samples), "pattern.tif -> sem")
    assert one.shape[1] == pictures * (TILE + GAP) - GAP
    assert (one[-TILE:, -TILE:] == 0).all()


def test_predictions_of_a_known_scale_have_a_bar() -> None:
    nm = 2.0 * TILE / 192  # 320 nm across: a bar of 100 nm is 50 px of the 160
    one = strip(GIVEN, DARK[None], "pattern.tif -> sem", nm_per_px=nm)
    bar = (one[-8, -TILE:] == 255).all(-1)
    assert bar.sum() == 50 and (one[:-TILE] == strip(GIVEN, DARK[None], "pattern.tif -> sem")[:-TILE]).all()


@pytest.mark.parametrize("samples", [1, 3])
def test_the_end_of_a_long_caption_is_kept_and_fits(samples: int) -> None:
    width = (samples + 1) * (TILE + GAP) - GAP
    text = fitting("a/very/long/folder/" * 20 + "pattern-0001.tif -> sem  distance 0.60", width)
    assert text.startswith("...") and text.endswith("distance 0.60")
    assert fitting("short", width) == "short"
    with_caption = strip(GIVEN, np.stack([DARK] * samples), "W" * 500)
    assert with_caption.shape[1] == width


@pytest.mark.parametrize(("count", "samples", "columns"), [(4, 1, 1), (5, 1, 3), (24, 1, 3), (5, 3, 2)])
def test_a_sheet_holds_every_strip_and_is_no_wider_than_a_page(
    tmp_path: Path, count: int, samples: int, columns: int
) -> None:
    strips = [strip(GIVEN, np.stack([DARK] * samples), str(number)) for number in range(count)]
    write_contact_sheet(tmp_path / "sheet.png", strips)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None and sheet.shape[1] <= 1420
    found = cv2.connectedComponents(cv2.erode((sheet.max(2) == 0).astype(np.uint8), np.ones((99, 99))))[0] - 1
    assert found == count * samples
    across = np.flatnonzero(np.diff((sheet[GAP + 100 :: 9999].max(2)[0] == 0).astype(int)) == 1)
    assert len(across) == columns * samples


def test_strips_of_both_directions_may_differ_in_width(tmp_path: Path) -> None:
    strips = [strip(GIVEN, np.stack([DARK] * samples), "x") for samples in (1, 3, 2, 1, 1)]
    write_contact_sheet(tmp_path / "sheet.png", strips)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None and sheet.shape[1] == 2 * (strips[1].shape[1] + 3 * GAP) + GAP
