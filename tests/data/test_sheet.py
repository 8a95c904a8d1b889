"""The contact sheet of pairs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import tifffile

from pairvae.data.sheet import CAPTION, GAP, TILE, pair_sheet


def test_each_pair_is_a_cell_and_unreadable_files_are_crossed(tmp_path: Path) -> None:
    for name in ("SAXS", "SEM"):
        (tmp_path / name).mkdir()
    counts = np.random.default_rng(0).poisson(5, (50, 60)).astype(np.int32)
    np.save(tmp_path / "SAXS/a.npy", counts)
    tifffile.imwrite(tmp_path / "SEM/a.tif", np.full((400, 500), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "SAXS/b.png"), np.full((40, 40, 3), (0, 0, 255), np.uint8))
    (tmp_path / "SEM/b.tif").write_text("no picture")
    pair_sheet(tmp_path, tmp_path / "out" / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "out" / "sheet.png"))
    assert sheet.shape == (2 * GAP + CAPTION + TILE, 3 * GAP + 2 * (2 * TILE + 2), 3)
    middle = GAP + CAPTION + TILE // 2
    assert sheet[middle, GAP + TILE + 2 + 50].tolist() == [90, 90, 90]
    second = 2 * GAP + 2 * TILE + 2
    assert sheet[middle, second + 20].tolist() == [0, 0, 255]
    assert sheet[middle, second + TILE + 2 + TILE // 2].tolist() == [0, 0, 200]


def test_the_limit_is_kept(tmp_path: Path) -> None:
    for name, suffix in (("SAXS", "png"), ("SEM", "tif")):
        (tmp_path / name).mkdir()
        for number in range(5):
            cv2.imwrite(str(tmp_path / name / f"{number}.{suffix}"), np.full((40, 40), 10 * number, np.uint8))
    pair_sheet(tmp_path, tmp_path / "sheet.png", limit=1)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] == 2 * GAP + 2 * TILE + 2


def test_two_long_ids_of_one_beginning_are_told_apart(tmp_path: Path) -> None:
    ids = [f"{'film-annealed-at-190C-' * 4}{number}" for number in (1, 2)]
    for name, suffix in (("SAXS", "png"), ("SEM", "tif")):
        (tmp_path / name).mkdir()
        for one in ids:
            cv2.imwrite(str(tmp_path / name / f"{one}.{suffix}"), np.full((40, 40), 90, np.uint8))
    pair_sheet(tmp_path, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    width = 2 * TILE + 2
    first, second = (sheet[GAP : GAP + CAPTION, left : left + width] for left in (GAP, 2 * GAP + width))
    assert (first != second).any()
    assert (first[:, -4:] == 255).all()  # and neither runs over its cell


def test_a_deep_micrograph_is_shown_as_it_is_prepared(tmp_path: Path) -> None:
    for name in ("SAXS", "SEM"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "SAXS/a.png"), np.full((40, 40), 90, np.uint8))
    image = np.zeros((400, 400), np.uint16)
    image[:, 200:] = 65535  # the highest value of a micrograph is no gap of a detector
    tifffile.imwrite(tmp_path / "SEM/a.tif", image)
    pair_sheet(tmp_path, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    row, left = GAP + CAPTION + TILE // 2, GAP + TILE + 2
    assert sheet[row, left + 10].tolist() == [0, 0, 0] and sheet[row, left + TILE - 10].tolist() == [255] * 3
