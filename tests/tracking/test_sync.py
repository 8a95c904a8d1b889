"""Copies of runs and models in another store: complete, once, in spite of interruptions."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pairvae.commands.sync import sync
from pairvae.errors import InputError
from pairvae.store.locks import held_alone
from pairvae.store.project_root import local_uri
from pairvae.tracking.copy_models import key_of
from pairvae.tracking.copy_runs import COMPLETE, SOURCE_RUN, Copier, all_runs
from pairvae.tracking.database import connect, open_store
from pairvae.tracking.registry.aliases import BEFORE_TAG, CANDIDATE, CHAMPION, promote_if_better
from pairvae.tracking.registry.leaderboard import PROGRAMS_TAG
from pairvae.tracking.registry.registration import About, register_pyfunc
from pairvae.tracking.relocate import fix_paths, local_path
from pairvae.tracking.runs.lineage import DESCRIPTION
from pairvae.tracking.runs.mlflow_run import annotate_run, start_run
from pairvae.tracking.sync import sync_store

CODE = """
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel
class Twice(PythonModel):
    def predict(self, context, model_input):
        return 2 * model_input
set_model(Twice())
"""


def register(root: Path, run_id: str | None) -> int:
    (root / "twice.py").write_text(CODE)
    about = About("pairvae", run_id, {"latent": 3}, {"preset": "fast"})
    return register_pyfunc(
        root, "program", root / "twice.py", ((-1, 2), (-1, 2)), about, artifacts={}, params={}
    )


@pytest.fixture(scope="module")
def template(shared_root: Path) -> Path:
    """A tree of runs, and a registered model with both aliases."""
    with start_run(shared_root, "pairvae", "study", tags={DESCRIPTION: "a **study**"}) as parent:
        parent.log_params({"epochs": 3})
        with start_run(shared_root, "pairvae", "trial", parent=parent.run_id) as child:
            for step in range(3):
                child.log_metrics({"loss": 1.0 / (step + 1), "nan": float("nan")}, step)
            child.log_image(np.zeros((4, 4), np.uint8), "pictures", 2)
            child.log_text("kept", "notes/a.txt")
            child.log_dataset("simulated", "data/prepared", "f" * 36, "training", {"pairs": 8})
    with pytest.raises(RuntimeError), start_run(shared_root, "other", "failed"):
        raise RuntimeError
    number = register(shared_root, child.run_id)
    promote_if_better(shared_root, ["program"], {"program": number}, 0.5, validation_data="a")
    return shared_root


@pytest.fixture
def filled(template: Path, root: Path) -> Path:
    """A copy of the template that may be changed."""
    shutil.copytree(template, root, dirs_exist_ok=True)
    fix_paths(root)
    return root


@pytest.fixture
def target(tmp_path: Path, empty_database: Path) -> str:
    (tmp_path / "server").mkdir()
    shutil.copy(empty_database, tmp_path / "server")
    return f"sqlite:///{tmp_path}/server/mlflow.db"


def runs_at(root: Path, uri: str) -> dict[str, Run]:
    client = open_store(root, uri)
    ids = [one.experiment_id for one in client.search_experiments()]
    return {run.info.run_name: run for run in all_runs(client, ids)}


def test_everything_of_a_run_and_of_a_model_arrives_once(filled: Path, target: str) -> None:
    planned = sync_store(filled, target, dry_run=True)
    assert sorted(planned.runs) == ["failed", "study", "trial"] and runs_at(filled, target) == {}
    done = sync_store(filled, target)
    assert (done.runs, done.versions, done.size) == (planned.runs, planned.versions, planned.size)
    assert done.runs.index("study") < done.runs.index("trial") and done.versions == ["program version 1"]
    before, after = runs_at(filled, local_uri(filled)), runs_at(filled, target)
    client = MlflowClient(tracking_uri=target)
    for name, run in before.items():
        copy = after[name]
        assert copy.data.params == run.data.params
        assert (copy.info.status, copy.info.start_time, copy.info.end_time) == (
            run.info.status, run.info.start_time, run.info.end_time,
        )  # fmt: skip
        assert copy.data.tags[SOURCE_RUN] == run.info.run_id
        assert copy.data.tags["mlflow.user"] == run.data.tags["mlflow.user"]
    trial = after["trial"]
    assert trial.data.tags["mlflow.parentRunId"] == after["study"].info.run_id
    history = client.get_metric_history(trial.info.run_id, "loss")
    original = MlflowClient(tracking_uri=local_uri(filled)).get_metric_history(
        before["trial"].info.run_id, "loss"
    )
    assert [vars(one) for one in history] == [
        {**vars(one), "_run_id": vars(new).get("_run_id")} for one, new in zip(original, history, strict=True)
    ]
    assert len(client.get_metric_history(trial.info.run_id, "nan")) == 3
    assert trial.inputs.dataset_inputs[0].dataset.digest == "f" * 36
    assert [one.path for one in client.list_artifacts(trial.info.run_id, "notes")] == ["notes/a.txt"]
    assert client.get_experiment(after["failed"].info.experiment_id).name == "other"
    again = sync_store(filled, target)
    assert (again.runs, again.versions, again.aliases, again.size) == ([], [], [], 0)
    assert (again.known_runs, again.known_versions) == (3, 1)
    assert len(runs_at(filled, target)) == 3


def test_a_model_works_from_there_and_names_nothing_of_this_machine(
    filled: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_store(filled, target)
    client = MlflowClient(tracking_uri=target)
    version = client.get_model_version_by_alias("program", CHAMPION)
    assert client.get_model_version_by_alias("program", CANDIDATE).version == version.version
    assert version.tags["validation_score"] == "0.5" and version.tags["preset"] == "fast"
    assert version.run_id == runs_at(filled, target)["trial"].info.run_id
    entry = client.get_logged_model(key_of(version))
    folder = local_path(entry.artifact_location)
    assert folder is not None
    card = (folder / "MLmodel").read_text()
    source = MlflowClient(tracking_uri=local_uri(filled)).get_model_version("program", "1")
    assert key_of(source) not in card and entry.model_id in card
    monkeypatch.setenv("MLFLOW_TRACKING_URI", target)
    model = mlflow.pyfunc.load_model(f"models:/program@{CHAMPION}")
    np.testing.assert_array_equal(model.predict(np.ones((3, 2), np.float32)), np.full((3, 2), 2))


def test_an_interrupted_sync_goes_on_and_later_scores_follow(
    filled: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ConnectionError("cable out")

    with monkeypatch.context() as patch:
        patch.setattr(Copier, "_files", broken)
        with pytest.raises(InputError, match="cable out"):
            sync_store(filled, target)
    (half,) = runs_at(filled, target).values()
    assert COMPLETE not in half.data.tags
    assert len(sync_store(filled, target).runs) == 3
    assert len(runs_at(filled, target)) == 3
    trial = runs_at(filled, local_uri(filled))["trial"]
    annotate_run(filled, trial.info.run_id, {"score": 0.25}, {"assessed": "true"})
    assert sync_store(filled, target).runs == ["trial"]
    copy = runs_at(filled, target)["trial"]
    assert copy.data.metrics["score"] == 0.25 and copy.data.tags["assessed"] == "true"
    assert sync_store(filled, target).runs == []


def test_running_runs_stay_and_chosen_ones_come_with_their_tree(filled: Path, target: str) -> None:
    client = open_store(filled, local_uri(filled))
    experiment = client.get_experiment_by_name("pairvae").experiment_id
    client.create_run(experiment, run_name="running")
    assert sync_store(filled, target, names=["study"]).runs == ["study", "trial"]
    with pytest.raises(InputError, match="expected the id or the name of a run, found 'absent'"):
        sync_store(filled, target, names=["absent"])
    done = sync_store(filled, target)
    assert (done.runs, done.still_open, done.known_runs) == (["failed"], 1, 2)


def test_a_better_champion_of_others_keeps_its_title(filled: Path, target: str) -> None:
    client = open_store(filled, target)

    def holder(alias: str) -> int:
        return int(client.get_model_version_by_alias("program", alias).version)

    client.create_registered_model("program")
    client.create_model_version("program", source=filled.as_uri())
    for key, value in {"validation_score": "0.1", "validation_data": "a"}.items():
        client.set_model_version_tag("program", "1", key, value)
    client.set_registered_model_alias("program", CHAMPION, "1")
    client.set_registered_model_alias("program", CANDIDATE, "1")
    assert "program@champion stays version 1, of another store" in sync_store(filled, target).aliases
    assert holder(CHAMPION) == 1
    assert holder(CANDIDATE) == 2
    client.set_registered_model_alias("program", CANDIDATE, "1")
    sync_store(filled, target)
    assert holder(CANDIDATE) == 1
    better = register(filled, None)
    promote_if_better(filled, ["program"], {"program": better}, 0.05, validation_data="a")
    sync_store(filled, target)
    assert holder(CHAMPION) == 3
    connect(filled).set_registered_model_alias("program", CHAMPION, "1")
    sync_store(filled, target)
    assert holder(CHAMPION) == 2


def test_copies_name_each_other_by_their_own_numbers(filled: Path, target: str) -> None:
    """Promoting the copy of a pair must not make somebody else's programs champion."""
    source, there = open_store(filled, local_uri(filled)), open_store(filled, target)
    source.set_model_version_tag("program", "1", PROGRAMS_TAG, '{"program": 1}')
    register(filled, None)
    source.set_model_version_tag("program", "2", BEFORE_TAG, "1")
    there.create_registered_model("program")
    there.create_model_version("program", source=filled.as_uri())
    sync_store(filled, target)
    assert there.get_model_version("program", "2").tags[PROGRAMS_TAG] == '{"program": 2}'
    assert there.get_model_version("program", "3").tags[BEFORE_TAG] == "2"


@pytest.mark.parametrize("uri", [None, "sqlite:///x.db", "ftp://x", "http://me:secret@host"])
def test_it_wants_a_server(filled: Path, uri: str | None) -> None:
    with pytest.raises(InputError, match="the address of a tracking server") as caught:
        sync(filled, uri)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_away_is_one_line(filled: Path) -> None:
    with pytest.raises(InputError, match="expected a usable MLflow store") as caught:
        sync(filled, "http://127.0.0.1:9")
    assert "\n" not in str(caught.value)


def test_one_sync_at_a_time(root: Path) -> None:
    with (
        held_alone(root / ".pairvae" / "sync.lock", "another", kind="sync"),
        pytest.raises(
            InputError, match="expected a sync that is not in use, found one in use by another process"
        ),
    ):
        sync(root, "http://127.0.0.1:9")
