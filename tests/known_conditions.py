"""A copy of a trained pair that knows conditions: a number and a word that move the posterior of patterns."""

import shutil
from pathlib import Path

import numpy as np

from pairvae.models.conditions import CARD_KEY, ConditionEncoding, ConditionShift
from pairvae.store import read_json, write_json

ENCODING = ConditionEncoding(numbers={"pitch_nm": (40.0, 2.0)}, words={"blend": {"A": 0.25, "B": 0.75}})


def with_conditions(model: Path, copy: Path) -> Path:
    """``copy``, a new folder with the model and the conditions of ``ENCODING``, which move every latent by 0.5."""
    shutil.copytree(model, copy)
    card = read_json(copy / "card.json")
    latent = card["modalities"]["saxs"]["latent"]
    shape = (ENCODING.width, latent["channels"], latent["grid"], latent["grid"])
    shift = ConditionShift("saxs", ENCODING, np.full(shape, 0.5))
    write_json(copy / "card.json", card | {CARD_KEY: shift.card()})
    return copy
