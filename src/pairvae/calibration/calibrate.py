"""The steps of the calibration in their order."""

from __future__ import annotations

from collections.abc import Iterator

from pairvae.calibration import (
    conditions,
    cross_regression,
    length_scale,
    posterior_covariance,
    posterior_mean,
    variance_matching,
)
from pairvae.calibration.correction import CalibrationData, Correction
from pairvae.calibration.latents import LEAST_GROUPS, encode_pairs
from pairvae.models.pair import PairVAE
from pairvae.settings import CalibrationSettings


def calibrate(
    pair: PairVAE, data: CalibrationData, settings: CalibrationSettings, seed: int
) -> list[Correction]:
    """Correct a trained pair in place, step by step, and tell what was done.

    Parameters
    ----------
    pair : PairVAE
        The trained pair; it is in evaluation mode afterwards.
    data : CalibrationData
        Arrays and crops of training pairs.
    settings : CalibrationSettings
        The section ``pair.calibration``: which steps are taken.
    seed : int
        Of the latents and the noise that are decoded.

    Returns
    -------
    list of Correction
        At least one for each step, also for those that do not apply.
    """
    pair.eval()
    return [*length_scale.correct(pair, data, settings, seed), *_posterior(pair, data, settings, seed)]


def _posterior(
    pair: PairVAE, data: CalibrationData, settings: CalibrationSettings, seed: int
) -> Iterator[Correction]:
    """The steps about the posterior of the modality with one array for the many crops of the other."""
    steps = [posterior_mean, posterior_covariance, variance_matching]
    if data.encoding is not None:
        steps.insert(1, conditions)
    reason = ""
    if data.whole is None:
        reason = "no modality has many crops for one array of the other"
    elif len(set(data.groups)) < LEAST_GROUPS:
        reason = f"fewer than {LEAST_GROUPS} groups of training pairs"
    if data.whole is None or reason:
        yield from (step.STEP.skipped(reason) for step in (*steps, cross_regression))
        return
    latents = encode_pairs(pair, data, data.whole)
    for step in steps:
        latents, correction = step.correct(pair, latents, settings, seed)
        yield correction
    yield from cross_regression.correct(pair, latents, data, settings)
