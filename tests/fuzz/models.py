"""A whole model folder of networks that were never trained, small enough to be loaded a thousand times."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pairvae.inference.out_of_distribution import familiar_arrays
from pairvae.inference.summary_file import FILE as FACTS
from pairvae.inference.summary_file import packed
from pairvae.inference.training_summary import TrainingSummary
from pairvae.modalities import MODALITIES
from pairvae.models.build import build_vae, describe
from pairvae.settings import resolve
from pairvae.store.files import file_digest
from pairvae.store.model_folder import CARD, HISTORY, WEIGHTS, save_model
from pairvae.store.tensors import save_tensors

TINY = {
    "latent": {"channels": 2},
    "saxs": {"prepare": {"size": 32}, "network": {"components": 2, "width": 4}},
    "sem": {"network": {"components": 2, "width": 4, "noise_channels": 2, "block_widths": [2, 2, 2]}},
}


def write_model(folder: Path) -> Path:
    """A model folder as `train pair` leaves it."""
    settings = resolve(TINY)
    shapes = {"saxs": (3, 32, 32), "sem": (1, settings.sem.prepare.crop, settings.sem.prepare.crop)}
    described, weights = {}, {}
    for number, (name, shape) in enumerate(shapes.items()):
        section = settings.modality(name)
        vae = build_vae(section.network, settings.latent, shape, number)
        weights |= {f"{name}.{key}": value for key, value in vae.state_dict().items()}
        prepare = section.prepare.model_dump(mode="json")
        described[name] = describe(section.network, settings.latent, shape)
        described[name] |= {"prepare": prepare, "binary": MODALITIES[name].binary}
    card = {"pairvae": "0.1.0", "stage": "train-pair", "modalities": described, "epochs": 1}
    save_model(folder, weights, card, [{"total": 3.5}, {"total": 2.5}])
    arrays = np.random.default_rng(0).random((5, *shapes["saxs"]), dtype=np.float32)
    familiar, latents = familiar_arrays(arrays), np.zeros((5, 2, 1, 1), np.float32)
    assert familiar is not None
    ids, kinds = tuple("abcde"), (None,) * 5
    facts = TrainingSummary({"saxs": familiar}, {"saxs": latents, "sem": latents.copy()}, ids, kinds)
    save_tensors(folder / FACTS, *packed(facts))
    return folder


def fit_card(folder: Path) -> None:
    """Write the hash of the weights that are there into the card, as somebody who forges a model would."""
    card = json.loads((folder / CARD).read_text())
    card["weights_sha256"] = file_digest(folder / WEIGHTS)
    (folder / CARD).write_text(json.dumps(card))


__all__ = ["CARD", "FACTS", "HISTORY", "WEIGHTS", "fit_card", "write_model"]
