"""Where a training starts from: the weights of another project's model, for transfer to few pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from pairvae.errors import InputError
from pairvae.models.build import SCALE_TRIL, load_weights
from pairvae.models.vae import VAE
from pairvae.settings import flatten
from pairvae.store.model_folder import load_model

OF_FILES = frozenset({"prepare.q_unit"})  # how files are read: weights mean the same
MEASURED = "measured."


@dataclass(frozen=True)
class Start:
    """Weights ``{name: tensor}`` of one modality's VAE, its frozen parts included, and the digest of their file."""

    weights: dict[str, Tensor]
    digest: str


def starting_weights(folder: Path, name: str, description: Mapping[str, Any], key: str) -> Start:
    """The weights of modality ``name`` in a model folder of any project.

    ``description`` says what is to be trained: its network, latent space, shape and preprocessing; ``InputError``
    where the model's differ, since its weights would mean something else; ``key`` is the setting at fault.
    """
    stored = load_model(folder)
    described = stored.card["modalities"].get(name)
    if described is None:
        raise InputError(
            expected=f"a model of {name}",
            found=", ".join(stored.card["modalities"]) or "a left out one",
            where=str(folder),
            remedy=f"change {key} in params.yaml",
        )
    wanted, found = flatten(dict(description)), flatten(described)
    for part in sorted(wanted.keys() | found.keys()):
        if (
            part not in OF_FILES
            and not part.startswith(MEASURED)
            and _plain(wanted.get(part)) != _plain(found.get(part))
        ):
            raise InputError(
                expected=f"a model with {name} {part} {wanted.get(part)}",
                found=str(found.get(part)),
                where=str(folder),
                remedy=f"change {key} in params.yaml, or the settings of {name}",
            )
    own = {
        label.removeprefix(f"{name}."): value
        for label, value in stored.weights.items()
        if label.startswith(f"{name}.")
        and label != f"{name}.{SCALE_TRIL}"  # that of the other training pairs
    }
    return Start(own, stored.card["weights_sha256"])


def begin_from(
    project_folder: Path, vae: VAE, name: str, model: str | None, description: Mapping[str, Any], key: str
) -> str | None:
    """Put the weights of ``model``, a path from the project's folder, into a VAE; returns their digest, if any."""
    if model is None:
        return None
    start = starting_weights(project_folder / model, name, description, key)
    load_weights(vae, start.weights, model)
    return start.digest


def _plain(value: object) -> object:
    """As JSON has it: a tuple is a list."""
    return list(value) if isinstance(value, tuple) else value
