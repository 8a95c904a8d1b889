"""`pairvae tune` with its trials in PostgreSQL: two workers, one killed, and no trial lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from pairvae.commands.repro import write_params
from pairvae.commands.tune.optuna_study import RUN, WORKER, counted
from pairvae.settings import assignments
from servers.services import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
SPACE = "tune.space={pair.training.learning_rate: {low: 1.0e-5, high: 1.0e-2, log: true}}"
TRIALS = 4


def study_at(storage: str | RDBStorage) -> optuna.Study | None:
    try:
        return optuna.load_study(study_name="tune-1", storage=storage)
    except KeyError:
        return None


def running(storage: RDBStorage) -> dict[int, int]:
    """Workers' process ids of trials that are in a training, by number."""
    study = study_at(storage)
    return {
        trial.number: int(trial.user_attrs[WORKER].rpartition(":")[2])
        for trial in (study.get_trials(deepcopy=False) if study else ())
        if trial.state == TrialState.RUNNING and RUN in trial.user_attrs
    }


def kill_a_busy_worker(url: str, process: subprocess.Popen[str]) -> None:
    """One that is held where it is until the database says that its trial has not ended meanwhile."""
    storage = RDBStorage(
        url
    )  # one for all looks: each has connections of its own, and a server has a hundred
    limit = time.monotonic() + 1800
    while time.monotonic() < limit and process.poll() is None:
        for number, worker in running(storage).items():
            os.kill(worker, signal.SIGSTOP)
            if number in running(storage):
                os.kill(worker, signal.SIGKILL)
                return
            os.kill(worker, signal.SIGCONT)
        time.sleep(0.2)
    raise AssertionError(f"no trial was begun: {process.communicate()[0]}")


def test_a_killed_worker_loses_no_trial_of_a_database(
    database: Callable[[], str], prepared_project: Path, tmp_path: Path
) -> None:
    url, folder = database(), tmp_path / "project"
    folder.mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(prepared_project / name, folder)
    for name in ("data", "models"):
        shutil.copytree(prepared_project / name, folder / name)
    write_params(folder / "params.yaml", assignments([SPACE]))
    command = [sys.executable, "-m", "pairvae.cli", "tune", "--trials", str(TRIALS), "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--storage", url],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    kill_a_busy_worker(url, process)
    printed = process.communicate(timeout=3000)[0]
    assert process.returncode == 0, printed
    study = study_at(url)
    assert study is not None
    states = [trial.state.name for trial in study.get_trials()]
    assert counted(study) == TRIALS
    assert states.count("FAIL") == 1 and "RUNNING" not in states and "WAITING" not in states
    assert PASSWORD not in printed
    logs = "".join(path.read_text() for path in (folder / ".pairvae" / "tune").rglob("*.log"))
    assert PASSWORD not in logs
