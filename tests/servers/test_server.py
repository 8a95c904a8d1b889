"""Everything against a real MLflow server over PostgreSQL: the pipeline, restarts, the outbox, sync, passwords."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pairvae.commands.repro import write_params
from pairvae.settings import assignments
from pairvae.tracking.runs.outbox import waiting
from servers.services import PASSWORD, Postgres, Server
from small_project import make_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
FOREIGN = """
import sys, mlflow, mlflow.pytorch, numpy as np, torch
decoder = mlflow.pytorch.load_model("models:/pairvae-sem-decoder@champion")
pair = mlflow.pyfunc.load_model("models:/pairvae@champion")
assert not any(module.startswith("pairvae") for module in sys.modules)
shape = [one for one in pair.metadata.metadata["modalities"]["saxs"]["shape"]]
images = pair.predict(np.zeros((2, *shape), np.float32), params={"direction": "saxs_sem"})
print(images.shape, set(np.unique(images)) <= {0, 1})
"""
EPOCHS = 400
WITHIN_S = 1800  # for anything that takes seconds on an idle machine


def command(folder: Path, uri: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pairvae.cli", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": uri, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, uri: str, *arguments: str, code: int = 0, **environment: str) -> str:
    process = command(folder, uri, *arguments, **environment)
    printed, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == code, printed
    return printed


def runs_of(uri: str, experiment: str = "pairvae") -> dict[str, Run]:
    client = MlflowClient(tracking_uri=uri)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return {run.info.run_name: run for run in found}


def everything_under(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path.read_text("utf-8", errors="ignore")


@pytest.fixture
def trainable(prepared_project: Path, tmp_path: Path) -> Path:
    """A project with prepared data whose SAXS training takes some seconds, without runs of its own."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(prepared_project / name, folder)
    for name in ("data", "models"):
        shutil.copytree(prepared_project / name, folder / name)
    # an experiment of its own, so that tests on one server do not meet
    changes = [f"saxs.training.epochs={EPOCHS}", f"tracking.experiment={tmp_path.name}"]
    write_params(folder / "params.yaml", assignments(changes))
    return folder


def wait_for_epoch(process: subprocess.Popen[str], uri: str, experiment: str, epoch: int) -> None:
    client = MlflowClient(tracking_uri=uri)
    limit = time.monotonic() + WITHIN_S
    while time.monotonic() < limit:
        found = client.get_experiment_by_name(experiment)
        for one in client.search_runs([found.experiment_id]) if found else []:
            if len(client.get_metric_history(one.info.run_id, "loss")) >= epoch:
                return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.2)
    raise AssertionError("no metrics arrive")


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What a process prints, up to the line with these words."""
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if words in line:
            return printed
    raise AssertionError(printed)


def require_every_epoch(uri: str, experiment: str, epochs: int = EPOCHS) -> Run:
    """The only run, FINISHED, with each epoch's metrics once, and as many pictures as there should be."""
    (only,) = runs_of(uri, experiment).values()
    client = MlflowClient(tracking_uri=uri)
    for key in ("loss", "learning_rate"):
        history = client.get_metric_history(only.info.run_id, key)
        assert [entry.step for entry in history] == list(range(1, epochs + 1))
    assert only.info.status == "FINISHED"
    pictures = [one.path for one in client.list_artifacts(only.info.run_id, "images")]
    assert len([path for path in pictures if path.endswith(".png")]) == 5
    return only


def test_the_pipeline_on_a_server(server: Server, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")
    run(folder, server.uri, "repro")
    assert not (folder / "mlflow.db").exists() and not (folder / "mlruns").exists()
    assert waiting(folder) == []
    found = runs_of(server.uri)
    for stage in ("train-saxs", "train-sem", "train-pair"):
        one = next(run for name, run in found.items() if name.startswith(stage))
        assert one.info.status == "FINISHED" and {"loss", "seconds"} <= set(one.data.metrics)
        assert one.inputs.dataset_inputs and one.data.tags["mlflow.loggedImages"] == "True"
        assert any(key.startswith("val/") for key in one.data.metrics) or stage != "train-pair"
    client = MlflowClient(tracking_uri=server.uri)
    for name in ("pairvae", "pairvae-saxs-encoder", "pairvae-sem-decoder"):
        champion = client.get_model_version_by_alias(name, "champion")
        assert client.get_model_version_by_alias(name, "candidate").version == champion.version
    foreign = subprocess.run(
        [sys.executable, "-c", FOREIGN],
        cwd=tmp_path,
        env={**os.environ, "MLFLOW_TRACKING_URI": server.uri},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert foreign.returncode == 0, foreign.stderr
    assert foreign.stdout.strip().endswith("True")
    pattern = next((folder / "data" / "raw" / "SAXS").iterdir())
    assert "1 prediction in" in run(folder, server.uri, "predict", str(pattern), "--to", "sem")
    told = run(folder, server.uri, "doctor")
    assert "no problems" in told and "champion is version 1" in told and server.uri in told
    assert run(folder, server.uri, "ui").strip() == server.uri


def test_a_restart_in_the_middle_of_a_training_loses_nothing(
    server: Server, postgres: Postgres, trainable: Path
) -> None:
    experiment = trainable.parent.name
    patient = f"tracking.patience_seconds={WITHIN_S}"  # the restart may outlast the rest of the training
    process = command(trainable, server.uri, "train", "saxs", "--set", patient)
    wait_for_epoch(process, server.uri, experiment, 5)
    postgres.stop()
    printed = read_until(process, "does not answer")
    server.stop()
    postgres.start()
    server.start()
    printed += process.communicate(timeout=WITHIN_S)[0]
    assert process.returncode == 0, printed
    assert "is back, everything sent" in printed
    require_every_epoch(server.uri, experiment)
    assert waiting(trainable) == []


def test_what_a_lost_server_misses_is_sent_later(server: Server, trainable: Path) -> None:
    experiment = trainable.parent.name
    process = command(trainable, server.uri, "train", "saxs")
    wait_for_epoch(process, server.uri, experiment, 5)
    server.stop()
    printed, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0, printed
    assert "pairvae sync" in printed and (trainable / "models" / "train-saxs").is_dir()
    assert "wait" in run(trainable, "", "doctor")
    told = run(trainable, server.uri, "sync", code=1)
    assert "expected a usable MLflow store" in told or "nothing is lost" in told
    server.start()
    assert "sent what waited of 1 run" in run(trainable, server.uri, "sync")
    require_every_epoch(server.uri, experiment)
    assert waiting(trainable) == []


def test_a_killed_training_goes_on_in_its_run(server: Server, trainable: Path) -> None:
    experiment = trainable.parent.name
    process = command(trainable, server.uri, "train", "saxs")
    wait_for_epoch(process, server.uri, experiment, 5)
    process.kill()
    assert process.wait(20) == -signal.SIGKILL
    process.communicate()
    run(trainable, server.uri, "train", "saxs")
    (only,) = runs_of(server.uri, experiment).values()
    history = MlflowClient(tracking_uri=server.uri).get_metric_history(only.info.run_id, "loss")
    assert {entry.step for entry in history} == set(range(1, EPOCHS + 1))


def test_a_training_without_the_server_is_uploaded_later(server: Server, trainable: Path) -> None:
    server.stop()
    printed = run(trainable, server.uri, "train", "saxs")
    assert printed.count("does not answer") == 1 and "pairvae sync" in printed
    server.start()
    assert "sent 1 run" in run(trainable, server.uri, "sync")
    require_every_epoch(server.uri, trainable.parent.name)


def test_a_finished_project_is_synced_once(finished_project: Path, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(finished_project, folder, ignore=shutil.ignore_patterns(".git", "src"))
    run(folder, "", "doctor", "--fix-paths")
    write_params(folder / "params.yaml", assignments(["tracking.experiment=pairvae"]))
    planned = run(folder, "", "sync", server.uri, "--dry-run")
    assert "would send run" in planned
    told = run(folder, "", "sync", server.uri)
    assert "sent pairvae version 1" in told
    again = run(folder, "", "sync", server.uri)
    assert "sent 0 runs and 0 model versions (0.0 MB)" in again
    client = MlflowClient(tracking_uri=server.uri)
    copies = [one for one in client.search_model_versions("name='pairvae'") if "sync.version" in one.tags]
    assert len(copies) == 1
    foreign = subprocess.run(
        [sys.executable, "-c", FOREIGN.replace("@champion", f"/{copies[0].version}")],
        cwd=tmp_path,
        env={**os.environ, "MLFLOW_TRACKING_URI": server.uri},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert foreign.returncode == 0, foreign.stderr


def test_passwords_come_from_the_environment_and_go_nowhere(
    database: Callable[[], str], trainable: Path, tmp_path: Path
) -> None:
    home = tmp_path / "auth"
    home.mkdir()
    secret = "a-server-password"
    (home / "auth.ini").write_text(
        "[mlflow]\ndefault_permission = READ\n"
        f"database_uri = sqlite:///{home}/auth.db\nadmin_username = admin\nadmin_password = {secret}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    pytest.importorskip("flask_wtf", reason="mlflow[auth] is not installed")
    environment = {"MLFLOW_AUTH_CONFIG_PATH": str(home / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "k"}
    server = Server(database(), home, ("--app-name", "basic-auth"), environment)
    server.start()
    try:
        wrong = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "another-password"}
        for credentials in ({}, wrong):
            told = run(trainable, server.uri, "train", "saxs", code=1, **credentials)
            assert len(told.strip().splitlines()) == 1 and "expected a usable MLflow store" in told
            assert "another-password" not in told
        named = server.uri.replace("//", f"//admin:{secret}@")
        told = run(trainable, named, "train", "saxs", code=1)
        assert "MLFLOW_TRACKING_PASSWORD" in told and secret not in told
        right = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": secret}
        told = run(trainable, server.uri, "train", "saxs", **right)
        told += run(trainable, server.uri, "doctor", code=0, **right)
        assert secret not in told
        assert all(secret not in text for text in everything_under(trainable))
        with pytest.MonkeyPatch.context() as patch:
            for key, value in right.items():
                patch.setenv(key, value)
            only = require_every_epoch(server.uri, trainable.parent.name)
        assert secret not in json.dumps(only.to_dictionary())
    finally:
        server.stop()


def test_a_database_as_store_keeps_its_password(database: Callable[[], str], trainable: Path) -> None:
    uri = database()
    told = run(trainable, uri, "train", "saxs")
    told += run(trainable, uri, "doctor")
    assert PASSWORD not in told and all(PASSWORD not in text for text in everything_under(trainable))
    require_every_epoch(uri, trainable.parent.name)
