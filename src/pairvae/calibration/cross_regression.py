"""Blend the patterns that are decoded for images with a ridge regression on the images' statistics.

On films that nothing was tuned to, a regression predicts patterns better than a network that was trained on few pairs.
So it gets a share in the component scores that the pattern's decoder adds up.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from pairvae.calibration.correction import CalibrationData, Correction
from pairvae.calibration.latents import Latents, feature_weights, flat, left_out_by_network
from pairvae.models.levels import LevelDecoder
from pairvae.models.pair import PairVAE
from pairvae.models.texture import TextureEncoder
from pairvae.models.vae import WHOLE, ScoreRegression
from pairvae.numerics.ridge import cross_val_predict, ridge
from pairvae.settings import CalibrationSettings

LARGEST = 256  # training pairs: more train a network well enough
ROWS = 1024  # crops that the regression for single crops is fitted to: the work grows with their cube
SHARES = np.linspace(0.0, 1.0, 11)  # of the regression, that are tried
STEP = Correction(
    "cross_regression",
    "mean squared error of the component scores of left-out patterns, from whole images",
    "share of a ridge regression in the component scores",
)
OF_CROPS = Correction(
    "cross_regression_of_crops",
    "mean squared error of the component scores of left-out patterns, from single crops",
    STEP.knob,
)


def correct(
    pair: PairVAE, latents: Latents, data: CalibrationData, settings: CalibrationSettings
) -> Iterator[Correction]:
    """Add two regressions toward the pattern to the encoder of crops: on the mean features of an image, and of a
    crop.

    Each predicts component scores of the sample's pattern from features. Its share is the one with the least
    error of left-out pairs; where that is 0 there is no regression.

    Parameters
    ----------
    pair : PairVAE
        The pair; its encoder of crops gets the regressions.
    latents : Latents
        Of the training pairs.
    data : CalibrationData
        The same pairs, for the patterns.
    settings : CalibrationSettings
        Whether the step is taken.

    Yields
    ------
    Correction
        One for each regression, or one for the step that is not taken.
    """
    encoder, decoder = pair.vae(latents.cropped).encoder, pair.vae(latents.whole).decoder
    for key in {latents.whole, latents.whole + WHOLE} & set(encoder.toward):
        del encoder.toward[key]
    reason = ""
    if not settings.cross_regression:
        reason = "switched off"
    elif not isinstance(encoder, TextureEncoder):
        reason = "the encoder of images has no texture statistics"
    elif not isinstance(decoder, LevelDecoder):
        reason = "the decoder has no components of intensity levels"
    elif latents.mean.shape[2] > 1:
        reason = "the latent has several places"
    elif latents.pairs > LARGEST:
        reason = f"more than {LARGEST} training pairs"
    if reason or not isinstance(encoder, TextureEncoder) or not isinstance(decoder, LevelDecoder):
        yield STEP.skipped(reason, latents.whole)
        return
    scores = decoder.project(_tensor(np.concatenate(list(data.arrays[latents.whole])), decoder.basis))
    crops = latents.crop_features[:, : max(1, ROWS // len(scores))]
    views = {
        latents.whole + WHOLE: (STEP, latents.crop_features.mean(1, keepdims=True)),
        latents.whole: (OF_CROPS, crops),
    }
    for key, (step, features) in views.items():
        yield _add_regression(encoder, decoder, key, features, (latents, scores.double().cpu().numpy(), step))


@torch.no_grad()
def _add_regression(
    encoder: TextureEncoder,
    decoder: LevelDecoder,
    key: str,
    features: np.ndarray,
    known: tuple[Latents, np.ndarray, Correction],
) -> Correction:
    """Fit one to features ``(N, V, F)`` of V views of each sample; ``known``: latents, component scores, the step."""
    latents, scores, step = known
    count, views, _ = features.shape
    owner = np.repeat(np.arange(count), views)
    rows = _tensor(features.reshape(count * views, -1), decoder.basis)
    weights, target = feature_weights(encoder), flat(latents.mean)
    inputs = rows.double().cpu().numpy() * weights
    groups = [group for group in latents.groups for _ in range(views)]
    fitted = ridge(inputs, scores, owner)
    regression = cross_val_predict(inputs, scores[owner], groups, [fitted.alpha])
    given = encoder.head(rows).chunk(2, dim=1)[0].flatten(1).double().cpu().numpy()
    hidden = encoder.last_hidden(rows).double().cpu().numpy()
    unseen = left_out_by_network(hidden, given, target[owner], groups, count / latents.pairs)
    network = decoder.scores(_tensor(unseen, decoder.basis)).double().cpu().numpy()
    errors = [
        float(np.square((1 - share) * network + share * regression - scores[owner]).mean())
        for share in SHARES
    ]
    best = int(np.argmin(errors))
    if best:
        weight, bias = (_tensor(part, decoder.basis) for part in fitted.affine())
        scaled = weight * _tensor(weights, decoder.basis)
        encoder.toward[key] = ScoreRegression(scaled, bias, float(SHARES[best]))
    return step.taken(
        latents.whole, target=0.0, before=errors[0], after=errors[best], value=float(SHARES[best])
    )


def _tensor(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(values).to(like)
