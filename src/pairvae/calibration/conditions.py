"""Shift the posterior mean by what is known of a sample besides its array: a pitch, a blend."""

from __future__ import annotations

import dataclasses

import numpy as np

from pairvae.calibration.correction import Correction
from pairvae.calibration.latents import Latents, flat
from pairvae.models.conditions import ConditionShift
from pairvae.models.pair import PairVAE
from pairvae.numerics.ridge import cross_val_predict, ridge
from pairvae.settings import CalibrationSettings

STEP = Correction(
    "conditions",
    "mean squared error of the posterior mean of left-out pairs",
    "size of the shift by the conditions",
)


def correct(
    pair: PairVAE, latents: Latents, settings: CalibrationSettings, seed: int
) -> tuple[Latents, Correction]:
    """Fit a ridge regression from conditions to what is wrong with the posterior mean of left-out pairs.

    It has no intercept, so that a sample of which nothing is known is not shifted. Where it does not lower the
    error of left-out pairs the shift is zero: the model knows the conditions' names, so that no later command
    refuses them.
    """
    assert latents.encoding is not None
    _, channels, places = latents.centre.shape
    shape = (latents.encoding.width, channels, round(places**0.5), round(places**0.5))
    pair.condition_shift = ConditionShift(latents.whole, latents.encoding, np.zeros(shape))
    inputs = latents.encoding.encode(latents.conditions)
    wrong = latents.target - flat(latents.left_out_centre)
    unseen = cross_val_predict(inputs, wrong, latents.groups) - wrong.mean(0)
    before, after = (float(np.square(error).mean()) for error in (wrong, wrong - unseen))
    if after >= before:
        reason = "they do not lower the error of left-out pairs"
        return latents, STEP.skipped(reason, latents.whole)
    weight = ridge(inputs, wrong).affine()[0].T
    pair.condition_shift = ConditionShift(latents.whole, latents.encoding, weight.reshape(shape))
    shift = inputs @ weight
    shifted = dataclasses.replace(
        latents,
        features=np.concatenate([latents.features, inputs], axis=1),
        centre=latents.centre + shift.reshape(latents.centre.shape),
        left_out_centre=latents.left_out_centre + unseen.reshape(latents.centre.shape),
    )
    size = float(np.sqrt(np.square(shift).mean()))
    return shifted, STEP.taken(latents.whole, target=0.0, before=before, after=after, value=size)
