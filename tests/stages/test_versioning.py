"""Data as DVC versions it: pushed to a folder, pulled in a clone, and named by every run (docs/versioning.md)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pairvae.commands.repro import dvc_environment
from pairvae.store.prepared import open_prepared


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=dvc_environment(), capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *arguments)


@pytest.mark.slow
def test_pushed_data_come_back_in_a_clone(finished_project: Path, tmp_path: Path) -> None:
    first, remote, second = tmp_path / "first", tmp_path / "remote", tmp_path / "second"
    shutil.copytree(finished_project, first, symlinks=True)
    dvc(first, "remote", "add", "--default", "store", str(remote))
    run(first, "git", "add", "dvc.lock", ".dvc/config")
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    run(first, "git", *identity, "commit", "-qm", "Data of eight pairs")
    assert "pushed" in dvc(first, "push", "raw", "preprocess")
    run(tmp_path, "git", "clone", "-q", str(first), str(second))
    assert not (second / "data").exists()
    dvc(second, "pull", "raw", "preprocess")
    assert "up to date" in dvc(second, "status", "raw", "preprocess")
    here, there = (open_prepared(folder / "data" / "prepared") for folder in (first, second))
    there.verify()
    assert here.digest == there.digest
    names = {path.name for path in (second / "data" / "prepared").iterdir()}
    assert {"sem-crops.npy", "sem.npy", "saxs.npy", "card.json"} <= names, (
        "the evaluation crops are versioned"
    )
    truth = Path("data", "raw", "truth.csv")
    assert (second / truth).read_bytes() == (first / truth).read_bytes()


def test_every_training_run_names_its_data(finished_project: Path) -> None:
    from pairvae.tracking.database import connect

    client = connect(finished_project)
    experiment = client.get_experiment_by_name("pairvae")
    assert experiment is not None
    prepared = open_prepared(finished_project / "data" / "prepared")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.data.tags["stage"] for run in runs} >= {"train-saxs", "train-sem", "train-pair"}
    for one in runs:
        (used,) = one.inputs.dataset_inputs
        assert (used.dataset.name, used.dataset.digest) == ("simulated", prepared.digest)
        assert json.loads(used.dataset.source)["uri"].endswith("data/prepared")
        assert json.loads(used.dataset.profile) == {"pairs": 8, "train": 5}
        assert [tag.value for tag in used.tags] == ["training"]
