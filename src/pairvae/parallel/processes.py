"""Tasks in processes of this machine: each takes one task after the other, one that dies is replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from pairvae.operating_system import end_with_parent
from pairvae.parallel.tasks import MOST_KILLS, Ended, R, T, run_task, task_result

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass
class _Worker:
    """A process, the end of the pipe to it, and the number of the task that it has."""

    process: BaseProcess
    connection: Connection
    task: int


def run_in_processes(function: Callable[[T], R], tasks: Sequence[T], workers: int) -> Iterator[Ended[T, R]]:
    """Each task with its result, in the order in which they end; with several workers each has one thread.

    A task whose process was killed by a signal is run once more. What is no ``InputError`` ends its process, whose
    traceback goes to stderr, and the others go on.
    """
    waiting, kills = deque(range(len(tasks))), Counter[int]()
    pool: list[_Worker] = []
    try:
        while waiting or pool:
            while waiting and len(pool) < workers:
                pool.append(_started(function, tasks, waiting.popleft(), one_thread=workers > 1))
            ready = wait([worker.connection for worker in pool])
            for worker in [candidate for candidate in pool if candidate.connection in ready]:
                task = worker.task
                try:
                    outcome = worker.connection.recv()
                except (EOFError, ConnectionError):
                    pool.remove(worker)
                    code = _exit_code(worker)
                    if code < 0 and kills[task] < MOST_KILLS:
                        kills[task] += 1
                        waiting.appendleft(task)
                    else:
                        yield Ended(tasks[task], None, _words(code))
                    continue
                if waiting:
                    worker.task = waiting.popleft()
                    worker.connection.send(tasks[worker.task])
                else:
                    pool.remove(worker)
                    worker.connection.close()
                yield task_result(tasks[task], outcome)
    finally:
        for worker in pool:
            worker.process.kill()


def _started(function: Callable[[T], R], tasks: Sequence[T], first: int, *, one_thread: bool) -> _Worker:
    context = multiprocessing.get_context("spawn")
    our_end, worker_end = context.Pipe()
    process = context.Process(target=_serve, args=(worker_end, function), daemon=True)
    with _few_threads(one_thread):
        process.start()
    worker_end.close()
    our_end.send(tasks[first])
    return _Worker(process, our_end, first)


@contextmanager
def _few_threads(single: bool) -> Iterator[None]:
    """Processes that start here have one thread: several each beside another busy process stall one another."""
    before = {name: os.environ.get(name) for name in THREADS}
    if single:
        os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """What a worker process does: tasks until the pipe is closed; it ends with its parent, however that ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches it through its parent
    end_with_parent()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(run_task(function, task))


def _exit_code(worker: _Worker) -> int:
    worker.process.join()
    worker.connection.close()
    return worker.process.exitcode or 0


def _words(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        return f"its process was killed twice, by {name}" + (" (out of memory?)" if code == -9 else "")
    return f"its process ended with exit code {code}; the traceback is above"
