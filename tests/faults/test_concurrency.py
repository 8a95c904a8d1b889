"""Several commands at once on one project: one after the other, side by side or refused; never something torn."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from faults.harness import Campaign, Ran, Tally, Warm
from faults.stages import STAGES, searched, watched

CHANGE = "generate.samples=3"


def faults_of(runs: list[Ran]) -> list[str]:
    return [one.problem() for one in runs if one.problem()]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ["preprocess", "train-saxs", "train-pair", "assess", "study", "fetch"])
def test_a_stage_twice_at_once_ends_as_once(
    warm: Warm, snapshots: dict[str, Path], tmp_path: Path, name: str
) -> None:
    one = Campaign(warm, STAGES[name], snapshots[name], tmp_path, Tally())
    place = one.copied("twice")
    runs = warm.together(place, *[{"argv": STAGES[name].argv}] * 2)
    assert faults_of(runs) == []
    assert 0 in [run.code for run in runs]
    assert one.differences(place) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_searches_at_once_are_told_apart(warm: Warm, snapshots: dict[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "project"
    shutil.copytree(snapshots["tune"], place)
    runs = warm.together(place, *[{"argv": STAGES["tune"].argv}] * 2)
    assert faults_of(runs) == []
    assert sorted(run.code for run in runs) == [0, 1]
    assert searched(place) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_predictions_and_a_watch_at_once_are_as_alone(
    warm: Warm, snapshots: dict[str, Path], tmp_path: Path
) -> None:
    alone, place = tmp_path / "alone", tmp_path / "project"
    for copy in (alone, place):
        shutil.copytree(snapshots["predict"], copy)
    assert warm.run(alone, *STAGES["predict"].argv).code == 0
    argv = STAGES["predict"].argv
    several = [{"argv": [*argv[:-1], f"out-{number}"]} for number in range(10)]
    runs = warm.together(place, {"argv": STAGES["watch"].argv, **STAGES["watch"].job}, *several)
    assert [run.code for run in runs] == [0] * 11, faults_of(runs)
    assert watched(place) == []
    expected = {path.name: path.read_bytes() for path in (alone / "out").iterdir()}
    for number in range(10):
        assert {path.name: path.read_bytes() for path in (place / f"out-{number}").iterdir()} == expected


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-m", "pairvae.cli", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def single(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished project in which one setting was changed, by nobody else."""
    folder = tmp_path_factory.mktemp("single") / "project"
    shutil.copytree(finished_project, folder)
    for arguments in (["doctor", "--fix-paths"], ["repro", "--set", CHANGE]):
        process = started(folder, *arguments)
        told = process.communicate(timeout=1500)
        assert process.returncode == 0, told
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("other", ["repro", "tune"])
def test_repro_beside_another_command_ends_as_alone(
    finished_project: Path, single: Path, tmp_path: Path, other: str
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(finished_project, folder)
    fixed = started(folder, "doctor", "--fix-paths")
    assert fixed.communicate(timeout=600) and fixed.returncode == 0
    space = "tune.space={pair.training.learning_rate: {low: 1.0e-5, high: 1.0e-2, log: true}}"
    beside = ["repro", "--set", CHANGE] if other == "repro" else ["tune", "--trials", "1", "--set", space]
    both = [started(folder, "repro", "--set", CHANGE), started(folder, *beside)]
    ends = [(*process.communicate(timeout=1500), process.returncode) for process in both]
    codes = [code for *_, code in ends]
    assert codes in ([0, 0], [0, 1], [1, 0]) if other == "repro" else codes == [0, 0], ends
    assert not any("Traceback" in told for _, told, _ in ends)
    again = started(folder, "repro")
    told = again.communicate(timeout=1500)
    assert again.returncode == 0, told
    for name in ("reports/metrics.json", "models/train-pair/weights.safetensors"):
        assert (folder / name).read_bytes() == (single / name).read_bytes()
