"""Whether a model folder says what it must, before anything is built from it: it may come from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError, reason
from pairvae.modalities import MODALITIES
from pairvae.predictor import Predictor
from pairvae.store.models import CARD, REMEDY

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
    """``InputError`` for entries of the file ``path`` that are not those of ``expected``."""
    try:
        yield
    except InputError:
        raise
    except UNFIT as error:
        found = f"another one ({type(error).__name__}: {reason(error, lines=3)})"
        raise InputError(expected=expected, found=found, where=str(path), remedy=REMEDY) from error


def check_card(card: Mapping[str, Any], folder: Path) -> None:
    """``InputError`` unless the card names known modalities and how each of them is prepared."""
    path = folder / CARD
    with refusing("the card of a trained model", path):
        modalities: Mapping[str, Mapping[str, Any]] = card["modalities"]
        unknown = [name for name in modalities if name not in MODALITIES]
        if unknown or not modalities:
            found = f"{unknown[0][:40]!r}" if unknown else "none"
            raise InputError(expected=f"modalities: {', '.join(MODALITIES)}", found=found, where=str(path))
        for name, entry in modalities.items():
            MODALITIES[name].settings.model_validate(entry["prepare"])
            if not isinstance(entry.get("binary", True), bool):
                raise TypeError(f"binary is {entry['binary']!r}")
            highest = entry.get("measured", {}).get("highest_intensity")
            if highest is not None and not 0 < float(highest) < np.inf:
                raise ValueError(f"highest_intensity is {highest!r}")


def check_facts(predictor: Predictor, path: Path) -> None:
    """``InputError`` unless what a model knows of its training data fits the model: tried on blank arrays."""
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
        if facts.scattering is not None:
            predictor.shape(facts.scattering.image)
            expected = predictor.shape(facts.scattering.pattern)[1:]
            if facts.scattering.mask.shape != expected:
                raise ValueError(f"a mask of shape {facts.scattering.mask.shape}")
