"""The contact sheet of pairs."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from pairvae.data.check.pair_sheet import CAPTION, GAP, TILE, pair_sheet
from pairvae.store.picture_files import write_caption


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


def tiles(path: Path, count: int) -> list[np.ndarray]:
    """The tiles of a sheet of one cell."""
    sheet = cv2.imread(str(path))
    assert sheet.shape[1] == 2 * GAP + count * (TILE + 2) - 2
    rows = slice(GAP + CAPTION, GAP + CAPTION + TILE)
    return [sheet[rows, GAP + n * (TILE + 2) : GAP + n * (TILE + 2) + TILE] for n in range(count)]


def test_curves_are_drawn_and_an_absent_file_is_blank(tmp_path: Path) -> None:
    q = np.geomspace(0.05, 3, 60)
    for name in ("SAXS", "SEM", "IQ"):
        (tmp_path / name).mkdir()
    for file in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"SAXS/{file}.png"), np.full((40, 40), 60, np.uint8))
        cv2.imwrite(str(tmp_path / f"SEM/{file}.tif"), np.full((400, 400), 90, np.uint8))
    np.savetxt(tmp_path / "IQ/a.dat", np.stack([q, q**-4], axis=1))
    pair_sheet(tmp_path, tmp_path / "sheet.png", limit=1)
    curve = tiles(tmp_path / "sheet.png", 3)[1]
    drawn = (curve[..., 0] > curve[..., 1].astype(int) + 60).nonzero()  # blue on white
    # a power law is a straight line from the upper left to the lower right
    assert abs(np.corrcoef(drawn)[0, 1] - 1) < 0.01 and len(drawn[0]) > TILE // 2
    for path in (tmp_path / "SAXS").iterdir():
        path.unlink()
    (tmp_path / "SEM/b.tif").unlink()
    pair_sheet(tmp_path, tmp_path / "sheet.png")
    assert (tiles(tmp_path / "sheet.png", 2)[0] == curve).all()


def test_saturated_pixels_of_a_deep_micrograph_are_white(tmp_path: Path) -> None:
    for name in ("SAXS", "SEM"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "SAXS/a.png"), np.full((40, 40), 60, np.uint8))
    levels = np.tile(np.linspace(20_000, 30_000, 400).astype(np.uint16), (400, 1))
    levels[:, 200:210] = 65_535
    levels[200:210, :190] = 0
    tifffile.imwrite(tmp_path / "SEM/a.tif", levels)
    pair_sheet(tmp_path, tmp_path / "sheet.png")
    micrograph = tiles(tmp_path / "sheet.png", 2)[1][..., 0]
    at = 98  # px of the tile: its 384 px of the image begin at column 8
    assert micrograph[10, at] > 250 and micrograph[at, 20] < 5
    assert 5 < micrograph[10, 20] < micrograph[10, 180] < 250


def test_both_names_stand_above_in_natural_order_and_in_their_own_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(
        "pairvae.data.check.pair_sheet.write_caption", lambda canvas, text, height: written.append(text)
    )
    for name in ("SAXS", "SEM"):
        (tmp_path / name).mkdir()
    for id_ in ("probe_10", "probe_2"):
        cv2.imwrite(str(tmp_path / f"SAXS/{id_}.png"), np.full((40, 40), 60, np.uint8))
        cv2.imwrite(str(tmp_path / f"SEM/{id_}.tif"), np.full((400, 400), 90, np.uint8))
    pair_sheet(tmp_path, tmp_path / "sheet.png")
    assert written[:3] == ["probe_2", "probe_2.png", "probe_2.tif"] and written[3] == "probe_10"


def test_letters_are_drawn_and_those_that_no_font_has_are_told_apart() -> None:
    pictures = {}
    for text in ("Größe é", "GroBe e", "Gr??e ?", "样品", "日本"):
        pictures[text] = np.full((22, 200, 3), 255, np.uint8)
        write_caption(pictures[text], text, 22)
        assert (pictures[text] < 100).any()
    assert len({picture.tobytes() for picture in pictures.values()}) == 5
