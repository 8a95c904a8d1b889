"""A trained pair from a model folder or from the registry."""

from __future__ import annotations

from pathlib import Path

from pairvae.errors import InputError
from pairvae.predictor import Predictor
from pairvae.stages.model_card import check_facts, load_vaes
from pairvae.stages.training_facts import FILE as FACTS
from pairvae.stages.training_facts import read_training_facts
from pairvae.store.models import CARD
from pairvae.tracking.roots import project_root

REGISTRY = "models:/"


def load(location: str | Path, root: Path | None = None) -> Predictor:
    """The pair at ``location``: a model folder, or ``models:/<name>@<alias>`` or ``models:/<name>/<version>``.

    ``root`` is the project whose registry is asked (the one around the current folder by default). Weights come from
    safetensors; nothing is unpickled and no code of the model is run. ``InputError`` where there is no such model,
    or where its files are not those that were registered.
    """
    text = str(location)
    if text.startswith(REGISTRY):
        folder = model_folder(project_root(root), text)
    else:
        folder = Path(location)
    vaes, card = load_vaes(folder)
    predictor = Predictor(vaes, card, read_training_facts(folder))
    check_facts(predictor, folder / FACTS)
    return predictor


def model_folder(root: Path, uri: str) -> Path:
    """The model folder within a registered pair of the project ``root``: that version's, whatever is registered later.

    ``InputError`` as :func:`load`.
    """
    from pairvae.tracking.aliases import download

    found = sorted(path.parent for path in download(root, uri).rglob(CARD))
    if not found:
        raise InputError(
            expected="a whole pair, registered as `pairvae`", found="another kind of model", where=uri
        )
    return found[0]
