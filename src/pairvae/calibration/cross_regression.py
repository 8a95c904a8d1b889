"""Blend the latent that the pattern's decoder gets of an image with a ridge regression on the image's statistics.

Latents of crops have to tell what the crops look like. Their pattern follows from less, and on some films a regression
predicts it better than a network that was trained on few pairs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from pairvae.calibration.correction import CalibrationData, Correction
from pairvae.calibration.latents import Latents, feature_weights, flat, left_out_by_network
from pairvae.models.levels import LevelDecoder
from pairvae.models.pair import PairVAE
from pairvae.models.texture import TextureEncoder
from pairvae.models.vae import WHOLE
from pairvae.numerics.ridge import cross_val_predict, ridge
from pairvae.settings import CalibrationSettings

LARGEST = 256  # training pairs: more train a network well enough
ROWS = 1024  # crops that the regression for single crops is fitted to: the work grows with their cube
SHARES = np.linspace(0.0, 1.0, 11)  # of the regression, that are tried
STEP = Correction(
    "cross_regression",
    "mean squared error of the component scores of left-out patterns, from whole images",
    "share of a ridge regression in the latent for the pattern's decoder",
)
OF_CROPS = Correction(
    "cross_regression_of_crops",
    "mean squared error of the component scores of left-out patterns, from single crops",
    STEP.knob,
)


def correct(
    pair: PairVAE, latents: Latents, data: CalibrationData, settings: CalibrationSettings
) -> Iterator[Correction]:
    """Add heads toward the pattern to the encoder of crops: one for means over the crops of an image, one for a crop.

    A ridge regression is fitted from features to the posterior mean of the sample's pattern. Its share in a head is the
    one with the least error of left-out pairs; where that is 0 there is no head.
    """
    encoder, decoder = pair.vae(latents.cropped).encoder, pair.vae(latents.whole).decoder
    encoder.toward.clear()
    reason = ""
    if not settings.cross_regression:
        reason = "switched off"
    elif not isinstance(encoder, TextureEncoder):
        reason = "the encoder of images has no texture statistics"
    elif not isinstance(decoder, LevelDecoder):
        reason = "the decoder has no components of intensity levels"
    elif latents.pairs > LARGEST:
        reason = f"more than {LARGEST} training pairs"
    if reason or not isinstance(encoder, TextureEncoder) or not isinstance(decoder, LevelDecoder):
        yield STEP.skipped(reason, latents.whole)
        return
    scores = decoder.project(_tensor(np.concatenate(list(data.arrays[latents.whole])), decoder.basis))
    crops = latents.crop_features[:, : max(1, ROWS // len(scores))]
    heads = {
        latents.whole + WHOLE: (STEP, latents.crop_features.mean(1, keepdims=True)),
        latents.whole: (OF_CROPS, crops),
    }
    for key, (step, features) in heads.items():
        yield _add_head(encoder, decoder, key, features, (latents, scores.double().cpu().numpy(), step))


@torch.no_grad()
def _add_head(
    encoder: TextureEncoder,
    decoder: LevelDecoder,
    key: str,
    features: np.ndarray,
    known: tuple[Latents, np.ndarray, Correction],
) -> Correction:
    """Fit one head to features ``(N, V, F)`` of V views of each sample; ``known`` are their component scores too."""
    latents, scores, step = known
    count, views, _ = features.shape
    owner = np.repeat(np.arange(count), views)
    rows = _tensor(features.reshape(count * views, -1), decoder.basis)
    weights, target = feature_weights(encoder), flat(latents.mean)
    inputs = rows.double().cpu().numpy() * weights
    groups = [group for group in latents.groups for _ in range(views)]
    alpha = ridge(inputs, scores, owner).alpha  # what counts is the pattern, not each element of its latent
    regression = cross_val_predict(inputs, target[owner], groups, [alpha])
    given = encoder.head(rows).chunk(2, dim=1)[0].flatten(1).double().cpu().numpy()
    hidden = encoder.last_hidden(rows).double().cpu().numpy()
    network = left_out_by_network(hidden, given, target[owner], groups, count / latents.pairs)

    def error(share: float) -> float:
        blended = _tensor((1 - share) * network + share * regression, decoder.basis)
        found = decoder.scores(blended).double().cpu().numpy()
        return float(np.square(found - scores[owner]).mean())

    errors = [error(share) for share in SHARES]
    best = int(np.argmin(errors))
    if best:
        weight, bias = ridge(inputs, target, owner, [alpha]).affine()
        head = copy.deepcopy(encoder.dense)
        head.blend(torch.from_numpy(weight * weights), torch.from_numpy(bias), float(SHARES[best]))
        encoder.toward[key] = head
    return step.taken(
        latents.whole, target=0.0, before=errors[0], after=errors[best], value=float(SHARES[best])
    )


def _tensor(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(values).to(like)
