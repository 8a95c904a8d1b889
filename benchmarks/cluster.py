"""What a task costs besides its work: `python -m benchmarks.cluster` (overhead, storage, scaling; JSON lines).

A hundred workers are simulated by as many worker objects of one process on this machine, with tasks that sleep.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import pickle
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import dask
import optuna
from distributed import Client, LocalCluster

from pairvae.commands.study.cells import Cell, CellTask
from pairvae.commands.tune.optuna_study import StudyLocation, open_study
from pairvae.parallel.executor import LOCAL, run_on, run_tasks
from pairvae.settings import resolve
from pairvae.settings.search_space import TuneSettings
from pairvae.stages.project import Project

PARTS = ("journal", "overhead", "scaling")
SCALED = 16  # tasks, many enough that a worker that starts later hardly counts
UNWATCHED = {"distributed.worker.profile.enabled": False, "distributed.admin.system-monitor.interval": "1h"}
IDLE_S = 5.0


@dataclass(frozen=True)
class Nap:
    """A task that works for some seconds without using the processor."""

    seconds: float
    number: int


@dataclass(frozen=True)
class Slept:
    """When a nap began and ended, s since 1970."""

    number: int
    began: float
    ended: float


def nap(task: Nap) -> Slept:
    """Sleep."""
    began = time.time()
    time.sleep(task.seconds)
    return Slept(task.number, began, time.time())


def overhead(workers: int, tasks: int, seconds: float) -> dict[str, float]:
    """Wall time of ``tasks`` naps on ``workers`` in-process Dask workers, and what a task adds to the ideal.

    A worker looks at its thread and at its machine many times a second. In a process of its own it hardly notices; a
    hundred in one process would measure that alone, so it is switched off, and what they use idly is taken off.
    """
    with (
        dask.config.set(UNWATCHED),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None,
            silence_logs=logging.CRITICAL, memory_limit=0,
        ) as place,
        Client(place) as client,
    ):  # fmt: skip
        list(run_on(client, nap, [Nap(0.0, number) for number in range(workers)]))  # connections are open now
        idle = time.process_time()
        time.sleep(IDLE_S)
        idle = (time.process_time() - idle) / IDLE_S
        began, cpu = time.perf_counter(), time.process_time()
        found = list(run_on(client, nap, [Nap(seconds, number) for number in range(tasks)]))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert sorted(ended.result.number for ended in found if ended.result is not None) == list(range(tasks))
    ideal = seconds * -(-tasks // workers)
    return {
        "workers": workers, "tasks": tasks, "nap_s": seconds, "wall_s": round(wall, 3), "ideal_s": round(ideal, 3),
        "overhead_per_task_ms": round(1000 * (wall - ideal) / tasks, 3),
        "cpu_per_task_ms": round(1000 * (cpu - idle * wall) / tasks, 3), "idle_cpu_percent": round(100 * idle, 1),
    }  # fmt: skip


def scaling(workers: int, cluster: str | None, tasks: int, seconds: float) -> dict[str, object]:
    """``tasks`` naps in real processes: the time until the first one began, and from then until the last one ended."""
    began = time.time()
    naps = [Nap(seconds, number) for number in range(tasks)]
    done = [ended.result for ended in run_tasks(nap, naps, workers=workers, cluster=cluster) if ended.result]
    first, last = min(one.began for one in done), max(one.ended for one in done)
    return {
        "workers": workers, "where": cluster or "processes", "tasks": len(done), "nap_s": seconds,
        "start_s": round(first - began, 2), "tasks_s": round(last - first, 2),
        "ideal_s": round(seconds * -(-tasks // workers), 2),
    }  # fmt: skip


def storage(trials: int) -> dict[str, float]:
    """What a trial costs in the journal file: asked for, told, and counted as workers do."""
    tune: TuneSettings = resolve({"tune": {"sampler": "random"}}).tune
    with tempfile.TemporaryDirectory() as folder:
        study = open_study(StudyLocation(Path(folder), "bench", None), tune, new=True)
        began = time.perf_counter()
        for number in range(trials):
            trial = study.ask()
            trial.suggest_float("x", 0, 1)
            for epoch in range(5):
                trial.report(1.0, epoch)
                trial.should_prune()
            study.tell(trial, float(number))
        wall = time.perf_counter() - began
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.log"))
    return {
        "trials": trials, "per_trial_ms": round(1000 * wall / trials, 2),
        "journal_bytes_per_trial": round(size / trials),
    }  # fmt: skip


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    chosen = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    project = Project(Path("/project"), Path("/project"), resolve({}))
    task = CellTask(project, Path("/project/.pairvae/study/0123456789abcdef"), Cell(48, 42), 1)
    _tell(
        "machine", {"cores": len(os.sched_getaffinity(0)), "load": [round(one, 1) for one in os.getloadavg()]}
    )
    _tell("bytes_of_a_study_cell", len(pickle.dumps(task)))
    if "journal" in chosen.parts:
        _tell("journal", storage(200))
    if "overhead" in chosen.parts:
        for seconds in (0.0, 1.0):
            _tell("dask", overhead(chosen.workers, chosen.tasks, seconds))
    if "scaling" in chosen.parts:
        for cluster in (None, LOCAL):
            for workers in (1, 2):
                _tell("scaling", scaling(workers, cluster, SCALED, 2.0))


def _tell(name: str, found: object) -> None:
    print(json.dumps({name: found}), flush=True)


if __name__ == "__main__":
    main()
