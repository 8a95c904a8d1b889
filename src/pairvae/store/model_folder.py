"""Model folders: ``weights.safetensors``, ``card.json`` (its making), ``history.csv`` (losses by epoch)."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from pairvae.errors import InputError
from pairvae.store.files import atomic_folder, file_digest, read_json, require_digest, write_json, write_text
from pairvae.store.tensors import load_tensors, save_tensors

WEIGHTS, CARD, HISTORY = "weights.safetensors", "card.json", "history.csv"
DISCRIMINATORS = "discriminators.safetensors"  # where a training ends, for one that goes on from it
DISCRIMINATORS_HASH = "discriminators_sha256"  # in a card
FILES = "files_sha256"  # in a card: hashes of what lies beside the weights
PRIOR = "prior"  # names the model that ships with the package (docs/prior.md)
FORMAT = 2  # of a model folder; a change that older versions of pairvae would misread counts it up
REMEDY = "run its stage again with `pairvae repro`"


@dataclass(frozen=True)
class StoredModel:
    """Weights by name and the card that says how to build the network around them."""

    weights: dict[str, Tensor]
    card: dict[str, Any]


def prior_folder() -> Path:
    """The model folder of the prior."""
    return Path(__file__).parents[1] / "prior"


def save_model(
    folder: Path,
    weights: Mapping[str, Tensor],
    card: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    extra: Sequence[Path] = (),
    discriminators: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a whole model folder, atomically; ``extra`` files are copied into it under their own names.

    ``discriminators`` are no part of the model: they lie beside it for trainings that start from it, and
    :func:`copy_model` leaves them out.
    """
    with atomic_folder(folder) as temporary:
        for file in extra:
            shutil.copyfile(file, temporary / file.name)
        save_tensors(temporary / WEIGHTS, weights, {})
        hashed = {"format": FORMAT, **card, "weights_sha256": file_digest(temporary / WEIGHTS)}
        if extra:
            hashed[FILES] = {file.name: file_digest(temporary / file.name) for file in extra}
        if discriminators:
            save_tensors(temporary / DISCRIMINATORS, discriminators, {})
            hashed[DISCRIMINATORS_HASH] = file_digest(temporary / DISCRIMINATORS)
        write_json(temporary / CARD, hashed)
        write_text(temporary / HISTORY, history_text(history))


def copy_model(folder: Path, target: Path, card: Mapping[str, Any]) -> Path:
    """Copy the model folder of ``card`` to ``target``, and nothing else that lies in it; returns ``target``.

    A model that is there is replaced. ``InputError`` where ``target`` holds something else, or ``folder`` holds
    another model than that of ``card`` by now.
    """
    model_files = {WEIGHTS, CARD, HISTORY, DISCRIMINATORS}
    if target.exists() and not target.is_dir():
        raise InputError(expected="a folder", found="a file", where=str(target))
    inside = {path.name for path in target.iterdir()} if target.is_dir() else set()
    kept = load_card(target).get(FILES, {}) if CARD in inside else {}
    foreign = sorted(inside - model_files - set(kept if isinstance(kept, dict) else {}))
    if inside and (CARD not in inside or foreign):
        raise InputError(
            expected="a new or empty folder, or one of a saved model",
            found=f"one with {(foreign or sorted(inside))[0]}",
            where=str(target),
            remedy="choose another folder",
        )
    if load_model(folder).card.get("weights_sha256") != card.get("weights_sha256"):
        raise InputError(
            expected="the model that was loaded",
            found="another one, trained since",
            where=str(folder),
            remedy="load it again",
        )
    with atomic_folder(target) as temporary:
        for name in (WEIGHTS, CARD, HISTORY, *load_card(folder).get(FILES, {})):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, temporary / name)
    return target


def add_file(folder: Path, name: str) -> None:
    """Write the hash of a further file of a model folder into its card: from then on it has to fit."""
    card = load_card(folder)
    write_json(folder / CARD, {**card, FILES: {**card.get(FILES, {}), name: file_digest(folder / name)}})


def load_card(folder: Path) -> dict[str, Any]:
    """The card of a model folder (``InputError`` when there is none)."""
    path = folder / CARD
    if not path.is_file():
        raise InputError(expected="a trained model", found="none", where=str(folder), remedy=REMEDY)
    card = read_json(path, "a JSON card", REMEDY)
    _check_format(card, path)
    return card


def _check_format(card: Mapping[str, Any], path: Path) -> None:
    """``InputError`` for a model folder that a later version of pairvae wrote in another way."""
    written_format = card.get("format", FORMAT)
    if (
        isinstance(written_format, int)
        and not isinstance(written_format, bool)
        and 1 <= written_format <= FORMAT
    ):
        return
    raise InputError(
        expected=f"a model folder of format {FORMAT} or lower",
        found=f"{written_format!r}, written by pairvae {card.get('pairvae', 'of an unknown version')}",
        where=str(path),
        remedy="install that version of pairvae (pip install --upgrade pairvae)",
    )


def load_model(folder: Path) -> StoredModel:
    """Weights and card (``InputError`` when the weights, or further files, are not those of the card)."""
    card = load_card(folder)
    require_digest(folder / WEIGHTS, card.get("weights_sha256"), "weights", REMEDY)
    others = card.get(FILES, {})
    if not isinstance(others, dict) or any(Path(name).name != name for name in others):
        found = f"{str(others)[:60]!r}"
        raise InputError(expected="hashes of files in the folder", found=found, where=str(folder / CARD))
    for name, expected in others.items():
        require_digest(folder / name, expected, "a file", REMEDY)
    return StoredModel(load_tensors(folder / WEIGHTS)[0], card)


def load_discriminators(folder: Path) -> dict[str, Tensor]:
    """The discriminators that a training left beside its model; none in a copy of a model.

    ``InputError`` where the file is not the one that the training wrote.
    """
    if not (folder / DISCRIMINATORS).is_file():
        return {}
    require_digest(
        folder / DISCRIMINATORS, load_card(folder).get(DISCRIMINATORS_HASH), "discriminators", REMEDY
    )
    return load_tensors(folder / DISCRIMINATORS)[0]


def history_text(history: Sequence[Mapping[str, float]]) -> str:
    """CSV of the rows of a training: ``epoch``, then the losses at its end; nan where a round had none of a kind."""
    out = io.StringIO()
    columns = dict.fromkeys(key for row in history for key in row) or ["epoch"]
    writer = csv.DictWriter(out, list(columns), restval="nan", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return out.getvalue()


def read_history(folder: Path) -> list[dict[str, float]]:
    """The losses by epoch of a model folder; empty where none were written."""
    path = folder / HISTORY
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]
    except (ValueError, TypeError, csv.Error) as error:  # a short row reads as None, a long one as a list
        raise InputError(
            expected="a table of numbers", found=str(error), where=str(path), remedy=REMEDY
        ) from error
