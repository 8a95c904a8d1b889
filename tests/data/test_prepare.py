"""Files are prepared once: the next command finds what was made, and nothing that no longer holds."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pairvae.commands.check import check_project
from pairvae.data import prepare
from pairvae.data.pairs.manifest import read_pairs
from pairvae.data.prepare import cache_key, prepare_file
from pairvae.data.simulate.simulated_folder import simulate
from pairvae.modalities import MODALITIES
from pairvae.settings import resolve
from pairvae.stages.preprocess import prepare_folder
from pairvae.store.file_cache import FileCache

SEM = MODALITIES["sem"]
SETTINGS = resolve({"assess": {"crops": 2}})


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared-once") / "raw"
    simulate(folder, pairs=3, seed=5, parameters=SETTINGS.data.simulated.parameters)
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_copied_folder_is_prepared_without_reading_a_pixel(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = FileCache(tmp_path / "files")
    first = check_project(raw, SETTINGS, kept)
    prepare_folder(raw, tmp_path / "without", SETTINGS)
    shutil.copytree(raw, tmp_path / "copy")

    def unread(path: Path | str) -> None:
        raise AssertionError(f"{path} was read again")

    for name in ("saxs", "sem"):
        monkeypatch.setitem(prepare.MODALITIES, name, replace(MODALITIES[name], read=unread))  # type: ignore[arg-type]
    again = check_project(tmp_path / "copy", SETTINGS, FileCache(tmp_path / "files"))
    assert (again.notes, again.counts) == (first.notes, first.counts)
    assert [p.message for p in again.problems] == [p.message for p in first.problems]
    prepare_folder(tmp_path / "copy", tmp_path / "with", SETTINGS, FileCache(tmp_path / "files"))
    assert bytes_of(tmp_path / "with") == bytes_of(tmp_path / "without")


def test_every_thing_that_a_result_depends_on_is_in_its_key(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    pair, section = read_pairs(tmp_path / "copy")[0], SETTINGS.sem.prepare

    def key() -> str | None:
        return cache_key("data.prepare", pair, SEM, section)

    first = key()
    assert first == cache_key("data.prepare", read_pairs(raw)[0], SEM, section)
    others = {
        cache_key("data.prepare", replace(pair, sem_nm_per_px=3.0), SEM, section),
        cache_key("data.prepare", pair, SEM, section.model_copy(update={"offset": 7.0})),
        cache_key("data.check.measure", pair, SEM, section),
        cache_key("data.prepare", pair, SEM, section, "a colour map"),
    }
    file = Path(str(pair.sem))
    file.with_suffix(".txt").write_text("$CM_FORMAT JEOL\n$$SM_MICRON_BAR 100\n$CM_MAG 1000\n")
    others.add(key())
    file.with_suffix(".txt").unlink()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    others.add(key())
    assert len(others | {first}) == 7
    assert cache_key("data.prepare", replace(pair, sem="stack.h5::/entry/data"), SEM, section) is None


def test_a_damaged_entry_is_prepared_anew(raw: Path, tmp_path: Path) -> None:
    pair, section, kept = read_pairs(raw)[0], SETTINGS.sem.prepare, FileCache(tmp_path)
    array, record = prepare_file(pair, SEM, section, kept)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:-1])
    for _ in range(2):
        again = prepare_file(pair, SEM, section, kept)
        np.testing.assert_array_equal(again[0], array)
        assert again[1] == record
    assert kept.read(entry.stem) is not None
