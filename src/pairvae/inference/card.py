"""Whether a model folder says what it must, before anything is built from it: it may come from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pairvae.errors import InputError, reason
from pairvae.inference.backbone import give_backbone
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES
from pairvae.models.conditions import shift_of_card
from pairvae.models.joint import joints_of_card
from pairvae.models.vae import VAE
from pairvae.models.weights import SCALE_TRIL, trained
from pairvae.store.model_folder import CARD, REMEDY, load_model

MIXING = "mixing"  # entry of cards of format 1: `scale_tril` by modality, which is among the weights today
# What reading an entry that is missing, or of another kind or size, raises
UNFIT = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    RuntimeError,
    OverflowError,
    ZeroDivisionError,
)


@contextmanager
def refusing(expected: str, path: Path) -> Iterator[None]:
    """Turn what a file's entries raise within the block into an ``InputError``.

    Parameters
    ----------
    expected : str
        What the file should hold.
    path : Path
        The file.

    Raises
    ------
    InputError
        For entries that are missing, or of another kind or size.
    """
    try:
        yield
    except InputError:
        raise
    except UNFIT as error:
        description = f"another one ({type(error).__name__}: {reason(error, lines=3)})"
        raise InputError(expected=expected, found=description, where=str(path), remedy=REMEDY) from error


def check_card(card: Mapping[str, Any], folder: Path) -> None:
    """Refuse a card that does not name known modalities and how each of them is prepared.

    Parameters
    ----------
    card : mapping
        Of a model folder.
    folder : Path
        The folder, for the message.

    Raises
    ------
    InputError
        It names what is unknown or unfit.
    """
    path = folder / CARD
    with refusing("the card of a trained model", path):
        modalities: Mapping[str, Mapping[str, Any]] = card["modalities"]
        unknown = [name for name in modalities if name not in MODALITIES]
        if unknown or not modalities:
            unknown_format = f"{unknown[0][:40]!r}" if unknown else "none"
            raise InputError(
                expected=f"modalities: {', '.join(MODALITIES)}", found=unknown_format, where=str(path)
            )
        for name, entry in modalities.items():
            MODALITIES[name].settings.model_validate(entry["prepare"])
            if not isinstance(entry.get("binary", True), bool):
                raise TypeError(f"binary is {entry['binary']!r}")
            highest = entry.get("measured", {}).get("highest_intensity")
            if highest is not None and not 0 < float(highest) < np.inf:
                raise ValueError(f"highest_intensity is {highest!r}")
        shift_of_card(card)
        joints_of_card(card)


def check_training_summary(predictor: Predictor, path: Path) -> None:
    """Refuse a summary of training data that does not fit the model: it is tried on blank arrays.

    Parameters
    ----------
    predictor : Predictor
        With the summary, or without one.
    path : Path
        Its file, for the message.

    Raises
    ------
    InputError
        It names what does not fit.
    """
    facts = predictor.facts
    if facts is None:
        return
    with refusing("facts about the training data of this model", path):
        for name in facts.familiar:
            predictor.confidence(np.zeros(predictor.shape(name), np.float32), name)
        for name, latents in facts.latents.items():
            predictor.shape(name)
            if len(latents) != len(facts.ids) or len(facts.ids) != len(facts.morphologies):
                raise ValueError(f"{len(latents)} latents of {len(facts.ids)} pairs")
        if facts.micrographs is not None and len(facts.micrographs) != len(facts.ids):
            raise ValueError(f"{len(facts.micrographs)} micrographs of {len(facts.ids)} pairs")
        if facts.scattering is not None:
            predictor.shape(facts.scattering.image)
            expected = predictor.shape(facts.scattering.pattern)[1:]
            if facts.scattering.mask.shape != expected:
                raise ValueError(f"a mask of shape {facts.scattering.mask.shape}")


def load_vaes(folder: Path) -> tuple[dict[str, VAE], dict[str, Any]]:
    """The trained VAEs of a model folder.

    Parameters
    ----------
    folder : Path
        The model folder.

    Returns
    -------
    tuple of dict
        The VAEs by modality, in evaluation mode, and the card.

    Raises
    ------
    InputError
        Where the folder has no trained model, or one whose card and weights do not fit.
    """
    stored = load_model(folder)
    if "left_out" in stored.card:
        raise InputError(
            expected="a trained model", found=f"none: {stored.card['left_out']}", where=str(folder)
        )
    vaes: dict[str, VAE] = {}
    check_card(stored.card, folder)
    with refusing("the card of a trained model", folder):
        covariances = _covariances_of_card(stored.card)
    for name, description in stored.card["modalities"].items():
        prefixed = {key: value for key, value in stored.weights.items() if key.startswith(f"{name}.")}
        weights = without_prefix(prefixed, name) | covariances.get(name, {})
        vaes[name] = trained(description, weights, str(folder))
        vaes[name].eval()
    give_backbone(vaes.values(), folder)
    return vaes, stored.card


def without_prefix(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The weights of one modality under their own names.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Under names that begin with that of the modality and a dot.
    name : str
        Of the modality.

    Returns
    -------
    dict of str to Tensor
        All of them.
    """
    return {key.removeprefix(f"{name}."): value for key, value in weights.items()}


def _covariances_of_card(card: Mapping[str, Any]) -> dict[str, dict[str, Tensor]]:
    """Weights ``scale_tril`` by modality of a card of format 1; none for other cards.

    ``InputError`` for one that is not of the latent's channels, or not finite.
    """
    covariances = {
        name: torch.tensor(rows, dtype=torch.float32) for name, rows in card.get(MIXING, {}).items()
    }
    for name, factor in covariances.items():
        channels = card["modalities"][name]["latent"]["channels"]
        if factor.shape != (channels, channels) or not bool(torch.isfinite(factor).all()):
            raise InputError(
                expected=f"{channels} x {channels} finite numbers",
                found=f"{' x '.join(map(str, factor.shape))} numbers",
                where=f"{CARD} of a trained pair, key {MIXING}.{name}",
                remedy=REMEDY,
            )
    return {name: {SCALE_TRIL: factor} for name, factor in covariances.items()}
