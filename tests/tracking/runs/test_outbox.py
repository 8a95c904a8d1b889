"""Entries that wait: in order, whole, sent once, by one process."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pairvae.store.project_root import tracking_uri
from pairvae.tracking.runs import mlflow_run as runs
from pairvae.tracking.runs import spooled
from pairvae.tracking.runs.mlflow_run import annotate_run, send_waiting, start_run
from pairvae.tracking.runs.outbox import Outbox, outbox_folder, waiting
from pairvae.tracking.runs.spooled import SpooledTracker
from pairvae.tracking.runs.writer import RunWriter

TARGET = {"uri": "somewhere", "name": "run"}
WRITES_UNTIL_KILLED = """
import sys
import threading
from pathlib import Path
from pairvae.tracking.runs.outbox import Outbox
outbox = Outbox.opened(Path(sys.argv[1]), "a" * 32, {"uri": "u", "name": "n"})
number = 0
while True:
    outbox.put("metrics", {"step": number}, lambda folder: (folder / "file").write_text("x" * 1000))
    number += 1
    if number == 20:
        print("ready", flush=True)
"""


def client_of(root: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking_uri(root))


def test_entries_come_back_in_order_and_are_forgotten_when_sent(root: Path) -> None:
    outbox = Outbox.opened(root, "a" * 32, TARGET)
    for number in range(12):
        outbox.put("metrics", {"metrics": {"loss": float("nan")}, "step": number, "time": 1})
    outbox.put("files", {}, lambda folder: (folder / "a.txt").write_text("a"))
    entries = outbox.entries()
    assert [entry.values.get("step") for entry in entries] == [*range(12), None]
    assert (entries[-1].files / "a.txt").read_text() == "a"
    outbox.sent(entries[:5])
    outbox.close()
    again = Outbox.opened(root, "a" * 32, TARGET)
    again.put("tags", {"tags": {}})
    assert [entry.kind for entry in again.entries()] == ["metrics"] * 7 + ["files", "tags"]
    again.sent(again.entries())
    again.close()
    assert waiting(root) == [] and not outbox_folder(root, "a" * 32).exists()


def test_a_killed_process_leaves_whole_entries_and_no_lock(root: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITES_UNTIL_KILLED, str(root)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    (folder,) = waiting(root)
    with Outbox.abandoned(folder) as held:
        assert held is None
    process.kill()
    assert process.wait(20) == -signal.SIGKILL
    with Outbox.abandoned(folder) as outbox:
        assert outbox is not None
        entries = outbox.entries()
        assert [entry.values["step"] for entry in entries] == list(range(len(entries))) and len(entries) >= 20
        assert all((entry.files / "file").stat().st_size == 1000 for entry in entries)
        outbox.sent(entries)


class Flaky:
    """A client whose calls sometimes fail, before or after that."""

    def __init__(self, client: MlflowClient) -> None:
        self.client, self.calls = client, 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls % 5 == 1:
                raise MlflowException("API request failed with exception Connection refused")
            result = getattr(self.client, name)(*values, **named)
            if self.calls % 7 == 2:
                raise requests.ReadTimeout("no answer")
            return result

        return call


def test_nothing_is_lost_or_doubled_by_a_store_that_comes_and_goes(ready_root: Path, tmp_path: Path) -> None:
    with start_run(ready_root, "pairvae", "flaky") as begun:
        pass
    run_id = str(begun.run_id)
    outbox = Outbox.opened(ready_root, run_id, TARGET)
    tracker = SpooledTracker(run_id, outbox)
    tracker.log_params({"a": 1, "long": "x" * 9000})
    for step in range(30):
        tracker.log_metrics({"loss": 1 / (step + 1), "rate": 0.1}, step)
        if step % 3 == 2:
            tracker.log_image(np.zeros((4, 6, 3), np.uint8), "pictures", step)
    tracker.log_dataset("simulated", "data", "f" * 40, "training", {"pairs": 3})
    tracker.log_text("hello", "notes/hello.md")
    tracker.set_status("FINISHED")
    flaky = Flaky(client_of(ready_root))
    writer = RunWriter(flaky, run_id)  # type: ignore[arg-type] # stands in for the client
    for _ in range(200):
        try:
            assert writer.deliver(outbox) == []
            break
        except (MlflowException, requests.RequestException):
            continue
    assert len(outbox) == 0 and flaky.calls > 15
    client = client_of(ready_root)
    for key in ("loss", "rate"):
        assert [entry.step for entry in client.get_metric_history(run_id, key)] == list(range(30))
    images = [one.path for one in client.list_artifacts(run_id, "images")]
    assert len([path for path in images if path.endswith(".png")]) == 10
    assert len([path for path in images if path.endswith("+compressed.webp")]) == 10
    run = client.get_run(run_id)
    assert run.data.params["a"] == "1" and len(run.inputs.dataset_inputs) == 1
    assert run.info.status == "FINISHED" and run.data.tags["mlflow.loggedImages"] == "True"


class Noted:
    """A client that notes which calls were made, and makes none."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *values, **named: self.calls.append((name, named))


def test_metrics_go_in_one_call_past_pictures_and_the_status_stays_the_last(root: Path) -> None:
    outbox = Outbox.opened(root, "a" * 32, TARGET)
    tracker = SpooledTracker("a" * 32, outbox)
    for step in range(6):
        tracker.log_metrics({"loss": 1.0}, step)
        tracker.log_image(np.zeros((4, 6, 3), np.uint8), "pictures", step)
    tracker.set_status("FINISHED")
    tracker.log_metrics({"later": 1.0})
    noted = Noted()
    assert RunWriter(noted, "a" * 32).deliver(outbox) == []  # type: ignore[arg-type] # stands in for the client
    sent = [name if name != "log_batch" else next(iter(named)) for name, named in noted.calls]
    assert sent == ["metrics", "log_artifacts", "tags", *["log_artifacts"] * 5, "set_terminated", "metrics"]
    assert [entry.step for entry in noted.calls[0][1]["metrics"]] == list(range(6))
    outbox.close()


def test_what_the_store_refuses_is_set_aside_and_the_rest_arrives(ready_root: Path) -> None:
    with start_run(ready_root, "pairvae", "refused") as begun:
        pass
    run_id = str(begun.run_id)
    outbox = Outbox.opened(ready_root, run_id, TARGET)
    tracker = SpooledTracker(run_id, outbox)
    for step, key in enumerate(("good", "bad\nkey", "fine")):
        tracker.log_metrics({key: 1.0}, step)
    (problem,) = RunWriter(client_of(ready_root), run_id).deliver(outbox)
    assert problem.startswith("metrics refused: ")
    assert set(client_of(ready_root).get_run(run_id).data.metrics) == {"good", "fine"}
    outbox.close()
    assert [path.suffix for path in waiting(ready_root)[0].glob("0*")] == [".refused"]


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(runs, "PROBE_S", 0.5)
    monkeypatch.setattr(spooled, "INTERVAL_S", 0.05)


@pytest.mark.usefixtures("away")
def test_a_run_begun_without_the_server_is_kept_here(
    ready_root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_run(ready_root, "pairvae", "alone") as tracker:
        tracker.log_metrics({"loss": 1.0}, 0)
    with start_run(ready_root, "pairvae", "child", parent=tracker.run_id) as child:
        pass
    annotate_run(ready_root, str(tracker.run_id), {"score": 0.5})
    told = capsys.readouterr().err
    assert told.count("does not answer") == 1 and "pairvae sync" in told
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    run = client_of(ready_root).get_run(tracker.run_id)
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 1.0, "score": 0.5})
    assert client_of(ready_root).get_run(child.run_id).data.tags["mlflow.parentRunId"] == tracker.run_id


@pytest.mark.usefixtures("away")
def test_a_run_of_the_server_goes_on_without_it(
    ready_root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged, deliver = threading.Event(), RunWriter.deliver
    # A call that waited for the server would wait here forever
    monkeypatch.setattr(RunWriter, "deliver", lambda *given: logged.wait() and deliver(*given))
    with start_run(ready_root, "pairvae", "resumed", resume="b" * 32, patience_s=1.0) as tracker:
        for step in range(20):
            tracker.log_metrics({"loss": 1.0}, step)
        logged.set()
        time.sleep(0.2)
    assert tracker.run_id == "b" * 32
    (folder,) = waiting(ready_root)
    assert folder.name == tracker.run_id and len(list(folder.glob("0*.json"))) == 23
    told = capsys.readouterr().err
    assert "23 entries of 'resumed' to send to http://127.0.0.1:9: pairvae sync" in told
    assert send_waiting(ready_root) == {tracker.run_id: 23}
    annotate_run(ready_root, str(tracker.run_id), {"score": 0.5})
    assert send_waiting(ready_root) == {tracker.run_id: 25}


def test_the_next_run_sends_what_a_killed_one_left(ready_root: Path) -> None:
    with start_run(ready_root, "pairvae", "killed") as begun:
        pass
    outbox = Outbox.opened(ready_root, str(begun.run_id), {"uri": tracking_uri(ready_root), "name": "killed"})
    SpooledTracker(str(begun.run_id), outbox).log_metrics({"late": 1.0}, 7)
    outbox.close()
    assert [folder.name for folder in waiting(ready_root)] == [begun.run_id]
    with start_run(ready_root, "pairvae", "next"):
        pass
    assert client_of(ready_root).get_metric_history(begun.run_id, "late")[0].step == 7
    assert waiting(ready_root) == []


def test_threads_that_tell_at_once_lose_nothing(tmp_path: Path) -> None:
    outbox = Outbox.opened(tmp_path, "a" * 32, {"uri": "", "name": ""})

    def tell(number: int) -> None:
        for step in range(100):
            outbox.put("metrics", {"metrics": {f"m{number}": float(step)}, "step": step, "time": 0})

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [(next(iter(one.values["metrics"])), one.values["step"]) for one in outbox.entries()]
    assert sorted(found) == sorted((f"m{number}", step) for number in range(4) for step in range(100))
    for number in range(4):
        assert [step for name, step in found if name == f"m{number}"] == list(range(100))
    outbox.close()


def test_what_a_power_cut_left_half_written_is_set_aside_and_the_rest_is_sent(root: Path) -> None:
    outbox = Outbox.opened(root, "a" * 32, TARGET)
    for number in range(3):
        outbox.put("metrics", {"metrics": {}, "step": number, "time": 1})
    (outbox.folder / "000000002.json").write_text("")
    assert [entry.values["step"] for entry in outbox.entries()] == [0, 2]
    assert [path.name for path in outbox.refused()] == ["000000002.refused"]
    outbox.close()


def test_what_a_kill_left_of_a_beginning_goes_with_the_next_run(root: Path) -> None:
    home = outbox_folder(root, "a" * 32).parent
    begun, living, kept = (home / letter for letter in "abc")
    for folder in (begun, living, kept):
        folder.mkdir(parents=True)
        (folder / ".target.json.0a0a0a0a-1-xyz.partial").write_text("{")
    (kept / "000000001.json").write_text('{"kind": "metrics"}')
    holder = Outbox(living)
    holder.lock(wait=True)
    outbox = Outbox.opened(root, "d" * 32, TARGET)
    assert not begun.exists()
    assert living.is_dir(), "its process lives"
    assert (kept / "000000001.json").is_file(), "entries are never thrown away"
    outbox.close()
    holder.close()
