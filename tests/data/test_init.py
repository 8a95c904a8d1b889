"""pairs.csv from file names."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairvae.data.init import init_pairs
from pairvae.data.manifest import read_pairs
from pairvae.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def names(folder: Path) -> list[tuple[str, str, str]]:
    return [(pair.id, Path(pair.saxs).name, Path(pair.sem).name) for pair in read_pairs(folder)]


def test_equal_stems_pair_up_in_sub_folders_too(tmp_path: Path) -> None:
    touch(tmp_path, "saxs/run1/a.jpg", "saxs/b.jpg", "Sem/a.tif", "Sem/deep/b.tif", "Sem/notes.txt")
    pairs = init_pairs(tmp_path)
    assert names(tmp_path) == [("a", "a.jpg", "a.tif"), ("b", "b.jpg", "b.tif")]
    assert sorted(pair.id for pair in pairs) == ["a", "b"]
    assert "saxs/run1/a.jpg" in (tmp_path / "pairs.csv").read_text()


def test_equally_many_files_pair_up_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/s10.jpg", "SAXS/s2.jpg", "SEM/im_9.tif", "SEM/im_11.tif")
    init_pairs(tmp_path)
    assert names(tmp_path) == [("s10", "s10.jpg", "im_11.tif"), ("s2", "s2.jpg", "im_9.tif")]


def test_a_pattern_takes_the_id_out_of_names(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/scan_07_q.jpg", "SAXS/scan_12_q.jpg", "SEM/wafer12_a.tif", "SEM/wafer07_b.tif")
    init_pairs(tmp_path, pattern=r"(?P<id>\d+)")
    assert names(tmp_path) == [
        ("07", "scan_07_q.jpg", "wafer07_b.tif"),
        ("12", "scan_12_q.jpg", "wafer12_a.tif"),
    ]


def test_a_pattern_that_gives_one_id_twice_or_no_partner(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a1_x.jpg", "SAXS/a1_y.jpg", "SEM/a1.tif", "SEM/b2.tif")
    with pytest.raises(InputError, match=r"a1_x\.jpg and a1_y\.jpg for id 1"):
        init_pairs(tmp_path, pattern=r"[a-z](?P<id>\d)")
    (tmp_path / "SAXS/a1_y.jpg").unlink()
    with pytest.raises(InputError, match=r"a partner of SEM/b2\.tif, found none with id 2"):
        init_pairs(tmp_path, pattern=r"[a-z](?P<id>\d)")
    assert not (tmp_path / "pairs.csv").exists()


def test_force_writes_anew_and_keeps_the_old_one_otherwise(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.jpg", "SEM/a.tif")
    (tmp_path / "pairs.csv").write_text("mine")
    with pytest.raises(InputError, match="--force"):
        init_pairs(tmp_path)
    assert (tmp_path / "pairs.csv").read_text() == "mine"
    init_pairs(tmp_path, force=True)
    assert names(tmp_path) == [("a", "a.jpg", "a.tif")]


def test_no_files_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "SAXS/a.jpg", "SEM/readme.txt")
    with pytest.raises(InputError, match=r"files in SEM/ .*, found none"):
        init_pairs(tmp_path)
