"""Find and delete unreferenced artifacts, model versions and model entries."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, ViewType
from mlflow.entities.model_registry import ModelVersion
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from pairvae.errors import InputError
from pairvae.store.project_root import artifacts_path, database_path, local_uri, pair_name
from pairvae.tracking.copy_models import key_of, logged_model, model_names, versions_of
from pairvae.tracking.copy_runs import OPEN, all_runs, files_at, parent_of
from pairvae.tracking.database import connect, first_line
from pairvae.tracking.relocate import local_path
from pairvae.tracking.runs.experiments import DRIVERS

REMOVED = "artifacts_removed"
RESULTS = ("tune", "study")  # stages whose runs are few, small, and hold what a search or a study came to
YOUNG_S = 3600.0  # an entry without a version may be about to get one


@dataclass(frozen=True)
class Unused:
    """An unreferenced item: its kind, its name, its bytes, and its ids."""

    kind: str
    name: str
    size: int
    run_id: str = ""
    version: tuple[str, str] = ("", "")
    model_id: str = ""


def unused(root: Path, runs: Iterable[str], versions: Mapping[str, Iterable[int]]) -> list[Unused]:
    """Items of the project's own store without an alias, except the ``runs`` and ``versions`` to keep.

    So are runs above kept ones, runs of kept versions, runs that have not ended, and those of studies and searches.
    """
    if not database_path(root).is_file():
        return []
    client = connect(root, local_uri(root))
    pair = pair_name(root)

    def is_own(name: str) -> bool:
        return name == pair or name.startswith(f"{pair}-")

    kept_runs, kept_models, unreferenced = set(runs), set(), []
    for name in model_names(client):
        if not is_own(name):
            continue
        aliased = {int(number) for number in dict(client.get_registered_model(name).aliases).values()}
        for version in versions_of(client, name):
            if int(version.version) in aliased.union(versions.get(name, ())):
                kept_runs.add(version.run_id or "")
            else:
                unreferenced.append(_version(client, version))
            kept_models.add(key_of(version))
    return unreferenced + list(_entries(client, kept_models, is_own)) + list(_runs(client, kept_runs))


def _version(client: MlflowClient, version: ModelVersion) -> Unused:
    entry = logged_model(client, version)
    size = _size(entry.artifact_location if entry is not None else version.source)
    number = str(version.version)
    model_id = entry.model_id if entry is not None else ""
    label = f"{version.name} version {number}"
    return Unused("model version", label, size, version=(version.name, number), model_id=model_id)


def _entries(client: MlflowClient, kept: set[str], is_own: Callable[[str], bool]) -> Iterator[Unused]:
    """Model entries that never became a version: a registration was cut off."""
    experiments = [
        experiment.experiment_id for experiment in client.search_experiments(view_type=ViewType.ACTIVE_ONLY)
    ]
    latest = datetime.now(UTC).timestamp() - YOUNG_S
    token = None
    while experiments:
        page = client.search_logged_models(experiments, page_token=token)
        for entry in page:
            if is_own(entry.name) and entry.model_id not in kept and entry.creation_timestamp / 1000 < latest:
                size = _size(entry.artifact_location)
                yield Unused("model without version", entry.name, size, model_id=entry.model_id)
        token = page.token
        if not token:
            return


def _runs(client: MlflowClient, kept: set[str]) -> Iterator[Unused]:
    experiments = [
        experiment.experiment_id for experiment in client.search_experiments(view_type=ViewType.ACTIVE_ONLY)
    ]
    project_runs = [run for run in all_runs(client, experiments) if "stage" in run.data.tags]
    parents = {run.info.run_id: parent_of(run) for run in project_runs}
    for run_id in list(kept):
        above = parents.get(run_id)
        while above is not None and above not in kept:
            kept.add(above)
            above = parents.get(above)
    for run in project_runs:
        if run.info.run_id in kept or run.info.status in OPEN or run.data.tags["stage"] in RESULTS:
            continue
        size = _size(run.info.artifact_uri)
        if size:
            yield Unused("artifacts of a run", run.info.run_name, size, run_id=run.info.run_id)


def remove(root: Path, unused_item: Unused) -> None:
    """Remove one item of :func:`unused`. A run keeps its parameters and metrics; a tag tells when its files went."""
    client = connect(root, local_uri(root))
    if unused_item.model_id:
        model: LoggedModel = client.get_logged_model(unused_item.model_id)
        _remove_files(root, model.artifact_location)  # first: an object store may be away
    if unused_item.version[0]:
        client.delete_model_version(*unused_item.version)
    if unused_item.model_id:
        client.delete_logged_model(unused_item.model_id)
    if unused_item.run_id:
        client.set_tag(unused_item.run_id, REMOVED, datetime.now(UTC).date().isoformat())
        _remove_files(root, client.get_run(unused_item.run_id).info.artifact_uri)


def _remove_files(root: Path, location: str) -> None:
    """In an object store, or below the project's own folder of artifacts, never in another folder."""
    folder = local_path(location)
    if urlsplit(location).scheme in DRIVERS:
        with _object_store(location) as repository:
            repository.delete_artifacts()
    elif (
        folder is not None and folder != artifacts_path(root) and folder.is_relative_to(artifacts_path(root))
    ):
        shutil.rmtree(folder, ignore_errors=True)


def _size(location: str) -> int:
    """Bytes of all files at ``location``: a folder, or an address of an object store."""
    if urlsplit(location).scheme not in DRIVERS:
        return files_at(location).total
    with _object_store(location) as repository:
        return sum(_sizes(repository, None))


def _sizes(repository: ArtifactRepository, folder: str | None) -> Iterator[int]:
    for entry in repository.list_artifacts(folder):
        if entry.is_dir:
            yield from _sizes(repository, entry.path)
        else:
            yield entry.file_size or 0


@contextmanager
def _object_store(location: str) -> Iterator[ArtifactRepository]:
    """MLflow's client of the store; whatever goes wrong in it is one clear line (``InputError``)."""
    try:
        yield get_artifact_repository(location)
    except Exception as error:  # each store's package has errors of its own
        raise InputError(
            expected="an artifact store that answers",
            found=first_line(error),
            where=location,
            remedy="check network and credentials; see docs/tracking.md",
        ) from error
