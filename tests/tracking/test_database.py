import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pairvae.errors import InputError
from pairvae.store.project_root import artifacts_path, tracking_uri
from pairvae.tracking.database import as_default, prepare_store
from pairvae.tracking.relocate import fix_paths, foreign_paths, local_path
from pairvae.tracking.runs import experiments
from pairvae.tracking.runs.mlflow_run import start_run

# Forked after the import, so that the four begin at the same moment (and the import is paid for once).
COLD_START = """
import os, sys
from pathlib import Path
from pairvae.tracking.runs.mlflow_run import start_run

def work(number):
    with start_run(Path(sys.argv[1]), "pairvae", f"worker {number}") as tracker:
        tracker.log_params({"number": number})
        for step in range(5):
            tracker.log_metrics({"loss": step, "other": number}, step)

for number in range(4):
    if os.fork() == 0:
        try:
            work(number)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
sys.exit(any(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(4)))
"""


def client_of(root: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking_uri(root))


@pytest.mark.slow
def test_four_cold_starts_at_once_lose_nothing(root: Path) -> None:
    command = [sys.executable, "-c", COLD_START, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")  # nor any chatter from mlflow
    client = client_of(root)
    assert client.get_experiment("0").artifact_location == str(artifacts_path(root) / "0")
    runs = client.search_runs([client.get_experiment_by_name("pairvae").experiment_id])
    assert sorted(run.data.params["number"] for run in runs) == list("0123")
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [(entry.step, entry.value) for entry in history] == [(i, float(i)) for i in range(5)]


def test_the_experiment_is_made_once_with_artifacts_below_the_root(ready_root: Path) -> None:
    first = prepare_store(ready_root, "pairvae")
    assert prepare_store(ready_root, "pairvae") == first
    assert prepare_store(ready_root, "another") != first
    location = client_of(ready_root).get_experiment(first).artifact_location
    assert local_path(location) == artifacts_path(ready_root) / "pairvae"


def test_a_moved_project_is_found_and_mended(ready_root: Path, tmp_path: Path) -> None:
    root = ready_root
    with start_run(root, "pairvae", "first") as tracker:
        tracker.log_text("kept", "note.txt")
    assert foreign_paths(root) == foreign_paths(tmp_path / "nowhere") == []
    moved = tmp_path / "elsewhere"
    shutil.move(root, moved)
    with pytest.raises(InputError, match=r"was moved or copied - run: pairvae doctor --fix-paths"):
        prepare_store(moved, "pairvae")
    assert all(str(root) in str(local_path(place)) for place in foreign_paths(moved))
    repair = fix_paths(moved)
    assert repair.rows["runs.artifact_uri"] == 1
    assert repair.backup is not None and repair.backup.is_file()
    assert foreign_paths(moved) == []
    assert fix_paths(moved).rows == {}
    prepare_store(moved, "pairvae")
    run_id = tracker.run_id
    assert run_id is not None
    with as_default(moved):
        assert Path(client_of(moved).download_artifacts(run_id, "note.txt")).read_text() == "kept"


def test_an_experiment_from_the_page_is_refused(ready_root: Path) -> None:
    prepare_store(ready_root, "pairvae")
    client_of(ready_root).create_experiment("clicked", artifact_location="mlflow-artifacts:/7")
    with pytest.raises(InputError, match=r"set another name as tracking\.experiment"):
        prepare_store(ready_root, "clicked")
    deleted = prepare_store(ready_root, "deleted")
    client_of(ready_root).delete_experiment(deleted)
    with pytest.raises(InputError, match="expected an experiment in use, found a deleted one"):
        prepare_store(ready_root, "deleted")


KILLED = """
import itertools, os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from pairvae.tracking.database import prepare_store

statements = itertools.count()

@event.listens_for(Engine, "before_cursor_execute")
def die(*_):
    if next(statements) == 300:
        os.kill(os.getpid(), signal.SIGKILL)

prepare_store(Path(sys.argv[1]), "pairvae")
"""


def test_a_process_killed_while_it_makes_the_database_leaves_none(root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(root)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (root / "mlflow.db.new").exists() and not (root / "mlflow.db").exists()
    prepare_store(root, "pairvae")
    assert [path.name for path in root.glob("mlflow.db*")] == ["mlflow.db"]


def half_made(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER)")


@pytest.mark.parametrize(
    "spoil",
    [lambda path: path.write_bytes(b"not a database" * 100), lambda path: path.mkdir(), half_made],
    ids=["corrupt", "a folder", "half made"],
)  # fmt: skip
def test_a_spoilt_database_is_one_clear_line(root: Path, spoil: object) -> None:
    assert callable(spoil)
    spoil(root / "mlflow.db")
    with pytest.raises(InputError, match="expected a readable and writable MLflow database") as caught:
        prepare_store(root, "pairvae")
    assert "\n" not in str(caught.value)
    assert "mlflow.db" in str(caught.value)


@pytest.mark.parametrize(
    ("revision", "remedy"),
    [("'cc1f77228345'", "run: mlflow db upgrade 'sqlite:///"), ("'of-tomorrow'", "pip install --upgrade mlflow")],
    ids=["earlier", "later"],
)  # fmt: skip
def test_a_database_of_another_mlflow_is_kept(ready_root: Path, revision: str, remedy: str) -> None:
    """It is sound: whoever moved it away would lose all runs."""
    with closing(sqlite3.connect(ready_root / "mlflow.db")) as connection, connection:
        connection.execute(f"UPDATE alembic_version SET version_num = {revision}")
    with pytest.raises(InputError, match="expected a database of this MLflow") as caught:
        prepare_store(ready_root, "pairvae")
    assert remedy in str(caught.value) and "move it away" not in str(caught.value)


@pytest.mark.parametrize("place", ["s3://bucket/runs", "gs://bucket/runs"])
def test_a_place_that_nothing_here_can_write_to_is_refused_at_the_start(
    ready_root: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiments, "_is_installed", lambda package: False)
    client_of(ready_root).create_experiment("cloud", artifact_location=place)
    with pytest.raises(InputError, match=r"expected the package (boto3|google-cloud-storage), .*pip install"):
        prepare_store(ready_root, "cloud")


def test_a_run_ends_where_its_files_cannot_be_written(
    ready_root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A run that began before the check was there, or whose package was removed since: its entries wait."""

    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'boto3'")

    monkeypatch.setattr(MlflowClient, "log_artifacts", missing)
    with start_run(ready_root, "pairvae", "first", patience_s=0.0) as tracker:
        tracker.log_text("kept", "note.txt")
    told = capfd.readouterr().err
    assert "No module named 'boto3'" in told and "to send to" in told and "Traceback" not in told
    assert len(list((ready_root / ".pairvae" / "outbox").iterdir())) == 1


def test_an_unwritable_folder_is_one_clear_line(root: Path) -> None:
    (root / ".pairvae").write_text("in the way")
    with pytest.raises(InputError, match="expected a project folder that can be written"):
        prepare_store(root, "pairvae")


def test_a_silent_server_is_one_clear_line_without_the_password(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for uri, told in {
        "http://127.0.0.1:9": (
            r"expected a usable MLflow store in MLFLOW_TRACKING_URI, found Connection refused - check"
        ),
        "http://me:secret@127.0.0.1:9": "expected the address of a tracking server without name and password",
        "postgresql+absent://me:secret@127.0.0.1:9/runs": "expected a usable MLflow store",
    }.items():
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(InputError, match=told) as caught:
            prepare_store(root, "pairvae")
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_default_store_of_the_process_is_put_back(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with as_default(root):
        assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{root}/mlflow.db"
    assert "MLFLOW_TRACKING_URI" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server")
    with as_default(root):
        pass
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://server"
