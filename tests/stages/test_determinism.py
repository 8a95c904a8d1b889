"""One seed drives everything: the same settings give the same metrics, in another folder and another process."""

import json
import shutil
from pathlib import Path

import pytest

from pairvae.stages.assess import assess
from pairvae.stages.generate import generate
from pairvae.stages.project import open_project
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from small_project import make_project
from tiny_project import tiny_project


def metrics_of(folder: Path, *changes: str) -> bytes:
    """``reports/metrics.json`` of the trainings, `assess` and `generate`, run untracked in this process."""
    project = open_project(changes, folder=folder, track=False)
    for name in ("saxs", "sem"):
        train_solo(project, name)
    train_pair(project)
    assess(project)
    generate(project)
    return (folder / "reports" / "metrics.json").read_bytes()


@pytest.mark.slow
def test_same_seed_gives_the_same_metrics_in_any_folder_and_another_does_not(tmp_path: Path) -> None:
    more = (
        "baselines.fft=true",
        "baselines.ridge=true",
        "baselines.unet={epochs: 1, log_every: 1, widths: [4, 8]}",
    )
    found = [
        metrics_of(tiny_project(tmp_path / name).folder, *more, f"seed={seed}")
        for name, seed in (("first", 0), ("second", 0), ("third", 1))
    ]
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
