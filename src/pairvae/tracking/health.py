"""Checks of the store for `pairvae doctor`: unfinished runs, aliases and missing files."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils import mlflow_tags

from pairvae.errors import InputError
from pairvae.store.project_root import database_path, local_uri, tracking_uri
from pairvae.tracking.copy_runs import all_runs, files_at
from pairvae.tracking.database import STORE_ERRORS, connect, first_line, has_store
from pairvae.tracking.registry.aliases import ABSENT, location_of
from pairvae.tracking.registry.model_files import MLMODEL
from pairvae.tracking.relocate import local_path
from pairvae.tracking.runs.experiments import check_experiment
from pairvae.tracking.runs.mlflow_run import PROCESS_TAG, active_run, is_here, process_mark, send_waiting
from pairvae.tracking.unused import REMOVED

MOST = 1000


@dataclass(frozen=True)
class OpenRun:
    """A run that is still RUNNING, and for how long nothing was written to it, in s.

    ``alive``: whether its process is; None where that was on another machine.
    """

    run_id: str
    name: str
    idle_s: float
    alive: bool | None = None


def open_runs(root: Path) -> list[OpenRun]:
    """Runs of the project that are still RUNNING; none where there is no store (``InputError``: unusable)."""
    if not has_store(root):
        return []
    client = connect(root)
    experiments = [
        experiment.experiment_id for experiment in client.search_experiments(view_type=ViewType.ACTIVE_ONLY)
    ]
    if not experiments:
        return []
    runs = client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=MOST)
    return [
        OpenRun(
            run.info.run_id,
            run.info.run_name or "",
            _idle(client, run),
            _alive(run.data.tags.get(PROCESS_TAG)),
        )
        for run in runs
    ]


def _alive(mark: str | None) -> bool | None:
    """Whether the process of a :func:`process_mark` lives."""
    host, _, rest = (mark or "").rpartition(":")[0].rpartition(":")
    if mark is None or host != socket.gethostname() or not rest.isdecimal():
        return None
    return process_mark(int(rest)) == mark


def _idle(client: MlflowClient, run: Run) -> float:
    times = [
        metric.timestamp
        for key in list(run.data.metrics)[:1]
        for metric in client.get_metric_history(run.info.run_id, key)
    ]
    return max(0.0, time.time() - float(max([run.info.start_time, *times])) / 1000)


def store_problem(root: Path) -> str | None:
    """Why the store cannot be used; None where it answers."""
    try:
        connect(root).search_experiments(max_results=1)
    except InputError as error:
        return str(error)
    except STORE_ERRORS as error:
        return first_line(error)
    return None


def _client_of(root: Path, run_id: str) -> MlflowClient:
    """The store that a run is in: the project's own holds those that began without the server."""
    return connect(root, local_uri(root) if is_here(root, run_id) else None)


def end_run(root: Path, run_id: str, status: str) -> None:
    """Set the ``status`` (KILLED, FAILED, FINISHED) of a run whose process is gone, after what it left to send."""
    send_waiting(root, run_id)
    _client_of(root, run_id).set_terminated(run_id, status)


def status_of(root: Path, run_id: str) -> str | None:
    """How a run ended, or RUNNING; None where it is unknown or its store does not answer."""
    try:
        return str(_client_of(root, run_id).get_run(run_id).info.status)
    except (InputError, *STORE_ERRORS):
        return None


def alias_problems(root: Path) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Version by alias of each registered model, and a line for each alias whose version or files are missing."""
    if not has_store(root):
        return {}, []
    client = connect(root)
    aliases: dict[str, dict[str, str]] = {}
    gone: list[str] = []
    for model in client.search_registered_models(max_results=MOST):
        aliases[model.name] = {name: str(number) for name, number in dict(model.aliases).items()}
        for name, number in list(aliases[model.name].items()):
            try:
                folder = local_path(location_of(client, model.name, number))
            except MlflowException as error:
                if error.error_code not in ABSENT:
                    raise
                gone.append(f"{model.name}@{name} is version {number}, which was deleted")
                del aliases[model.name][name]
                continue
            if folder is not None and not (folder / MLMODEL).is_file():
                gone.append(f"no files of {model.name}@{name}: {folder}")
    return aliases, gone


def check_experiment_of(root: Path, name: str) -> None:
    """``InputError`` where there is an experiment ``name`` that cannot take runs, as one that was deleted."""
    if has_store(root):
        experiment = connect(root).get_experiment_by_name(name)
        if experiment is not None:
            check_experiment(root, tracking_uri(root), experiment)


def has_run(root: Path, run_id: str) -> bool:
    """Whether the project's store, or its own database, has a run that was not deleted; False without a store."""
    return has_store(root) and active_run(_client_of(root, run_id), run_id) is not None


def runs_without_files(root: Path) -> list[str]:
    """Runs of the project's own store whose images are missing, except those that `gc` removed."""
    if not database_path(root).is_file():
        return []
    client = connect(root, local_uri(root))
    experiments = [
        experiment.experiment_id for experiment in client.search_experiments(view_type=ViewType.ACTIVE_ONLY)
    ]
    runs = all_runs(client, experiments, f"tags.`{mlflow_tags.MLFLOW_LOGGED_IMAGES}` = 'True'")
    return [
        f"{run.info.run_name} ({run.info.run_id})"
        for run in runs
        if REMOVED not in run.data.tags and not files_at(run.info.artifact_uri).sizes
    ]
