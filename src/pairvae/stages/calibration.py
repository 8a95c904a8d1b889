"""What is settled in closed form after a pair's training, on its training pairs.

The mean of the pattern's posterior (a part of the weights), and how draws have to vary (kept in the folder's card; what
decoded images say of it is in :mod:`pairvae.stages.draw_width`); the length scale of decoded textures is in
:mod:`pairvae.stages.length_scale`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pairvae import store
from pairvae.evaluation.ridge import ridge
from pairvae.evaluation.spread import left_out, mixing
from pairvae.inference.card import MIXING
from pairvae.models.compact import CompactEncoder
from pairvae.models.vae import VAE, Encoder, Posterior
from pairvae.numerics.rows import evenly_spread
from pairvae.stages.draw_width import PATTERNS, as_wide_as_crops
from pairvae.stages.training_inputs import covering
from pairvae.store.model_folder import CARD, load_card
from pairvae.store.prepared import Prepared

LARGEST = 256  # training pairs that are looked at, evenly spread: the regressions' work grows with the cube
LEAST = 3  # training pairs of different groups


def refit(prepared: Prepared, vaes: Mapping[str, VAE], rows: Sequence[int], share: float) -> None:
    """Let a ridge regression have a ``share`` in a whole array's posterior mean (Hoerl and Kennard 1970).

    It is fitted from the array's features (:func:`_weights`) to the mean latent of its crops, on the training pairs
    ``rows``. A network that was trained on a few dozen patterns knows these too well; a linear map errs less for new
    ones, and in another way. Nothing is changed for more than ``LARGEST`` pairs, which train a network well enough,
    for fewer than ``LEAST``, or where the encoder has no principal components.
    """
    name = covering(list(vaes))
    encoder = None if name is None else vaes[name].encoder
    few = LEAST <= len(rows) <= LARGEST
    if share == 0 or name is None or not isinstance(encoder, CompactEncoder) or not few:
        return
    features, _, mean, _ = _measured(prepared, vaes, name, rows)
    weight, bias = ridge(_flat(features), _flat(mean.mean(1))).affine()
    encoder.dense.blend(torch.from_numpy(weight * _weights(encoder)), torch.from_numpy(bias), share)


def write_mixing(
    folder: Path, prepared: Prepared, vaes: Mapping[str, VAE], rows: Sequence[int], seed: int
) -> None:
    """Measure :func:`factors_of` the training pairs ``rows``, where there are any, and keep them in a model's card."""
    found = factors_of(prepared, vaes, rows, seed)
    if found:
        kept = {name: [[float(value) for value in row] for row in factor] for name, factor in found.items()}
        store.write_json(folder / CARD, load_card(folder) | {MIXING: kept})


def factors_of(
    prepared: Prepared, vaes: Mapping[str, VAE], rows: Sequence[int], seed: int
) -> dict[str, np.ndarray]:
    """How draws have to vary, by the name of the modality that is drawn for: factors ``(C, C)``.

    :func:`mixing_of` says how latents do; along what decoded phase fractions follow, :func:`as_wide_as_crops` sets the
    width. What is decoded for that depends on ``seed``.
    """
    members, found = _looked_at(rows), {}
    for name, factor in mixing_of(prepared, vaes, rows).items():
        (cropped,) = vaes.keys() - {name}
        some = [members[place] for place in evenly_spread(len(members), PATTERNS)]
        patterns = _patterns(prepared, vaes[name], name, some)
        posterior = Posterior(
            *(torch.cat([getattr(one, part) for one in patterns]) for part in ("mean", "std"))
        )
        wanted = _variance_of_fractions(prepared, vaes, name, members)
        found[name] = as_wide_as_crops(vaes[cropped], posterior, factor, wanted, seed)
    return found


def mixing_of(prepared: Prepared, vaes: Mapping[str, VAE], rows: Sequence[int]) -> dict[str, np.ndarray]:
    """Factor ``(C, C)`` of a whole array's posterior, by the name of its modality.

    How crops' latents lie around what a regression that was fitted to other training pairs predicts from the array's
    features: the encoder itself has seen all of them. Nothing for pairs of two whole arrays or two images, and with
    fewer than three groups of pairs.
    """
    name = covering(list(vaes))
    members = _looked_at(rows)
    groups = _groups(prepared, members)
    if name is None or len(set(groups)) < LEAST:
        return {}
    features, std, mean, own = _measured(prepared, vaes, name, members)
    pooled = mean.mean(1)
    predicted = left_out(_flat(features), _flat(pooled), groups)
    residuals = mean - predicted.reshape(pooled.shape)[:, None]
    return {name: mixing(*(_at_places(part) for part in (residuals, own, std[:, 0])))}


def _variance_of_fractions(
    prepared: Prepared, vaes: Mapping[str, VAE], name: str, rows: Sequence[int]
) -> float:
    """Variance of crops' phase fractions around what a regression fitted to other pairs predicts from their array."""
    (cropped,) = vaes.keys() - {name}
    features = _features(vaes[name], _patterns(prepared, vaes[name], name, rows))
    fractions = np.array([np.array(prepared.crops(cropped)[row]).mean((1, 2)) for row in rows], np.float64)
    predicted = left_out(_flat(features), fractions.mean(1, keepdims=True), _groups(prepared, rows))
    return float(np.square(fractions - predicted).mean())


def _looked_at(rows: Sequence[int]) -> list[int]:
    return [rows[place] for place in evenly_spread(len(rows), LARGEST)]


def _groups(prepared: Prepared, rows: Sequence[int]) -> list[str]:
    return [prepared.pairs[row].group or prepared.pairs[row].id for row in rows]


def _measured(
    prepared: Prepared, vaes: Mapping[str, VAE], name: str, rows: Sequence[int]
) -> tuple[np.ndarray, ...]:
    """Features and deviations of whole arrays, ``(N, 1, ...)``, means and deviations of crops, ``(N, K, ...)``."""
    (cropped,) = vaes.keys() - {name}
    crops = prepared.crops(cropped)
    patterns = _patterns(prepared, vaes[name], name, rows)
    images = [_encoded(vaes[cropped], np.array(crops[row], np.float32)[:, None]) for row in rows]
    mean, own = (_stacked([getattr(one, part) for one in images]) for part in ("mean", "std"))
    return _features(vaes[name], patterns), _stacked([one.std for one in patterns]), mean, own


def _patterns(prepared: Prepared, vae: VAE, name: str, rows: Sequence[int]) -> list[_Encoded]:
    whole = prepared.whole(name)
    return [_encoded(vae, np.array(whole[row])[None]) for row in rows]


def _features(vae: VAE, patterns: Sequence[_Encoded]) -> np.ndarray:
    """What regressions see of whole arrays, ``(N, 1, ...)``."""
    features: np.ndarray = _stacked([one.features for one in patterns]) * _weights(vae.encoder)
    return features


def _weights(encoder: Encoder) -> np.ndarray:
    """What a regression multiplies an encoder's features by: ``(K,)``, or 1 where they are no principal components.

    The scores of N patterns in N - 1 whitened components are all equally far from each other and tell a regression
    nothing. Square roots of the standard deviations undo half of the whitening: what differs most between patterns
    counts most, and the weak components, in which few patterns give mostly noise, count little.
    """
    if not isinstance(encoder, CompactEncoder):
        return np.ones(1)
    spread = encoder.spread.double().cpu().numpy()
    return np.asarray(np.sqrt(spread / spread.max()))


def _flat(values: np.ndarray) -> np.ndarray:
    """``(N, D)``."""
    return values.reshape(len(values), -1)


@dataclass(frozen=True)
class _Encoded:
    """Features ``(B, ...)`` and a posterior ``(B, C, g, g)``."""

    features: Tensor
    mean: Tensor
    std: Tensor


@torch.inference_mode()
def _encoded(vae: VAE, arrays: np.ndarray) -> _Encoded:
    place = next(vae.parameters()).device
    features = vae.encoder.features(torch.from_numpy(arrays).to(place))
    posterior = vae.posterior_of(features)
    return _Encoded(features.cpu(), posterior.mean.cpu(), posterior.std.cpu())


def _stacked(parts: Sequence[Tensor]) -> np.ndarray:
    """``(N, B, ...)`` float64."""
    return torch.stack(list(parts)).double().numpy()


def _at_places(latents: np.ndarray) -> np.ndarray:
    """``(..., C, g g)`` of latents ``(..., C, g, g)``."""
    return latents.reshape(*latents.shape[:-2], -1)
