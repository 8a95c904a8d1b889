"""A trained pair from a model folder or from the registry."""

from __future__ import annotations

import sys
from pathlib import Path

from pairvae.errors import InputError
from pairvae.inference.card import check_training_summary, load_vaes
from pairvae.inference.predictor import Predictor
from pairvae.inference.summary_file import FILE as FACTS
from pairvae.inference.summary_file import read_training_summary
from pairvae.store.files import read_json
from pairvae.store.model_folder import CARD
from pairvae.store.project_root import own_model, pair_name, project_root

REGISTRY = "models:/"
CHAMPION = f"{REGISTRY}pairvae@champion"


def load(location: str | Path, root: Path | None = None) -> Predictor:
    """The pair at ``location``: a model folder, or ``models:/<name>@<alias>`` or ``models:/<name>/<version>``.

    ``root`` is the project whose registry is asked (the one around the current folder by default). Weights come from
    safetensors; nothing is unpickled and no code of the model is run. ``InputError`` where there is no such model,
    or where its files are not those that were registered.
    """
    text = str(location)
    if text.startswith(REGISTRY):
        project = project_root(root)
        folder = model_folder(project, text)
        if root is None and (line := _undecided(project, text)) is not None:
            print(line, file=sys.stderr)
    else:
        folder = Path(location)
    vaes, card = load_vaes(folder)
    predictor = Predictor(vaes, card, read_training_summary(folder), folder.absolute())
    check_training_summary(predictor, folder / FACTS)
    return predictor


def pinned(uri: str, root: Path) -> str:
    """A registered model's address by number, for processes that load it later: an alias may move.

    Parameters
    ----------
    uri : str
        As for :func:`load`.
    root : Path
        The project whose registry is asked.

    Returns
    -------
    str
        With a version's number in place of its alias.

    Raises
    ------
    InputError
        Where there is no such model.
    """
    uri = own_model(root, uri)
    if "@" not in uri:
        return uri
    from pairvae.tracking.registry.aliases import resolve

    version = resolve(root, uri)
    return f"{REGISTRY}{version.name}/{version.number}"


def _undecided(root: Path, uri: str) -> str | None:
    """A line where the champion could not be compared with the project's own model, which is of other data."""
    path = root / "models" / "registered.json"
    if uri != CHAMPION or not path.is_file():
        return None
    record = read_json(path)
    if not record.get("undecided"):
        return None
    last, used = record.get("versions", {}).get(pair_name(root)), pinned(uri, root).rpartition("/")[2]
    if last is None or used == str(last):
        return None
    return (
        f"{uri} is version {used}, of other data than this project's own model, version {last}; "
        f"to use that: --model models:/pairvae/{last}, or pairvae register --promote {last} --force --why TEXT"
    )


def model_folder(root: Path, uri: str) -> Path:
    """The model folder within a registered pair: that version's, whatever is registered later.

    Parameters
    ----------
    root : Path
        The project whose registry is asked.
    uri : str
        As for :func:`load`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        As from :func:`load`.
    """
    from pairvae.tracking.registry.aliases import download

    folders = sorted(path.parent for path in download(root, own_model(root, uri)).rglob(CARD))
    if not folders:
        raise InputError(
            expected="a whole pair, registered as `pairvae`", found="another kind of model", where=uri
        )
    return folders[0]
