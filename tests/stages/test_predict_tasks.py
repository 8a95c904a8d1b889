"""Predictions shared out in chunks: files and table as one by one; a bad file does not lose the others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pairvae.errors import InputError
from pairvae.stages.predict import predict
from pairvae.stages.train import train_pair
from tiny_project import tiny_project


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a pair that was trained for one epoch."""
    folder = tmp_path_factory.mktemp("predict")
    project = tiny_project(folder, "pair.training.from_solo=false", "pair.training.random_epochs=1")
    train_pair(project)
    return folder


def test_chunks_give_what_one_by_one_gives(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    for workers, name in ((1, "one"), (2, "two")):
        written = predict(
            ["data/raw/SAXS"], to="sem", out=tmp_path / name, model="models/train-pair", samples=2, seed=3,
            workers=workers,
        )  # fmt: skip
        assert written == 16
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.name for path in one] == [path.name for path in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


def test_a_bad_file_is_named_and_the_other_chunks_are_kept(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairvae.stages.predict.CHUNK", 1)
    good = next((made / "data" / "raw" / "SAXS").iterdir())
    files = [tmp_path / f"a{good.suffix}", tmp_path / f"b{good.suffix}"]
    shutil.copy(good, files[0])
    files[1].write_text("no image")
    with pytest.raises(InputError, match=r"b\.jpg.*1 of 2 chunks"):
        predict(
            [str(file) for file in files], to="sem", out=tmp_path / "out", model=str(made / "models" / "train-pair"),
            samples=1, seed=0, workers=2,
        )  # fmt: skip
    assert (tmp_path / "out" / "a-sem-00.png").is_file()
    assert len((tmp_path / "out" / "predictions.csv").read_text().splitlines()) == 2
