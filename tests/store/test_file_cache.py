from pathlib import Path

import numpy as np
import pytest

from pairvae.store.file_cache import FileCache


def test_arrays_and_facts_come_back_as_they_were(tmp_path: Path) -> None:
    kept = FileCache(tmp_path / "files")
    arrays = {
        "image": np.random.default_rng(0).integers(0, 2, (1, 5, 7), dtype=np.uint8),
        "levels": np.arange(6, dtype=np.uint8),
        "pattern": np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 2, 2),
    }
    kept.write("a", arrays, {"scale": 0.1 + 0.2, "notes": ["q in 1/nm"]})
    found = FileCache(tmp_path / "files").read("a")
    assert found is not None
    assert found[1] == {"scale": 0.1 + 0.2, "notes": ["q in 1/nm"]}
    for name, array in arrays.items():
        assert found[0][name].dtype == array.dtype
        np.testing.assert_array_equal(found[0][name], array)
    assert kept.read("b") is None


@pytest.mark.parametrize("damage", [lambda b: b[:40], lambda b: b"", lambda b: b[:-9] + b"x" + b[-8:]])
def test_a_damaged_entry_is_none_and_is_made_anew(tmp_path: Path, damage: object) -> None:
    kept = FileCache(tmp_path)
    kept.write("a", {"x": np.arange(9.0)}, 1)
    path = tmp_path / "a.bin"
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert kept.read("a") is None
    kept.write("a", {"x": np.arange(9.0)}, 2)
    entry = kept.read("a")
    assert entry is not None and entry[1] == 2


def test_the_folder_stays_below_its_bound_and_loses_what_was_not_used(tmp_path: Path) -> None:
    kept = FileCache(tmp_path, most_bytes=60_000)
    for number in range(20):
        kept.write(f"{number:02}", {"x": np.zeros(1000)}, None)
        assert kept.read("00") is not None
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 60_000
    assert kept.read("19") is not None and kept.read("01") is None


def test_a_disk_that_takes_nothing_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file where the folder should be")
    kept = FileCache(tmp_path / "files")
    kept.write("a", {}, None)
    assert kept.read("a") is None
