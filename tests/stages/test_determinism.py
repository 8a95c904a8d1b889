"""One seed drives everything: the same settings give the same metrics, in another folder and another process."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pairvae.stages.assess import assess
from pairvae.stages.generate import generate
from pairvae.stages.preprocess import preprocess
from pairvae.stages.project import open_project
from pairvae.stages.raw import make_raw
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from small_project import SMALL, make_project


def metrics_of(folder: Path, *changes: str) -> bytes:
    """``reports/metrics.json`` of the trainings, `assess` and `generate`, run untracked in this process."""
    project = open_project(changes, folder=folder, track=False)
    for name in ("saxs", "sem"):
        train_solo(project, name)
    train_pair(project)
    assess(project)
    generate(project)
    return (folder / "reports" / "metrics.json").read_bytes()


def test_same_seed_gives_the_same_metrics_in_any_folder_and_another_does_not(tmp_path: Path) -> None:
    found = []
    for name, seed in (("first", 0), ("second", 0), ("third", 1)):
        folder = tmp_path / name
        (folder / "data").mkdir(parents=True)
        (folder / "params.yaml").write_text("preset: fast\n")
        project = open_project(SMALL, folder=folder, track=False)
        if name == "first":
            make_raw(project)
            preprocess(project)
        else:
            shutil.copytree(tmp_path / "first" / "data" / "prepared", folder / "data" / "prepared")
        found.append(metrics_of(folder, *SMALL, f"seed={seed}"))
    assert json.loads(found[0])["splits"]["validation"]["pair"]
    assert found[0] == found[1]
    assert found[0] != found[2]


@pytest.mark.slow
def test_untracked_trainings_give_the_metrics_of_the_pipeline(finished_project: Path, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "same")
    shutil.copytree(finished_project / "data", folder / "data")
    expected = (finished_project / "reports" / "metrics.json").read_bytes()
    assert metrics_of(folder) == expected
    assert metrics_of(folder, "seed=1") != expected
