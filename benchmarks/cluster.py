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

import optuna
from distributed import Client, LocalCluster

from pairvae.search_space import TuneSettings
from pairvae.settings import resolve
from pairvae.stages.cluster import LOCAL, run_on, run_tasks
from pairvae.stages.project import Project
from pairvae.stages.study.cells import Cell, CellTask
from pairvae.stages.tune.study import Place, open_study

PARTS = ("journal", "overhead", "scaling")


@dataclass(frozen=True)
class Nap:
    """A task that works for some seconds without using the processor."""

    seconds: float
    number: int


def nap(task: Nap) -> int:
    """Sleep."""
    time.sleep(task.seconds)
    return task.number


def overhead(workers: int, tasks: int, seconds: float) -> dict[str, float]:
    """Wall time of ``tasks`` naps on ``workers`` in-process Dask workers, and what a task adds to the ideal."""
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None,
            silence_logs=logging.CRITICAL, memory_limit=0,
        ) as place,
        Client(place) as client,
    ):  # fmt: skip
        list(run_on(client, nap, [Nap(0.0, number) for number in range(workers)]))  # connections are open now
        began, cpu = time.perf_counter(), time.process_time()
        found = list(run_on(client, nap, [Nap(seconds, number) for number in range(tasks)]))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert sorted(ended.result for ended in found if ended.result is not None) == list(range(tasks))
    ideal = seconds * -(-tasks // workers)
    return {
        "workers": workers, "tasks": tasks, "nap_s": seconds, "wall_s": round(wall, 3), "ideal_s": round(ideal, 3),
        "overhead_per_task_ms": round(1000 * (wall - ideal) / tasks, 3),
        "cpu_per_task_ms": round(1000 * cpu / tasks, 3),
    }  # fmt: skip


def scaling(workers: int, cluster: str | None, tasks: int, seconds: float) -> dict[str, object]:
    """Wall time of ``tasks`` naps in real processes, their start included."""
    began = time.perf_counter()
    naps = [Nap(seconds, number) for number in range(tasks)]
    done = sum(1 for _ in run_tasks(nap, naps, workers=workers, cluster=cluster))
    return {
        "workers": workers, "where": cluster or "processes", "tasks": done, "nap_s": seconds,
        "wall_s": round(time.perf_counter() - began, 2),
    }  # fmt: skip


def storage(trials: int) -> dict[str, float]:
    """What a trial costs in the journal file: asked for, told, and counted as workers do."""
    tune: TuneSettings = resolve({"tune": {"sampler": "random"}}).tune
    with tempfile.TemporaryDirectory() as folder:
        study = open_study(Place(Path(folder), "bench", None), tune, new=True)
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
                _tell("scaling", scaling(workers, cluster, 8, 2.0))


def _tell(name: str, found: object) -> None:
    print(json.dumps({name: found}), flush=True)


if __name__ == "__main__":
    main()
