import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pairvae.store.project_root import tracking_uri
from pairvae.tracking.runs.lineage import DESCRIPTION
from pairvae.tracking.runs.mlflow_run import annotate_run, start_run

KILLED = """
import os, signal, sys
from pathlib import Path
from pairvae.tracking.runs.mlflow_run import start_run
with start_run(Path(sys.argv[1]), "pairvae", "killed") as tracker:
    tracker.log_params({"epochs": 4, "device": "cpu"})
    tracker.log_metrics({"loss": 1.0}, 0)
    print(tracker.run_id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def client_of(root: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking_uri(root))


def read(root: Path, run_id: str | None) -> Run:
    return client_of(root).get_run(run_id)


def test_a_run_holds_everything_it_was_told(shared_root: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("a")
    tags = {"git_dirty": "false"}
    with start_run(
        shared_root, "pairvae", "train saxs", tags=tags | {DESCRIPTION: "The **first**"}
    ) as tracker:
        tracker.log_params({f"key.{i}": i for i in range(150)} | {"long": "x" * 7000})
        tracker.log_metrics({"loss/train": 2.0, "loss/validation": 3.0}, step=0)
        tracker.log_metrics({"loss/train": 1.0, "loss/validation": float("nan")}, step=1)
        tracker.log_artifact(tmp_path / "folder", "kept")
        tracker.log_artifact(tmp_path / "folder" / "a.txt")
        tracker.log_text("hello", "notes/hello.md")
        tracker.log_dataset("simulated", "data/prepared", "f" * 40, "training", {"pairs": 48})
        assert read(shared_root, tracker.run_id).info.status == "RUNNING"
    run = read(shared_root, tracker.run_id)
    assert (run.info.run_name, run.info.status) == ("train saxs", "FINISHED")
    assert run.data.params["key.149"] == "149" and len(run.data.params["long"]) == 6000
    assert run.data.metrics["loss/train"] == 1.0 and np.isnan(run.data.metrics["loss/validation"])
    assert run.data.tags["mlflow.note.content"] == "The **first**" and run.data.tags["git_dirty"] == "false"
    data = run.inputs.dataset_inputs[0]
    assert data.dataset.digest == "f" * 36 and json.loads(data.dataset.profile) == {"pairs": 48}
    assert data.tags[0].value == "training"
    artifacts = shared_root / "mlruns" / "pairvae" / run.info.run_id / "artifacts"
    assert (artifacts / "kept" / "a.txt").read_text() == (artifacts / "a.txt").read_text() == "a"
    assert (artifacts / "notes" / "hello.md").read_text() == "hello"


def test_images_of_a_name_and_step(shared_root: Path) -> None:
    with start_run(shared_root, "pairvae", "images") as tracker:
        tracker.log_image(np.full((6, 8), 200, np.uint8), "samples/sem", step=0)
        tracker.log_image(np.zeros((6, 8, 3), np.uint8), "samples/sem", step=1)
        with pytest.raises(ValueError, match="expected uint8"):
            tracker.log_image(np.zeros((6, 8)), "samples/sem", step=2)  # type: ignore[arg-type] # the mistake under test
    folder = shared_root / "mlruns" / "pairvae" / str(tracker.run_id) / "artifacts" / "images"
    assert sorted(path.name.split("+timestamp")[0] for path in folder.glob("*.png")) == [
        "samples~sem+step+0",
        "samples~sem+step+1",
    ]


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError, "FAILED"), (KeyboardInterrupt, "KILLED"), (SystemExit, "FAILED")]
)
def test_how_a_run_ends(shared_root: Path, error: type[BaseException], status: str) -> None:
    kept = []
    with pytest.raises(error), start_run(shared_root, "pairvae", "ends") as tracker:
        kept.append(tracker.run_id)
        raise error
    assert read(shared_root, kept[0]).info.status == status


def test_a_killed_run_goes_on(shared_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(shared_root)],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    run_id = done.stdout.strip()
    assert read(shared_root, run_id).info.status == "RUNNING"
    with start_run(shared_root, "pairvae", "again", resume=run_id) as tracker:
        assert tracker.run_id == run_id
        tracker.log_params({"epochs": 4, "device": "cuda", "new": 1})
        tracker.log_metrics({"loss": 0.5}, 1)
    run = read(shared_root, run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"epochs": "4", "device": "cpu", "new": "1"}
    assert run.data.tags["resumed.device"] == "cuda" and "resumed.epochs" not in run.data.tags
    history = client_of(shared_root).get_metric_history(run_id, "loss")
    assert [(entry.step, entry.value) for entry in history] == [(0, 1.0), (1, 0.5)]


def test_a_run_that_is_gone_begins_anew(shared_root: Path) -> None:
    with start_run(shared_root, "pairvae", "first") as first:
        pass
    assert first.run_id is not None
    client_of(shared_root).delete_run(first.run_id)
    for gone in (first.run_id, "0" * 32):
        with start_run(shared_root, "pairvae", "second", resume=gone) as second:
            assert second.run_id not in (None, gone)


def test_children_lie_under_their_parent(shared_root: Path) -> None:
    with (
        start_run(shared_root, "pairvae", "study") as parent,
        start_run(shared_root, "pairvae", "trial", parent=parent.run_id) as child,
    ):
        pass
    assert read(shared_root, child.run_id).data.tags["mlflow.parentRunId"] == parent.run_id


def test_scores_reach_a_finished_run_and_leave_its_times(shared_root: Path) -> None:
    with start_run(shared_root, "pairvae", "trained") as tracker:
        pass
    before = read(shared_root, tracker.run_id).info
    annotate_run(shared_root, before.run_id, {"validation/saxs_sem/s2_mae": 0.02}, {"champion": True})
    after = read(shared_root, tracker.run_id)
    assert after.data.metrics == {"validation/saxs_sem/s2_mae": 0.02}
    assert after.data.tags["champion"] == "True"
    assert (after.info.status, after.info.end_time) == ("FINISHED", before.end_time)


@pytest.mark.parametrize("deleted", [False, True])
def test_scores_of_a_run_that_the_store_does_not_have_are_told_and_stop_nothing(
    shared_root: Path, capsys: pytest.CaptureFixture[str], *, deleted: bool
) -> None:
    gone = "0" * 32
    if deleted:
        with start_run(shared_root, "pairvae", "first") as first:
            pass
        gone = str(first.run_id)
        client_of(shared_root).delete_run(gone)
    capsys.readouterr()
    annotate_run(shared_root, gone, {"score": 0.5})
    told = capsys.readouterr()
    (line,) = (told.out + told.err).strip().splitlines()
    assert f"has no run {gone}: its scores are in the project's reports alone" in line
    with start_run(shared_root, "pairvae", "next") as tracker:  # and nothing waits for a run that never comes
        assert tracker.run_id is not None
    assert gone not in {folder.name for folder in (shared_root / ".pairvae").rglob("*")}


def test_processor_and_memory_are_measured_where_wanted(shared_root: Path) -> None:
    with start_run(shared_root, "pairvae", "measured", system_metrics_s=0.5) as tracker:
        tracker.log_metrics({"loss": 1.0}, 1)
        time.sleep(1.7)
    with start_run(shared_root, "pairvae", "not measured") as unmeasured:
        unmeasured.log_metrics({"loss": 1.0}, 1)
    found = read(shared_root, tracker.run_id).data.metrics
    system = {key for key in found if key.startswith("system/")}
    assert {"system/cpu_utilization_percentage", "system/process_memory_megabytes"} <= system
    assert 0 <= found["system/cpu_utilization_percentage"] <= 100
    assert found["system/process_memory_megabytes"] > 10
    history = client_of(shared_root).get_metric_history(str(tracker.run_id), "system/process_cpu_percentage")
    assert len(history) >= 2 and len({one.step for one in history}) == len(history)
    assert set(read(shared_root, unmeasured.run_id).data.metrics) == {"loss"}


def test_a_run_that_fails_ends_its_measurements(shared_root: Path) -> None:
    with pytest.raises(ZeroDivisionError), start_run(shared_root, "pairvae", "f", system_metrics_s=10.0):
        raise ZeroDivisionError
    assert not [one for one in threading.enumerate() if one.name.startswith("pairvae")]
