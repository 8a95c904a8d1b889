"""Independent tasks: in processes of this machine, or on a Dask cluster (extra `[cluster]`).

A task is a small frozen dataclass that names its data by path; what it computes goes to files, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from pairvae.errors import InputError
from pairvae.parallel.processes import run_in_processes
from pairvae.parallel.tasks import Ended, R, T, run_task, task_result

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
CONNECT_S = 15


def run_tasks(
    function: Callable[[T], R], tasks: Sequence[T], *, workers: int = 1, cluster: str | None = None
) -> Iterator[Ended[T, R]]:
    """Each task with its result, in the order in which they end.

    ``cluster``: None for ``workers`` processes of this machine, ``local`` for a Dask cluster of as many, else the
    address of a scheduler (``tcp://host:8786``), whose workers have to see the same paths. A task whose worker is
    killed is run again; one that fails reports its reason, and the others go on. ``InputError`` where there is
    no such cluster.
    """
    if not tasks:
        return
    if cluster is None:
        yield from run_in_processes(function, tasks, workers)
        return
    with connected(cluster, min(workers, len(tasks))) as client:
        yield from run_on(client, function, tasks)


def run_on(client: Client, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[Ended[T, R]]:
    """:func:`run_tasks` on a cluster that is connected already."""
    from distributed import as_completed

    waiting = {client.submit(run_task, function, task, pure=False): task for task in tasks}
    try:
        for future in as_completed(list(waiting)):
            task = waiting.pop(future)
            error = future.exception()
            if error is None:
                yield task_result(task, future.result())
            else:
                yield Ended(task, None, f"{type(error).__name__}: {error}".rstrip(": "))
    finally:
        client.cancel(list(waiting))


@contextmanager
def connected(cluster: str, workers: int) -> Iterator[Client]:
    """A client of the cluster; a ``local`` one has ``workers`` processes of one thread and ends with the block."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError(
            expected="the package dask.distributed",
            found="none",
            where="--cluster",
            remedy="pip install 'pairvae[cluster]', or leave --cluster out",
        ) from error
    with ExitStack() as stack:
        if cluster == LOCAL:
            local = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=0,  # the machine's limit holds; a share of it would end a worker with room to spare
                    dashboard_address=None,
                    silence_logs=50,  # a killed worker is reported by the task
                )
            )
            yield stack.enter_context(Client(local))
            return
        try:
            client = stack.enter_context(Client(cluster, timeout=CONNECT_S))
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                expected="local, or the address of a running Dask scheduler (tcp://host:8786)",
                found=f"{cluster!r} ({type(error).__name__})",
                where="--cluster",
                remedy="start one with `dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`",
            ) from error
        yield client
