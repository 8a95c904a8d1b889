"""Blend the encoder's posterior mean with a ridge regression, which errs less after few samples, and in another way."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from pairvae.calibration.correction import Correction
from pairvae.calibration.latents import Latents, feature_weights, flat, left_out_by_ridge
from pairvae.models.compact import CompactEncoder
from pairvae.models.pair import PairVAE
from pairvae.numerics.ridge import ridge
from pairvae.settings import CalibrationSettings

LARGEST = 256  # training pairs: more train a network well enough
STEP = Correction(
    "posterior_mean",
    "mean squared error of the posterior mean of left-out pairs",
    "share of a ridge regression in the posterior mean",
)


def correct(
    pair: PairVAE, latents: Latents, settings: CalibrationSettings, seed: int
) -> tuple[Latents, Correction]:
    """Give a ridge regression its share in the posterior mean of whole arrays (Hoerl and Kennard 1970).

    It is fitted from the array's features to the mean latent of its crops.
    """
    encoder, share = pair.vae(latents.whole).encoder, settings.posterior_mean
    reason = ""
    if share == 0:
        reason = "switched off"
    elif not isinstance(encoder, CompactEncoder):
        reason = "the encoder has no principal components"
    elif latents.pairs > LARGEST:
        reason = f"more than {LARGEST} training pairs"
    if reason or not isinstance(encoder, CompactEncoder):
        return latents, STEP.skipped(reason, latents.whole)
    fitted = ridge(latents.features, latents.target)
    weight, bias = fitted.affine()
    encoder.dense.blend(torch.from_numpy(weight * feature_weights(encoder)), torch.from_numpy(bias), share)
    unseen = left_out_by_ridge(latents)
    blended = dataclasses.replace(
        latents,
        centre=_blend(latents.centre, fitted(latents.features), share),
        left_out_centre=_blend(latents.left_out_centre, unseen, share),
    )
    before, after = (
        float(np.square(flat(centre) - latents.target).mean())
        for centre in (latents.left_out_centre, blended.left_out_centre)
    )
    return blended, STEP.taken(latents.whole, target=0.0, before=before, after=after, value=share)


def _blend(network: np.ndarray, regression: np.ndarray, share: float) -> np.ndarray:
    return np.asarray((1.0 - share) * network + share * regression.reshape(network.shape))
