"""One MLflow run for each training stage or trial, in the store that the environment names."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils import mlflow_tags

from pairvae.errors import InputError, number_of
from pairvae.operating_system import process_began, user
from pairvae.store.project_root import database_path, local_uri, shown, tracking_uri
from pairvae.tracking.database import STORE_ERRORS, StoreAwayError, answers, connect, prepare_store, unusable
from pairvae.tracking.runs.machine import Sampler
from pairvae.tracking.runs.outbox import Outbox, target_of, waiting
from pairvae.tracking.runs.spooled import PATIENCE_S, Sender, SpooledTracker, tell
from pairvae.tracking.runs.tracker import Tracker
from pairvae.tracking.runs.writer import FAULTS, GONE, RunWriter

PROCESS_TAG = "process"
PROBE_S = 3.0


@dataclass(frozen=True)
class _Begun:
    """A run in its store; ``again`` where it had been begun before."""

    client: MlflowClient
    uri: str
    run_id: str
    again: bool


def process_mark(process: int) -> str:
    """A unique name of a process: host, process id, start time."""
    return f"{socket.gethostname()}:{process}:{process_began(process)}"


def _own_tags(parent: str | None) -> dict[str, str]:
    tags = {
        mlflow_tags.MLFLOW_USER: user(),
        mlflow_tags.MLFLOW_SOURCE_NAME: Path(sys.argv[0]).name,
        mlflow_tags.MLFLOW_SOURCE_TYPE: "LOCAL",
        PROCESS_TAG: process_mark(os.getpid()),
    }
    if parent:
        tags[mlflow_tags.MLFLOW_PARENT_RUN_ID] = parent
    return tags


def is_here(root: Path, run_id: str | None) -> bool:
    """Whether a run is in the project's own database, whatever store the environment names."""
    path = database_path(root)
    if run_id is None or not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
    except sqlite3.Error:
        return False
    return row is not None


def active_run(client: MlflowClient, run_id: str) -> Run | None:
    """A run that can be written to: none if it was deleted, or is of another database."""
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code in (GONE, "INVALID_PARAMETER_VALUE"):  # the latter for what is no id at all
            return None
        raise
    return run if run.info.lifecycle_stage == "active" else None


def _can_go_on(client: MlflowClient, experiment_id: str, run_id: str) -> bool:
    """Whether an earlier run is still in this experiment (not deleted, nor of another database)."""
    run = active_run(client, run_id)
    return run is not None and run.info.experiment_id == experiment_id


def _begin(
    root: Path, uri: str, experiment: str, name: str, tags: Mapping[str, str], resume: str | None
) -> _Begun:
    experiment_id = prepare_store(root, experiment, uri)
    client = connect(root, uri)
    try:
        if resume and _can_go_on(client, experiment_id, resume):
            return _Begun(client, uri, resume, True)
        run = client.create_run(experiment_id, run_name=name, tags=dict(tags))
    except STORE_ERRORS as error:
        raise unusable(root, uri, error) from error
    return _Begun(client, uri, run.info.run_id, False)


def _begin_somewhere(
    root: Path,
    experiment: str,
    name: str,
    tags: Mapping[str, str],
    parent: str | None,
    resume: str | None,
) -> _Begun:
    """A run in the store of the environment; while that is away, in the project's own, where relatives stay, too."""
    uri, local = tracking_uri(root), local_uri(root)
    if uri != local and (is_here(root, resume) or is_here(root, parent)):
        uri = local
    try:
        return _begin(root, uri, experiment, name, tags, resume)
    except StoreAwayError as error:
        if resume:
            tell(f"{shown(uri)} does not answer; going on with run {resume}, entries wait on the disk")
            return _Begun(MlflowClient(tracking_uri=uri), uri, resume, True)
        tell(f"{shown(uri)} does not answer ({error.found}); this run is kept in {database_path(root).name}")
        tell("send it when the server is back: pairvae sync")
        return _begin(root, local, experiment, name, tags, None)


@contextmanager
def start_run(
    root: Path,
    experiment: str,
    name: str,
    *,
    tags: Mapping[str, str] | None = None,
    parent: str | None = None,
    resume: str | None = None,
    system_metrics_s: float = 0.0,
    patience_s: float = PATIENCE_S,
) -> Iterator[Tracker]:
    """A run of ``experiment`` that ends with the block: FINISHED, FAILED on an exception, KILLED on Ctrl-C.

    ``resume``: the id of a run whose process was killed; it goes on, or a new one begins if it is gone.
    ``parent``: the id of the run that this one is shown under. ``InputError`` as ``prepare_store``, except that a
    store that does not answer is no reason to stop: at the start, the run is kept in the project's own database;
    later, its entries wait in ``.pairvae/outbox``. ``system_metrics_s``: how often processor and memory are
    measured, s; 0: never. ``patience_s``: how long the end waits for a store that is away.
    """
    all_tags = {**_own_tags(parent), **(tags or {})}
    begun = _begin_somewhere(root, experiment, name, all_tags, parent, resume)
    outbox = Outbox.opened(root, begun.run_id, {"uri": shown(begun.uri), "name": name})
    tracker = SpooledTracker(begun.run_id, outbox)
    if begun.again:
        tracker.set_status("RUNNING")
        tracker.set_tags(all_tags)
    where = database_path(root).name if begun.uri == local_uri(root) else shown(begun.uri)
    writer = RunWriter(begun.client, begun.run_id)
    sender = Sender(outbox, writer, where, lambda: answers(begun.uri, PROBE_S), patience_s)
    sampler = Sampler(tracker.log_metrics, system_metrics_s) if system_metrics_s else None
    for thread in filter(None, (sender, sampler)):
        thread.start()
    status = "FAILED"
    try:
        yield tracker
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        if sampler is not None:
            sampler.finish()
        tracker.set_status(status)
        if not sender.finish():
            tell(f"{number_of(len(outbox), 'entry', 'entries')} of {name!r} to send to {where}: pairvae sync")
        outbox.close()
    send_waiting(root)


def send_waiting(root: Path, only: str | None = None) -> dict[str, int]:
    """Send what earlier runs left behind whose store answers; run -> how many entries still wait.

    Runs whose process lives send for themselves. ``only``: one run.
    """
    left: dict[str, int] = {}
    there: dict[str, bool] = {}
    stores = {shown(uri): uri for uri in (local_uri(root), tracking_uri(root))}
    for folder in waiting(root):
        if only not in (None, folder.name):
            continue
        with Outbox.abandoned(folder) as outbox:
            if outbox is None:
                continue
            # Credentials are not kept beside the entries: the environment has to name the store
            uri = stores.get(target_of(folder)["uri"])
            if uri is not None and uri not in there:
                there[uri] = answers(uri, PROBE_S)
            if uri is not None and there[uri]:
                _deliver(root, uri, folder.name, outbox)
            if len(outbox):
                left[folder.name] = len(outbox)
    return left


def _deliver(root: Path, uri: str, run_id: str, outbox: Outbox) -> None:
    try:
        for problem in RunWriter(connect(root, uri), run_id).deliver(outbox):
            tell(shown(problem))
    except (*FAULTS, InputError):
        return


def annotate_run(
    root: Path,
    run_id: str,
    metrics: Mapping[str, float],
    tags: Mapping[str, object] | None = None,
    *,
    description: str = "",
) -> None:
    """Add final scores, tags and a ``description`` in place of the earlier one; status and times stay.

    They wait as in ``start_run`` while the store is away. A store without the run (it or its database was
    deleted, or the models were trained elsewhere) gets nothing, and a line says so.
    """
    uri = local_uri(root) if is_here(root, run_id) else tracking_uri(root)
    if answers(uri, PROBE_S) and active_run(connect(root, uri), run_id) is None:
        tell(f"{shown(uri)} has no run {run_id}: its scores are in the project's reports alone")
        return
    outbox = Outbox.opened(root, run_id, {"uri": shown(uri), "name": run_id})
    tracker = SpooledTracker(run_id, outbox)
    tracker.log_metrics(metrics)
    tracker.set_tags(tags or {})
    if description:
        tracker.describe(description)
    outbox.close()
    if send_waiting(root, run_id):
        tell(f"{shown(uri)} does not answer; scores of run {run_id} wait, send them with: pairvae sync")
