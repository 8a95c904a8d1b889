"""Versions of registered models, the aliases that stand for them, and their files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pairvae.errors import InputError
from pairvae.store import digest
from pairvae.store.project_root import OWN_FILES, how_to_register, shown, store_name, tracking_uri
from pairvae.tracking.database import as_default, connect, has_store, plainly, store_lock
from pairvae.tracking.registry.model_files import (
    CONTENT_TAG,
    check_files,
    check_location,
    check_name,
    kept_copy,
)
from pairvae.tracking.relocate import check_here, local_path

PROGRAM_FILE = Path("data") / "model.pt2"
CANDIDATE, CHAMPION = "candidate", "champion"
SCORE_TAG, DATA_TAG, BEFORE_TAG = "validation_score", "validation_data", "champion_before"
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class Version:
    """A registered version: ``number`` from 1, the run that registered it, its tags.

    ``key`` names it for good: numbers begin anew where a registered model was deleted.
    """

    name: str
    number: int
    run_id: str | None
    tags: dict[str, str] = field(default_factory=dict)
    key: str = field(default="", compare=False)

    @property
    def score(self) -> float:
        """The validation score (lower is better); infinite when there is none."""
        try:
            value = float(self.tags.get(SCORE_TAG, "inf"))
        except ValueError:
            return math.inf
        return math.inf if math.isnan(value) else value


def as_version(entry: ModelVersion) -> Version:
    """Convert MLflow's model version."""
    key = f"{entry.model_id or entry.source} {entry.creation_timestamp}"
    return Version(entry.name, int(entry.version), entry.run_id or None, dict(entry.tags), key)


def ensure_registered(client: MlflowClient, name: str, description: str = "") -> None:
    """Make the registered model ``name`` unless there is one."""
    try:
        client.create_registered_model(name, description=description)
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


def resolve(root: Path, uri: str) -> Version:
    """The version that ``models:/<name>@<alias>`` or ``models:/<name>/<number>`` names (``InputError``: none)."""
    problem = InputError(
        expected="a registered model such as models:/pairvae@champion",
        found=f"no such model, version or alias in {store_name(root)}",
        where=uri,
        remedy=how_to_register(root),
    )
    name, at, alias = uri.removeprefix("models:/").partition("@")
    if at:
        version = version_for_alias(root, name, alias)
        if version is None:
            raise problem
        return version
    name, _, number = name.partition("/")
    if not uri.startswith("models:/") or not number.isdigit():
        raise problem
    try:
        return as_version(connect(root).get_model_version(name, number))
    except MlflowException as error:
        if error.error_code in ABSENT:
            raise problem from error
        raise


def location_of(client: MlflowClient, name: str, number: int | str) -> str:
    """The address of the files of a version."""
    location = str(client.get_model_version_download_uri(name, str(number)))
    if location.startswith("models:/"):
        location = str(client.get_logged_model(location.removeprefix("models:/")).artifact_location)
    return location


def download(root: Path, uri: str) -> Path:
    """The folder of a registered model, ``models:/<name>@<alias>`` or ``models:/<name>/<number>``: read only.

    A local store's own folder; from a server, a copy that is kept in the project for the next time, under the
    server's address and its id of the model. ``InputError`` when the registry has no such model, or its files are
    gone, are others than those registered, or lie in the folder that the project was copied from.
    """
    version = resolve(root, uri)
    client = connect(root)
    registry, expected = tracking_uri(root), version.tags.get(CONTENT_TAG)
    with plainly(root), as_default(root):
        location = location_of(client, version.name, version.number)
        check_location(location, registry, uri)
        folder = local_path(location)
        if folder is None:
            check_name(version.name, uri)
            key = digest([shown(registry), location, version.key])
            folder = kept_copy(root / OWN_FILES / "models" / version.name / key, location, expected)
        else:
            check_here(root, folder, uri)
    check_files(folder, expected, uri)
    return folder


def program_file(root: Path, name: str, number: int) -> Path:
    """The pt2 file of a version that ``register_program`` made, for ``artifacts`` of ``register_pyfunc``."""
    return download(root, f"models:/{name}/{number}") / PROGRAM_FILE


def comparable(data: str, champion: Version) -> bool:
    """Whether scores on validation data named ``data`` can be compared with the champion's."""
    return data != "" and champion.tags.get(DATA_TAG) == data


def beats(score: float, data: str, champions: Sequence[Version | None]) -> bool:
    """Whether ``score`` (lower is better) takes the title from the champions, of which any may be missing.

    Scores on other validation data, or from before these were recorded, say nothing: the champions stay.
    """
    present = [champion for champion in champions if champion is not None]
    if math.isnan(score) or not all(comparable(data, champion) for champion in present):
        return False
    if len(present) < len(champions):
        return True
    # After a promotion that was killed half-way the scores differ, and the worst of them stands for all.
    return score < max(champion.score for champion in present)


def promote_if_better(
    root: Path,
    names: Sequence[str],
    versions: Mapping[str, int],
    score: float,
    *,
    validation_data: str = "",
    beaten: Version | None = None,
) -> bool:
    """Alias the new ``versions`` as candidate and, if ``score`` is better, all together as champion (True).

    ``score``: on validation, lower is better; kept as the tag ``validation_score``. A tie keeps the champion,
    NaN never wins. ``validation_data`` names the data of the score (a hash): a champion of other data stays, unless
    it is ``beaten``: scored anew on these data, it was worse.
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
        if beaten is not None and not math.isnan(score):
            holder = champions.get(beaten.name)
            better |= holder is not None and holder.number == beaten.number
        if better:
            for name, before in champions.items():
                number = str(versions[name])
                if before is not None and before.number != versions[name]:
                    client.set_model_version_tag(name, number, BEFORE_TAG, str(before.number))
                client.set_registered_model_alias(name, CHAMPION, number)
    return better


def describe_version(root: Path, name: str, version: int, text: str) -> None:
    """Set the description of a version (Markdown; the UI shows it), at most 5,000 characters."""
    connect(root).update_model_version(name, str(version), description=text)
