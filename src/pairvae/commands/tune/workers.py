"""Worker processes of `pairvae tune`: started, watched, replaced when they die, ended cleanly."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from pairvae import operating_system

POLL_S = 0.5
GRACE_S = 20.0
STORAGE = "PAIRVAE_TUNE_STORAGE"


@dataclass(frozen=True)
class Job:
    """What a worker has to know: JSON on its command line, but for the storage, whose address may hold a password."""

    folder: str
    study: str
    storage: str | None
    trials: int
    worker: int = 0
    threads: int = 0
    deadline: float | None = None
    coordinator: int | None = None
    parent_run: str | None = None
    shared: str = ""
    track: bool = True
    changes: tuple[str, ...] = ()

    def dump(self) -> str:
        """As JSON, without the storage: everyone may read a command line."""
        return json.dumps(dataclasses.asdict(self) | {"storage": None})

    @staticmethod
    def parse(text: str) -> Job:
        """From JSON, and the storage from the environment."""
        values = json.loads(text)
        storage = os.environ.get(STORAGE)
        return Job(**{**values, "changes": tuple(values["changes"]), "storage": storage})

    @property
    def late(self) -> bool:
        """Whether the time is up."""
        return self.deadline is not None and time.time() >= self.deadline

    @property
    def orphaned(self) -> bool:
        """Whether the coordinator that started this worker has gone."""
        return self.coordinator is not None and os.getppid() != self.coordinator


def start(job: Job, logs: Path) -> subprocess.Popen[bytes]:
    """A worker in a session of its own, so that Ctrl-C reaches it through the coordinator alone."""
    environment = {name: value for name, value in os.environ.items() if name != STORAGE}
    if job.storage is not None:
        environment[STORAGE] = job.storage
    if job.threads:
        environment["OMP_NUM_THREADS"] = str(job.threads)
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"worker-{job.worker}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pairvae.commands.tune", job.dump()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **operating_system.apart(),
        )


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end the coordinator as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_workers(
    job: Job, count: int, logs: Path, on_death: Callable[[int], int], on_tick: Callable[[], None]
) -> None:
    """Run ``count`` workers until all have ended.

    ``on_death`` takes the process id of one that died and returns how many trials it left behind: only where it had
    one is it replaced, since what dies before its first trial would do so again. On Ctrl-C all are told to end.
    """
    running: dict[int, subprocess.Popen[bytes]] = {}
    try:
        with ended_like_ctrl_c():
            for number in range(count):
                running[number] = start(dataclasses.replace(job, worker=number), logs)
            while running:
                time.sleep(POLL_S)
                for number, process in list(running.items()):
                    if process.poll() is None:
                        continue
                    del running[number]
                    if process.returncode and on_death(process.pid) and not job.late:
                        running[number] = start(dataclasses.replace(job, worker=number), logs)
                on_tick()
    finally:
        end_all(list(running.values()))


def end_all(processes: list[subprocess.Popen[bytes]]) -> None:
    """Interrupt, wait, and kill what is left."""
    for process in processes:
        if process.poll() is None:
            operating_system.interrupt(process)
    limit = time.monotonic() + GRACE_S
    for process in processes:
        try:
            process.wait(max(0.1, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
