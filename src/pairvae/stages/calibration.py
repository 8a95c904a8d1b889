"""How draws of a trained pair have to vary, measured on its training pairs and kept in its model folder's card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pairvae import store
from pairvae.errors import InputError
from pairvae.evaluation.spread import left_out, mixing
from pairvae.models.vae import VAE
from pairvae.stages.samples import covering
from pairvae.store.models import CARD, REMEDY, load_card
from pairvae.store.prepared import Prepared

KEY = "mixing"
LARGEST = 256  # training pairs that are looked at, evenly spread: the regressions' work grows with the cube
LEAST = 3  # training pairs of different groups


def write_mixing(folder: Path, prepared: Prepared, vaes: Mapping[str, VAE], rows: Sequence[int]) -> None:
    """Measure :func:`mixing_of` the training pairs ``rows``, where there is one, and keep it in a model's card."""
    found = mixing_of(prepared, vaes, rows)
    if found:
        kept = {name: [[float(value) for value in row] for row in factor] for name, factor in found.items()}
        store.write_json(folder / CARD, load_card(folder) | {KEY: kept})


def mixing_of(prepared: Prepared, vaes: Mapping[str, VAE], rows: Sequence[int]) -> dict[str, np.ndarray]:
    """Factor ``(C, C)`` of a whole array's posterior, by the name of its modality.

    How crops' latents lie around what a regression that was fitted to other training pairs predicts from the array's
    features: the encoder itself has seen all of them. Nothing for pairs of two whole arrays or two images, and with
    fewer than three groups of pairs.
    """
    name = covering(list(vaes))
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(LARGEST, len(rows))).round().astype(int))
    members = [rows[place] for place in chosen]
    groups = [prepared.pairs[row].group or prepared.pairs[row].id for row in members]
    if name is None or len(set(groups)) < LEAST:
        return {}
    (cropped,) = vaes.keys() - {name}
    whole, crops = prepared.whole(name), prepared.crops(cropped)
    patterns = [_encoded(vaes[name], np.array(whole[row])[None]) for row in members]
    images = [_encoded(vaes[cropped], np.array(crops[row], np.float32)[:, None]) for row in members]
    features, std = (_stacked([getattr(one, part) for one in patterns]) for part in ("features", "std"))
    mean, own = (_stacked([getattr(one, part) for one in images]) for part in ("mean", "std"))
    pooled = mean.mean(1)
    predicted = left_out(features.reshape(len(members), -1), pooled.reshape(len(members), -1), groups)
    residuals = mean - predicted.reshape(pooled.shape)[:, None]
    return {name: mixing(*(_at_places(part) for part in (residuals, own, std[:, 0])))}


@dataclass(frozen=True)
class _Encoded:
    """Features ``(B, ...)`` and a posterior ``(B, C, g, g)``."""

    features: Tensor
    mean: Tensor
    std: Tensor


@torch.inference_mode()
def _encoded(vae: VAE, arrays: np.ndarray) -> _Encoded:
    features = vae.encoder.features(torch.from_numpy(arrays))
    posterior = vae.posterior_of(features)
    return _Encoded(features, posterior.mean, posterior.std)


def _stacked(parts: Sequence[Tensor]) -> np.ndarray:
    """``(N, B, ...)`` float64."""
    return torch.stack(list(parts)).double().numpy()


def _at_places(latents: np.ndarray) -> np.ndarray:
    """``(..., C, g g)`` of latents ``(..., C, g, g)``."""
    return latents.reshape(*latents.shape[:-2], -1)


def read_mixing(card: Mapping[str, Any]) -> dict[str, Tensor]:
    """Factors by modality of a card; none for models that were trained before they were kept, or without.

    ``InputError`` for one that is not of the latent's channels, or not finite.
    """
    found = {name: torch.tensor(rows, dtype=torch.float32) for name, rows in card.get(KEY, {}).items()}
    for name, factor in found.items():
        channels = card["modalities"][name]["latent"]["channels"]
        if factor.shape != (channels, channels) or not bool(torch.isfinite(factor).all()):
            raise InputError(
                expected=f"{channels} x {channels} finite numbers",
                found=f"{' x '.join(map(str, factor.shape))} numbers",
                where=f"{CARD} of a trained pair, key {KEY}.{name}",
                remedy=REMEDY,
            )
    return found
