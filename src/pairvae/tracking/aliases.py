"""Versions of registered models, the aliases that stand for them, and their files."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pairvae.errors import InputError
from pairvae.store import atomic_folder
from pairvae.tracking.relocate import local_path
from pairvae.tracking.roots import OWN_FILES, tracking_uri
from pairvae.tracking.store import as_default, connect, has_store, plainly, store_lock

PROGRAM_FILE = Path("data") / "model.pt2"
CANDIDATE, CHAMPION = "candidate", "champion"
SCORE_TAG, DATA_TAG, BEFORE_TAG = "validation_score", "validation_data", "champion_before"
WEB = ("http", "https", "ftp", "mlflow-artifacts")
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class Version:
    """A registered version: ``number`` from 1, the run that registered it, its tags."""

    name: str
    number: int
    run_id: str | None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The validation score (lower is better); infinite when there is none."""
        try:
            value = float(self.tags.get(SCORE_TAG, "inf"))
        except ValueError:
            return math.inf
        return math.inf if math.isnan(value) else value


def as_version(found: ModelVersion) -> Version:
    """The part of MLflow's version that counts here."""
    return Version(found.name, int(found.version), found.run_id or None, dict(found.tags))


def ensure_registered(client: MlflowClient, name: str) -> None:
    """Make the registered model ``name`` unless there is one."""
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def version_for_alias(root: Path, name: str, alias: str) -> Version | None:
    """The version that ``alias`` of the model ``name`` stands for; None without such a model or alias."""
    if not has_store(root):
        return None
    with plainly(root):
        try:
            return as_version(connect(root).get_model_version_by_alias(name, alias))
        except MlflowException as error:
            if error.error_code in ABSENT:
                return None
            raise


def set_alias(root: Path, name: str, alias: str, number: int) -> None:
    """Let ``alias`` stand for version ``number``; "latest" and "v1" are reserved (``MlflowException``)."""
    connect(root).set_registered_model_alias(name, alias, str(number))


def _resolve(root: Path, uri: str) -> Version:
    problem = InputError(
        expected="a registered model such as models:/pairvae@champion",
        found="no such model, version or alias in the registry",
        where=uri,
        remedy="register one with: pairvae repro",
    )
    name, at, alias = uri.removeprefix("models:/").partition("@")
    if at:
        found = version_for_alias(root, name, alias)
        if found is None:
            raise problem
        return found
    name, _, number = name.partition("/")
    if not uri.startswith("models:/") or not number.isdigit():
        raise problem
    try:
        return as_version(connect(root).get_model_version(name, number))
    except MlflowException as error:
        if error.error_code in ABSENT:
            raise problem from error
        raise


def download(root: Path, uri: str) -> Path:
    """The folder of a registered model, ``models:/<name>@<alias>`` or ``models:/<name>/<number>``: read only.

    A local store's own folder; from a server, a copy that is kept in the project for the next time.
    ``InputError`` when the registry has no such model, or its files are gone.
    """
    found = _resolve(root, uri)
    client = connect(root)
    with plainly(root), as_default(root):
        place = client.get_model_version_download_uri(found.name, str(found.number))
        if place.startswith("models:/"):
            place = client.get_logged_model(place.removeprefix("models:/")).artifact_location
        check_place(place, tracking_uri(root), uri)
        folder = local_path(place)
        if folder is None:
            check_name(found.name, uri)
            folder = root / OWN_FILES / "models" / found.name / str(found.number)
            if not folder.is_dir():
                with atomic_folder(folder) as target:
                    _flatten(Path(mlflow.artifacts.download_artifacts(place, dst_path=str(target))), target)
    if not (folder / "MLmodel").is_file():
        raise InputError(
            expected="the files of a registered model",
            found="none",
            where=str(folder),
            remedy="after a move of the project run: pairvae doctor --fix-paths; else register again",
        )
    return folder


def check_place(place: str, registry: str, uri: str) -> None:
    """``InputError`` where the files of a model lie on another web server than the registry that names them."""
    there, here = urlsplit(place), urlsplit(registry)
    foreign = there.netloc and (there.hostname, there.port) != (here.hostname, here.port)
    if there.scheme in WEB and foreign:
        raise InputError(
            expected="files on the registry's own server",
            found=f"a place on {there.hostname}",
            where=uri,
            remedy="do not trust this version; register the model again",
        )


def check_name(name: str, uri: str) -> None:
    """``InputError`` for a model's name that cannot be that of a folder: a server chooses it."""
    if name in ("", ".", "..") or any(one in "/\\" or not one.isprintable() for one in name):
        raise InputError(expected="a model's name without folders", found=repr(name[:60]), where=uri)


def _flatten(arrived: Path, target: Path) -> None:
    """Bring what arrived in a folder below ``target`` up into it: MLflow keeps the last part of an address."""
    if arrived.resolve() == target.resolve():
        return
    aside = arrived.rename(target / ".arrived")  # it may hold a folder of its own name
    for entry in list(aside.iterdir()):
        shutil.move(entry, target / entry.name)
    aside.rmdir()


def program_file(root: Path, name: str, number: int) -> Path:
    """The pt2 file of a version that ``register_program`` made, for ``artifacts`` of ``register_pyfunc``."""
    return download(root, f"models:/{name}/{number}") / PROGRAM_FILE


def beats(score: float, data: str, champions: Sequence[Version | None]) -> bool:
    """Whether ``score`` (lower is better) takes the title from the champions, of which any may be missing."""
    if math.isnan(score):
        return False
    present = [champion for champion in champions if champion is not None]
    if len(present) < len(champions):
        return True
    if any(champion.tags.get(DATA_TAG, "") != data for champion in present):
        return True  # scores on other validation data say nothing about these
    # After a promotion that was killed half-way the scores differ, and the worst of them stands for all.
    return score < max(champion.score for champion in present)


def promote_if_better(
    root: Path, names: Sequence[str], versions: Mapping[str, int], score: float, *, validation_data: str = ""
) -> bool:
    """Alias the new ``versions`` as candidate and, if ``score`` is better, all together as champion (True).

    ``score``: on validation, lower is better; kept as the tag ``validation_score``. A tie keeps the champion,
    NaN never wins. ``validation_data`` names the data of the score (a hash): champions of other data are
    replaced.
    """
    client = connect(root)
    with store_lock(root), plainly(root):
        for name in names:
            number = str(versions[name])
            client.set_model_version_tag(name, number, SCORE_TAG, repr(float(score)))
            client.set_model_version_tag(name, number, DATA_TAG, validation_data)
            client.set_registered_model_alias(name, CANDIDATE, number)
        champions = {name: version_for_alias(root, name, CHAMPION) for name in names}
        better = beats(score, validation_data, list(champions.values()))
        if better:
            for name, before in champions.items():
                if before is not None:
                    client.set_model_version_tag(name, str(versions[name]), BEFORE_TAG, str(before.number))
                client.set_registered_model_alias(name, CHAMPION, str(versions[name]))
    return better
