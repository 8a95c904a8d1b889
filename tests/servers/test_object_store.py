"""S3 under DVC and under MLflow, against moto. The secret stays out of all that is printed, logged and committed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.test_gc import register
from pairvae.commands.repro import dvc_environment
from pairvae.store.prepared import open_prepared
from pairvae.store.project_root import local_uri
from pairvae.tracking.database import open_store
from pairvae.tracking.runs.mlflow_run import start_run
from servers.test_server import FOREIGN, everything_under
from small_project import run_pairvae

pytest.importorskip("moto")
pytest.importorskip("dvc_s3")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
BUCKET, SECRET = "group", "a-secret-of-the-bucket"
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket on an S3 server; its address and keys are in the environment, as boto3 reads them."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    made = boto3.resource("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket=BUCKET)
    yield made
    server.stop()


def names(bucket: Any) -> set[str]:
    return {entry.key for entry in bucket.objects.all()}


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=dvc_environment(), capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *arguments)


def copied(finished: Path, folder: Path) -> Path:
    """The finished project without its runs."""
    left_out = shutil.ignore_patterns("mlflow.db*", "mlruns")
    return Path(shutil.copytree(finished, folder, symlinks=True, ignore=left_out))


def test_data_go_to_a_bucket_and_come_back_in_a_clone(
    finished_project: Path, bucket: Any, tmp_path: Path
) -> None:
    first, second = copied(finished_project, tmp_path / "first"), tmp_path / "second"
    dvc(first, "remote", "add", "--default", "store", f"s3://{BUCKET}/data")
    dvc(first, "remote", "modify", "store", "endpointurl", os.environ["MLFLOW_S3_ENDPOINT_URL"])
    run(first, "git", "add", "dvc.lock", ".dvc/config")
    run(first, "git", *IDENTITY, "commit", "-qm", "Data of eight pairs")
    run(tmp_path, "git", "clone", "-q", str(first), str(second))
    printed = ""
    for folder in (first, second):
        for key, value in (("access_key_id", "me"), ("secret_access_key", SECRET)):
            dvc(folder, "remote", "modify", "--local", "store", key, value)
        printed += dvc(folder, *(("push", "-v") if folder == first else ("pull", "-v")), "raw", "preprocess")
    open_prepared(second / "data" / "prepared").verify()
    assert (
        open_prepared(first / "data" / "prepared").digest
        == open_prepared(second / "data" / "prepared").digest
    )
    assert SECRET not in printed + run(second, "git", "log", "-p", "--all")
    assert ".dvc/config.local" not in run(second, "git", "status", "--porcelain", "-uall")


def test_runs_and_models_live_in_a_bucket(finished_project: Path, bucket: Any, tmp_path: Path) -> None:
    folder = copied(finished_project, tmp_path / "project")
    uri = local_uri(folder)
    client = open_store(folder, uri)
    client.create_experiment("pairvae", artifact_location=f"s3://{BUCKET}/runs")
    with start_run(folder, "pairvae", "noted", tags={"stage": "train-saxs"}) as tracker:
        tracker.log_text("kept", "note.txt")
    note = f"runs/{tracker.run_id}/artifacts/note.txt"
    assert note in names(bucket)

    printed = run_pairvae("register", cwd=folder).stdout
    champions = names(bucket) - {note}
    assert any(name.endswith(".pt2") for name in champions) and not list(folder.glob("mlruns/*/*"))
    foreign = [sys.executable, "-c", FOREIGN]
    loaded = subprocess.run(
        foreign, cwd=tmp_path, env={**os.environ, "MLFLOW_TRACKING_URI": uri}, capture_output=True, text=True
    )
    assert loaded.returncode == 0 and "True" in loaded.stdout, loaded.stderr
    pattern = next((folder / "data" / "raw" / "SAXS").iterdir())
    predicted = run_pairvae("predict", str(pattern), "--to", "sem", "--out", "out", cwd=folder)
    printed += loaded.stdout + loaded.stderr + predicted.stdout + predicted.stderr

    register(folder, None)  # a version without an alias
    assert names(bucket) > champions | {note}
    listed = run_pairvae("gc", cwd=folder).stdout
    assert "noted" in listed and "pairvae version 2" in listed
    printed += listed + run_pairvae("gc", "--yes", cwd=folder).stdout
    assert names(bucket) == champions, "what has an alias stays, the rest is gone"
    assert not any(SECRET in text for text in (printed, *everything_under(folder)))
