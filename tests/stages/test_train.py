"""Trainings as stages: held-out pairs, statistics that are kept, and torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from many_pairs import SMALL, write_prepared
from pairvae.stages import training_inputs as samples
from pairvae.stages.project import Project, open_project
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from pairvae.stages.training_inputs import likelihood, training_rows
from pairvae.store.model_folder import load_card, load_model, read_history

PAIRS, TRAIN = 12, 9
TINY = [
    *SMALL, f"split.train={TRAIN}", "saxs.network.components=4", "saxs.network.width=16", "sem.network.components=4",
    "sem.network.width=16", "sem.network.noise_channels=8", "sem.network.block_widths=[8, 8, 8]",
    "saxs.training.batch=4", "sem.training.batch=4", "pair.training.batch=4",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_prepared(tmp_path / "data" / "prepared", PAIRS)
    (tmp_path / "params.yaml").write_text("preset: fast\n")
    return tmp_path


def project_in(folder: Path, *changes: str) -> Project:
    return open_project([*TINY, *changes], folder=folder, track=False)


def test_training_may_end_early_on_training_pairs_held_out(folder: Path) -> None:
    changes = [
        f"{name}.training.early_stop={{patience: 2, held_out: 0.3}}" for name in ("saxs", "sem", "pair")
    ]
    project = project_in(folder, *changes, "saxs.training.epochs=6", "pair.training.random_epochs=3")
    prepared = project.prepared()
    rows = training_rows(project, prepared, project.settings.saxs.training.early_stop)
    split = project.split(prepared)
    assert set(rows.train) | set(rows.validation) == set(split.train)
    assert len(rows.validation) == 3
    for name in ("saxs", "sem"):
        train_solo(project, name)
    train_pair(project)
    for stage in ("train-saxs", "train-sem", "train-pair"):
        card, history = load_card(project.model(stage)), read_history(project.model(stage))
        judged = [row["held_out"] for row in history]
        assert card["kept_epoch"] == 1 + int(np.argmin(judged))
        assert len(card["train_ids"]) == TRAIN, "held-out pairs had their say: no validation pairs"


def test_without_patience_all_training_pairs_train(folder: Path) -> None:
    project = project_in(folder)
    rows = training_rows(project, project.prepared(), project.settings.saxs.training.early_stop)
    assert (rows.train, rows.validation) == (project.split(project.prepared()).train, ())


def test_statistics_of_images_are_computed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = project_in(folder, "sem.training.texture.target=image")
    prepared, cpu, kept = project.prepared(), torch.device("cpu"), folder / "kept"
    members = np.array([3, 1])
    first = likelihood(project.settings, "sem", prepared, members, cpu, kept)

    def refuse(*_: object) -> None:
        raise AssertionError("computed again")

    fresh = likelihood(project.settings, "sem", prepared, members, cpu)
    monkeypatch.setattr(samples, "image_statistics", refuse)
    again = likelihood(project.settings, "sem", prepared, members, cpu, kept)
    for name, table in first.targets.items():  # type: ignore[attr-defined]
        assert len(table) == 2
        assert torch.equal(again.targets[name], table)  # type: ignore[attr-defined]
        assert torch.equal(fresh.targets[name], table)  # type: ignore[attr-defined]
    with pytest.raises(AssertionError, match="computed again"):
        likelihood(project.settings, "sem", prepared, members[::-1], cpu, kept)


@pytest.mark.slow
def test_torchrun_trains_a_pair_as_one_process_does(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changes = ["saxs.training.epochs=2", "sem.training.epochs=2", "pair.training.random_epochs=2"]
    changes += [
        "device.precision=float32"
    ]  # Adam's first steps are as long for gradients that are all rounding
    alone = tmp_path_factory.mktemp("alone")
    write_prepared(alone / "data" / "prepared", PAIRS)
    (alone / "params.yaml").write_text("preset: fast\n")
    project = project_in(alone, *changes)
    stages = ("saxs", "sem", "pair")
    for what in stages:
        train_pair(project) if what == "pair" else train_solo(project, what)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    settings = [part for change in (*TINY, *changes) for part in ("--set", change)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    for what in stages:
        command = [*torchrun, "-m", "pairvae.cli", "train", what, *settings]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("2/2, took") == 1, "the first alone reports"
    for what in stages:
        found, expected = (load_model(one / "models" / f"train-{what}") for one in (folder, alone))
        assert found.weights.keys() == expected.weights.keys()
        for name, weight in expected.weights.items():
            torch.testing.assert_close(found.weights[name], weight, rtol=1e-2, atol=2e-3, msg=name)
    from pairvae.tracking.database import connect

    client = connect(folder)
    experiment = client.get_experiment_by_name("pairvae")
    assert experiment is not None
    assert len(client.search_runs([experiment.experiment_id])) == 3, "one run a training, not one a process"
