"""Workers of `pairvae tune` on a Dask cluster: each is a task that has a worker process beside it.

Trials go through the study's storage, not through the scheduler. All machines have to see the project's folder.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pairvae.commands.tune.workers import GRACE_S, POLL_S, Job, end_all, ended_like_ctrl_c, start
from pairvae.parallel.executor import connected

if TYPE_CHECKING:
    from distributed import Future

STOP = "stop"


@dataclass(frozen=True)
class Hosted:
    """A worker to run, where it logs, and the file whose existence ends it."""

    job: Job
    logs: Path
    stop: Path


def host(task: Hosted) -> int:
    """Run a worker process to its end; returns its exit code. It ends, too, when this process is gone."""
    process = start(dataclasses.replace(task.job, coordinator=os.getpid()), task.logs)
    while process.poll() is None:
        time.sleep(POLL_S)
        if task.stop.exists():
            end_all([process])
    return process.returncode


def run_hosted(
    job: Job,
    count: int,
    cluster: str,
    folder: Path,
    on_lost: Callable[[], int],
    left: Callable[[], int],
    on_tick: Callable[[], None],
) -> None:
    """Run ``count`` workers on a cluster until all have ended.

    ``on_lost`` enqueues the trials of workers that are gone and returns how many: for each of them a worker that has
    ended may be started anew, as long as trials are ``left``. On Ctrl-C all are told to end by a file in ``folder``.
    """
    stop = folder / STOP
    stop.unlink(missing_ok=True)
    idle = [Hosted(dataclasses.replace(job, worker=number), folder, stop) for number in range(count)]
    running: dict[Future, Hosted] = {}
    spare = count
    with connected(cluster, count) as client, ended_like_ctrl_c():
        try:
            while running or (idle and spare and left() and not job.late):
                while idle and spare and left() and not job.late:
                    task, spare = idle.pop(0), spare - 1
                    running[client.submit(host, task, pure=False)] = task
                time.sleep(POLL_S)
                spare += on_lost()
                idle += [running.pop(future) for future in list(running) if future.done()]
                on_tick()
        except KeyboardInterrupt:
            stop.touch()
            limit = time.monotonic() + GRACE_S
            while time.monotonic() < limit and not all(future.done() for future in running):
                time.sleep(POLL_S)
            raise
