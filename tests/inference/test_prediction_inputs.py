"""What `predict` is given: files, folders, patterns of names, and which modality each file is of."""

from pathlib import Path

import pytest

from pairvae.errors import InputError
from pairvae.inference.prediction_inputs import expand, inputs_of, unique_names

PAIR = ("saxs", "sem")


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for file in ("SAXS/a.jpg", "SAXS/b.jpg", "SEM/a.tif", "SEM/notes.txt", "other/c.png"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_both_asks_the_folders(raw: Path) -> None:
    found = inputs_of(["."], PAIR, "both", None)
    assert [(Path(one.given).name, one.source, one.target, one.name) for one in found] == [
        ("a.jpg", "saxs", "sem", "a"), ("b.jpg", "saxs", "sem", "b"), ("a.tif", "sem", "saxs", "a"),
    ]  # fmt: skip
    assert [one.source for one in inputs_of(["SEM", "SAXS/a.jpg"], PAIR, "both", None)] == ["sem", "saxs"]
    with pytest.raises(
        InputError, match=r"other/c\.png: expected a file in a folder SAXS or SEM, found 'other'.*--from"
    ):
        inputs_of(["other/c.png"], PAIR, "both", None)
    assert inputs_of(["other/c.png"], PAIR, "both", "sem")[0].target == "saxs"


def test_one_direction_needs_no_folders(raw: Path) -> None:
    assert inputs_of(["other/c.png"], PAIR, "sem", None)[0].source == "saxs"
    with pytest.raises(InputError, match="--from: expected files of saxs, found 'sem'"):
        inputs_of(["other/c.png"], PAIR, "sem", "sem")


def test_patterns_of_names(raw: Path) -> None:
    assert expand(["S*/a.*"], frozenset({"jpg"})) == ["SAXS/a.jpg", "SEM/a.tif"]
    assert expand([f"{raw}/SAXS/*.jpg"], frozenset({"jpg"})) == [f"{raw}/SAXS/{name}.jpg" for name in "ab"]
    with pytest.raises(InputError, match="expected files of that pattern, found none"):
        expand(["*.xyz"], frozenset({"jpg"}))
    with pytest.raises(InputError, match="readable files in the folder, found none"):
        expand(["other"], frozenset({"jpg"}))


def test_names_are_never_given_twice() -> None:
    assert unique_names(["x/a.png", "y/a.png", "a-2.png", "f.h5::/d"]) == ["a", "a-2", "a-2-2", "f"]
