"""Copies of registered models in another store, with their aliases."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from pairvae.tracking.copy_runs import PAGE, SOURCE_STORE, Files, files_at
from pairvae.tracking.registry.aliases import (
    ABSENT,
    BEFORE_TAG,
    CHAMPION,
    DATA_TAG,
    Version,
    as_version,
    beats,
    ensure_registered,
)
from pairvae.tracking.registry.leaderboard import PROGRAMS_TAG

SOURCE_MODEL, SOURCE_VERSION = "sync.model", "sync.version"
MLMODEL = "MLmodel"


def versions_of(client: MlflowClient, name: str) -> list[ModelVersion]:
    """Every version of a model, the first one first."""
    versions: list[ModelVersion] = []
    token = None
    while True:
        page = client.search_model_versions(f"name='{name}'", max_results=PAGE, page_token=token)
        versions += page
        token = page.token
        if not token:
            return sorted(versions, key=lambda version: int(version.version))


def model_names(client: MlflowClient) -> list[str]:
    """The names of all registered models."""
    names: list[str] = []
    token = None
    while True:
        page = client.search_registered_models(max_results=PAGE, page_token=token)
        names += [model.name for model in page]
        token = page.token
        if not token:
            return sorted(names)


def logged_model(client: MlflowClient, version: ModelVersion) -> LoggedModel | None:
    """The model entry that a version was made of; None for a version without one."""
    model_id = key_of(version)
    try:
        return client.get_logged_model(model_id) if model_id.startswith("m-") else None
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise


def files_of(client: MlflowClient, version: ModelVersion) -> Files:
    """The files of a version on this machine."""
    entry = logged_model(client, version)
    return files_at(entry.artifact_location if entry is not None else version.source)


def key_of(version: ModelVersion) -> str:
    """Key of a version that holds in every store, since each store numbers versions anew."""
    return str(version.model_id or str(version.source).removeprefix("models:/"))


def copies_of(client: MlflowClient, name: str) -> dict[str, int]:
    """``key_of`` a version -> the number of its copy in the store of ``client``."""
    return {
        version.tags[SOURCE_VERSION]: int(version.version)
        for version in versions_of(client, name)
        if SOURCE_VERSION in version.tags
    }


@dataclass(frozen=True)
class ModelCopier:
    """Copies versions from one store to another; ``store_id`` names the first, ``runs`` maps its runs."""

    source: MlflowClient
    target: MlflowClient
    store_id: str
    runs: Mapping[str, str]

    def copy(self, version: ModelVersion, experiment_id: str, files: Files) -> int:
        """Make a copy of ``version``, whose number it returns. A failure leaves no version behind."""
        name, run_id = version.name, self.runs.get(version.run_id or "")
        model_id = self._entry(version, experiment_id, run_id, files)
        ensure_registered(self.target, name, self.source.get_registered_model(name).description or "")
        source_tags = {
            key: value for key, value in version.tags.items() if key not in (PROGRAMS_TAG, BEFORE_TAG)
        }
        tags = {**source_tags, SOURCE_STORE: self.store_id, SOURCE_VERSION: key_of(version)}
        made = self.target.create_model_version(
            name, source=f"models:/{model_id}", run_id=run_id, tags=tags, model_id=model_id
        )
        return int(made.version)

    def _entry(self, version: ModelVersion, experiment_id: str, run_id: str | None, files: Files) -> str:
        """The id of the model entry in the target store, READY; one left by an interruption is completed."""
        original = logged_model(self.source, version)
        name = original.name if original is not None else version.name
        tags = {SOURCE_MODEL: key_of(version), SOURCE_STORE: self.store_id}
        left = self.target.search_logged_models(
            [experiment_id], f"tags.`{SOURCE_MODEL}` = '{key_of(version)}'"
        )
        entry = (
            left[0]
            if left
            else self.target.create_logged_model(experiment_id, name=name, source_run_id=run_id, tags=tags)
        )
        if entry.status != LoggedModelStatus.READY:
            self._upload(entry, run_id, files)
            self.target.finalize_logged_model(entry.model_id, LoggedModelStatus.READY)
            if run_id is not None:
                self.target.log_outputs(run_id, [LoggedModelOutput(entry.model_id, step=0)])
        return str(entry.model_id)

    def _upload(self, entry: LoggedModel, run_id: str | None, files: Files) -> None:
        assert files.folder is not None  # the caller leaves out versions without files
        self.target.log_model_artifacts(entry.model_id, str(files.folder))
        # The card last, with the names that it has there instead of this machine's paths
        model = Model.load(str(files.folder / MLMODEL))
        model.artifact_path, model.run_id = entry.artifact_location, run_id
        model.model_uuid = model.model_id = entry.model_id
        with tempfile.TemporaryDirectory() as scratch:
            model.save(str(Path(scratch) / MLMODEL))
            self.target.log_model_artifact(entry.model_id, str(Path(scratch) / MLMODEL))

    def renumber(self, versions: Mapping[str, Mapping[int, int]], new: Mapping[str, set[int]]) -> None:
        """Tags of the copies of ``new`` versions that name other versions, by the numbers that those have there.

        ``versions``: name -> source version -> copy. Without the tag, what was registered together is found by its run.
        """
        for name, numbers in new.items():
            for number in sorted(numbers):
                tags, copy = (
                    self.source.get_model_version(name, str(number)).tags,
                    str(versions[name][number]),
                )
                programs = json.loads(tags.get(PROGRAMS_TAG, "{}"))
                there = {model: versions.get(model, {}).get(int(old)) for model, old in programs.items()}
                if there and None not in there.values():
                    self.target.set_model_version_tag(name, copy, PROGRAMS_TAG, json.dumps(there))
                before = versions[name].get(int(tags.get(BEFORE_TAG, "0")))
                if before is not None:
                    self.target.set_model_version_tag(name, copy, BEFORE_TAG, str(before))

    def aliases(self, versions: Mapping[str, Mapping[int, int]], new: Mapping[str, set[int]]) -> list[str]:
        """Set the aliases of the copies (``versions``: name -> source version -> copy); one line for each alias.

        An alias that stands for another store's version moves only for a version in ``new`` (source versions that
        have just arrived); ``champion`` only, and all together, where all copies score better on the same data.
        """
        said: list[str] = []
        titles: dict[str, tuple[ModelVersion, Version | None, int]] = {}
        for name, known in versions.items():
            for alias, number in dict(self.source.get_registered_model(name).aliases).items():
                copy = known.get(int(number))
                if copy is None:
                    continue
                holder = self._holder(name, alias)
                if holder is not None and holder.number == copy:
                    continue
                if alias == CHAMPION:
                    titles[name] = (self.source.get_model_version(name, number), holder, copy)
                elif self._free(holder) or int(number) in new.get(name, set()):
                    self.target.set_registered_model_alias(name, alias, str(copy))
                    said.append(f"{name}@{alias} is version {copy}")
        return said + self._titles(titles)

    def _titles(self, titles: Mapping[str, tuple[ModelVersion, Version | None, int]]) -> list[str]:
        for name, (version, holder, _) in titles.items():
            if self._free(holder) or holder is None:
                continue
            source = as_version(version)
            if not beats(source.score, source.tags.get(DATA_TAG, ""), [holder]):
                return [f"{name}@{CHAMPION} stays version {holder.number}, of another store"]
        for name, (_, _, copy) in titles.items():
            self.target.set_registered_model_alias(name, CHAMPION, str(copy))
        return [f"{name}@{CHAMPION} is version {copy}" for name, (_, _, copy) in titles.items()]

    def _holder(self, name: str, alias: str) -> Version | None:
        try:
            return as_version(self.target.get_model_version_by_alias(name, alias))
        except MlflowException as error:
            if error.error_code in ABSENT:
                return None
            raise

    def _free(self, holder: Version | None) -> bool:
        return holder is None or holder.tags.get(SOURCE_STORE) == self.store_id
