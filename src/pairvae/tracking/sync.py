"""The project's finished runs and registered models on a server, for training where there is no network."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from requests import RequestException

from pairvae.errors import InputError
from pairvae.progress import track
from pairvae.store.project_root import local_uri, tracking_uri
from pairvae.tracking.copy_models import (
    ModelCopier,
    copies_of,
    files_of,
    key_of,
    logged_model,
    model_names,
    versions_of,
)
from pairvae.tracking.copy_runs import (
    COMPLETE,
    OPEN,
    Copier,
    Files,
    all_runs,
    content_digest,
    copies_in,
    files_at,
    parent_of,
    parents_first,
    with_relatives,
)
from pairvae.tracking.database import STORE_ERRORS, as_default, connect, find_or_create, open_store, unusable
from pairvae.tracking.registry.aliases import ABSENT
from pairvae.tracking.runs.mlflow_run import active_run, is_here

STORE_ID = "store_id"


@dataclass
class Synced:
    """Names of the runs and versions that were (in a dry run: would be) sent, their bytes, and what was skipped."""

    runs: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    size: int = 0
    known_runs: int = 0
    known_versions: int = 0
    still_open: int = 0
    without_files: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Pending:
    run: Run
    files: Files
    copied: Run | None


def store_id(client: MlflowClient) -> str:
    """The name of a store, kept as a tag of its first experiment."""
    experiments = client.search_experiments(view_type=ViewType.ACTIVE_ONLY)
    for experiment in experiments:
        if STORE_ID in experiment.tags:
            return str(experiment.tags[STORE_ID])
    name = uuid.uuid4().hex
    first = min(experiments, key=lambda experiment: int(experiment.experiment_id))
    client.set_experiment_tag(first.experiment_id, STORE_ID, name)
    return name


def sync_store(root: Path, uri: str, *, names: Sequence[str] = (), dry_run: bool = False) -> Synced:
    """Copy finished runs and registered models of the project's own database to the store at ``uri``.

    ``names``: only these runs (the beginning of an id, or a name) with those above and below them. A second call
    sends nothing; one after an interruption goes on. ``InputError``: no such run, or a store that does not answer.
    """
    source, target = connect(root, local_uri(root)), open_store(root, uri)
    try:
        with as_default(root, uri):
            return _Sync(root, uri, source, target, dry_run).all(names)
    except (*STORE_ERRORS, RequestException, ConnectionError) as error:
        raise unusable(root, uri, error) from error


def copy_of_local(root: Path, run_id: str | None) -> str | None:
    """A run as the project's store knows it: one that began without the server is sent there first.

    None for one that was deleted meanwhile.
    """
    uri = tracking_uri(root)
    if uri == local_uri(root) or not is_here(root, run_id):
        return run_id
    assert run_id is not None  # is_here
    if active_run(connect(root, local_uri(root)), run_id) is None:
        return None
    sync_store(root, uri, names=[run_id])
    name = store_id(connect(root, local_uri(root)))
    return str(copies_in(connect(root, uri), name)[run_id].info.run_id)


class _Sync:
    def __init__(
        self, root: Path, uri: str, source: MlflowClient, target: MlflowClient, dry_run: bool
    ) -> None:
        self.root, self.uri, self.source, self.target, self.dry_run = root, uri, source, target, dry_run
        self.name = store_id(source)
        self.done = Synced()
        self.ids: dict[str, str] = {}  # run -> its copy
        self.experiments = {
            str(experiment.experiment_id): experiment.name
            for experiment in source.search_experiments(view_type=ViewType.ACTIVE_ONLY)
        }
        self.experiment_ids: dict[str, str] = {}  # experiment's name -> its id in the target

    def all(self, names: Sequence[str]) -> Synced:
        runs = list(all_runs(self.source, self.experiments))
        if names:
            try:
                runs = with_relatives(runs, names)
            except KeyError as error:
                raise InputError(
                    expected="the id or the name of a run", found=str(error), where="--runs"
                ) from error
        self._runs(parents_first(runs))
        self._models(None if not names else {run.info.run_id for run in runs})
        return self.done

    def _runs(self, runs: list[Run]) -> None:
        copies = copies_in(self.target, self.name)
        pending = []
        for run in runs:
            copied = copies.get(run.info.run_id)
            if copied is not None:
                self.ids[run.info.run_id] = copied.info.run_id
            if run.info.status in OPEN:
                self.done.still_open += 1
                continue
            files = files_at(run.info.artifact_uri)
            if copied is not None and copied.data.tags.get(COMPLETE) == content_digest(run, files):
                self.done.known_runs += 1
                continue
            pending.append(_Pending(run, files, copied))
        copier = Copier(self.source, self.target, self.name)
        for item in track(pending, len(pending), "runs") if pending and not self.dry_run else pending:
            self.done.runs.append(item.run.info.run_name)
            self.done.size += item.files.total
            if not self.dry_run:
                parent = self.ids.get(parent_of(item.run) or "")
                self.ids[item.run.info.run_id] = copier.copy(
                    item.run, item.files, self._experiment(item.run), parent, item.copied
                )

    def _experiment(self, run: Run) -> str:
        return self._target_experiment(self.experiments[str(run.info.experiment_id)])

    def _target_experiment(self, name: str) -> str:
        if name not in self.experiment_ids:
            experiment = find_or_create(self.target, self.root, self.uri, name)
            self.experiment_ids[name] = str(experiment.experiment_id)
        return self.experiment_ids[name]

    def _models(self, only: set[str] | None) -> None:
        copier = ModelCopier(self.source, self.target, self.name, self.ids)
        known: dict[str, dict[int, int]] = {}
        new: dict[str, set[int]] = {}
        for name in model_names(self.source):
            versions = [
                version
                for version in versions_of(self.source, name)
                if only is None or version.run_id in only
            ]
            there = self._copies(name)
            known[name] = {int(v.version): there[key_of(v)] for v in versions if key_of(v) in there}
            self.done.known_versions += len(known[name])
            new[name] = set()
            for version in versions:
                if key_of(version) not in there:
                    self._version(copier, version, known[name], new[name])
        if not self.dry_run:
            copier.renumber(known, new)
            self.done.aliases = copier.aliases(known, new)

    def _copies(self, name: str) -> Mapping[str, int]:
        try:
            self.target.get_registered_model(name)
        except MlflowException as error:
            if error.error_code in ABSENT:
                return {}
            raise
        return copies_of(self.target, name)

    def _version(
        self, copier: ModelCopier, version: ModelVersion, known: dict[int, int], new: set[int]
    ) -> None:
        files = files_of(self.source, version)
        label = f"{version.name} version {version.version}"
        if files.folder is None:
            self.done.without_files.append(label)
            return
        self.done.versions.append(label)
        self.done.size += files.total
        if self.dry_run:
            return
        known[int(version.version)] = copier.copy(version, self._experiment_of(version), files)
        new.add(int(version.version))

    def _experiment_of(self, version: ModelVersion) -> str:
        """The experiment of a version's model entry, or of its run, in the target."""
        entry = logged_model(self.source, version)
        experiment_id = str(entry.experiment_id) if entry is not None else ""
        if experiment_id not in self.experiments and version.run_id:
            experiment_id = str(self.source.get_run(version.run_id).info.experiment_id)
        return self._target_experiment(self.experiments.get(experiment_id) or min(self.experiments.values()))
