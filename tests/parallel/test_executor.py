"""Tasks in processes and on a Dask cluster: results, failures that stay alone, and workers that are killed."""

from __future__ import annotations

import os
import pickle
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from pairvae.errors import InputError
from pairvae.parallel.executor import run_tasks
from pairvae.store.locks import held_alone, is_free

PLACES = pytest.mark.parametrize("cluster", [None, pytest.param("local", marks=pytest.mark.slow)])


@dataclass(frozen=True)
class Square:
    """A number to square, and what goes wrong on the way."""

    number: int
    folder: str = ""
    fault: str = ""
    kills: int = 0


def square(task: Square) -> int:
    """The square; may fail, or kill its own process the first ``kills`` times."""
    if task.fault == "input":
        raise InputError(expected="a number", found="none", where=f"task {task.number}")
    if task.fault == "bug":
        raise ZeroDivisionError(f"task {task.number}")
    if task.kills:
        tries = len(list(Path(task.folder).iterdir()))
        (Path(task.folder) / f"try-{tries}").touch()
        if tries < task.kills:
            os.kill(os.getpid(), signal.SIGKILL)
    return task.number**2


@pytest.mark.parametrize("cluster", [None, "local"])
def test_every_task_has_its_result(cluster: str | None) -> None:
    tasks = [Square(number) for number in range(5)]
    found = {
        ended.task.number: ended.result for ended in run_tasks(square, tasks, workers=2, cluster=cluster)
    }
    assert found == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}
    assert list(run_tasks(square, [], workers=2, cluster=cluster)) == []


@PLACES
def test_a_task_that_fails_leaves_the_others_alone(
    cluster: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    tasks = [Square(1), Square(2, fault="input"), Square(3, fault="bug"), Square(4)]
    found = {ended.task.number: ended for ended in run_tasks(square, tasks, workers=2, cluster=cluster)}
    assert (found[1].result, found[4].result) == (1, 16)
    assert found[2].reason == "task 2: expected a number, found none"
    assert found[3].result is None
    assert found[3].reason
    told = found[3].reason + capfd.readouterr().err
    assert "ZeroDivisionError" in told


@PLACES
def test_the_task_of_a_killed_worker_is_done_again(cluster: str | None, tmp_path: Path) -> None:
    tasks = [Square(1), Square(2, folder=str(tmp_path), kills=1), Square(3)]
    found = {ended.task.number: ended for ended in run_tasks(square, tasks, workers=2, cluster=cluster)}
    assert {number: ended.result for number, ended in found.items()} == {1: 1, 2: 4, 3: 9}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_task_that_kills_its_process_again_and_again_is_given_up(tmp_path: Path) -> None:
    tasks = [Square(1, folder=str(tmp_path), kills=9), Square(2)]
    found = {ended.task.number: ended for ended in run_tasks(square, tasks, workers=1)}
    assert found[2].result == 4
    assert "killed twice, by SIGKILL" in found[1].reason
    assert len(list(tmp_path.iterdir())) == 2


def test_a_cluster_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairvae.parallel.executor.CONNECT_S", 1)
    with pytest.raises(InputError, match="--cluster: expected local, or the address of a running Dask"):
        list(run_tasks(square, [Square(1)], cluster="tcp://127.0.0.1:9"))


def napping(seconds: float) -> int:
    """Sleep, and say in which process."""
    time.sleep(seconds)
    return os.getpid()


def test_tasks_run_side_by_side_in_processes_of_one_thread_each() -> None:
    found = list(run_tasks(napping, [1.0, 1.0], workers=2))
    assert len({ended.result for ended in found}) == 2
    assert os.getpid() not in {ended.result for ended in found}


def test_a_lock_tells_whether_its_holder_lives(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    assert is_free(path)
    with held_alone(path, "study a"):
        assert not is_free(path)
        with (
            pytest.raises(InputError, match=rf"study a: .*in use by another process \(pid {os.getpid()}\)"),
            held_alone(path, "study a"),
        ):
            pass
    assert is_free(path)


def test_tasks_are_small() -> None:
    assert len(pickle.dumps(Square(1, folder="/somewhere"))) < 1000
