"""What `pairvae doctor` asks of the store: runs that never ended, aliases, and files that are gone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from pairvae.errors import InputError
from pairvae.tracking.relocate import local_path
from pairvae.tracking.store import STORE_ERRORS, connect, has_store

MOST = 1000


@dataclass(frozen=True)
class OpenRun:
    """A run that is still RUNNING, and for how long nothing was written to it, in s."""

    run_id: str
    name: str
    idle_s: float


def open_runs(root: Path) -> list[OpenRun]:
    """Runs of the project that are still RUNNING; none where there is no store (``InputError``: unusable)."""
    if not has_store(root):
        return []
    client = connect(root)
    experiments = [one.experiment_id for one in client.search_experiments(view_type=ViewType.ACTIVE_ONLY)]
    if not experiments:
        return []
    found = client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=MOST)
    return [OpenRun(run.info.run_id, run.info.run_name or "", _idle(client, run)) for run in found]


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
        return str(error).splitlines()[0]
    return None


def end_run(root: Path, run_id: str, status: str) -> None:
    """Set the ``status`` (KILLED, FAILED, FINISHED) of a run whose process is gone."""
    connect(root).set_terminated(run_id, status)


def alias_problems(root: Path) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Version by alias of each registered model, and the aliases whose files lie on this machine no more."""
    if not has_store(root):
        return {}, []
    client = connect(root)
    aliases: dict[str, dict[str, str]] = {}
    gone: list[str] = []
    for model in client.search_registered_models(max_results=MOST):
        aliases[model.name] = {name: str(number) for name, number in dict(model.aliases).items()}
        for name, number in aliases[model.name].items():
            place = client.get_model_version_download_uri(model.name, number)
            if place.startswith("models:/"):
                place = client.get_logged_model(place.removeprefix("models:/")).artifact_location
            folder = local_path(place)
            if folder is not None and not (folder / "MLmodel").is_file():
                gone.append(f"{model.name}@{name}: {folder}")
    return aliases, gone
