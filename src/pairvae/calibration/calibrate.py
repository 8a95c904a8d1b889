"""The steps of the calibration in their order."""

from __future__ import annotations

from typing import Protocol

from pairvae.calibration import (
    conditions,
    cross_regression,
    length_scale,
    posterior_covariance,
    posterior_mean,
    variance_matching,
)
from pairvae.calibration.correction import CalibrationData, Correction
from pairvae.calibration.latents import LEAST_GROUPS, Latents, encode_pairs
from pairvae.models.pair import PairVAE
from pairvae.settings import CalibrationSettings


class PosteriorStep(Protocol):
    """What a module of a step about the posterior offers."""

    STEP: Correction

    def correct(
        self, pair: PairVAE, latents: Latents, settings: CalibrationSettings, seed: int
    ) -> tuple[Latents, Correction]:
        """Correct the pair in place.

        Parameters
        ----------
        pair : PairVAE
            The pair, in evaluation mode.
        latents : Latents
            Of its training pairs, as the steps before leave them.
        settings : CalibrationSettings
            Whether, and how far, the step is taken.
        seed : int
            Of the noise of what is decoded; steps that decode nothing do not use it.

        Returns
        -------
        latents : Latents
            With the centres that the corrected pair gives.
        correction : Correction
            What was done, or why nothing was.
        """
        ...


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
    corrections = list(length_scale.correct(pair, data, settings, seed))
    reason = ""
    if data.whole is None:
        reason = "no modality has many crops for one array of the other"
    elif len(set(data.groups)) < LEAST_GROUPS:
        reason = f"fewer than {LEAST_GROUPS} groups of training pairs"
    if data.whole is None or reason:
        steps = [*(step.STEP for step in _steps(data)), cross_regression.STEP]
        return [*corrections, *(step.skipped(reason) for step in steps)]
    return corrections + correct_posterior(pair, data, data.whole, settings, seed)[0]


def _steps(data: CalibrationData) -> list[PosteriorStep]:
    steps: list[PosteriorStep] = [posterior_mean, posterior_covariance, variance_matching]
    if data.encoding is not None:
        steps.insert(1, conditions)
    return steps


def correct_posterior(
    pair: PairVAE, data: CalibrationData, whole: str, settings: CalibrationSettings, seed: int
) -> tuple[list[Correction], Latents]:
    """The steps about the posterior of the modality with one array for the many crops of the other.

    Parameters
    ----------
    pair, data, settings, seed
        As for :func:`calibrate`.
    whole : str
        That modality.

    Returns
    -------
    tuple of list of Correction and Latents
        What was done, and the latents of the training pairs as the corrected pair gives them.
    """
    corrections: list[Correction] = []
    latents = encode_pairs(pair, data, whole)
    for step in _steps(data):
        latents, correction = step.correct(pair, latents, settings, seed)
        corrections.append(correction)
    return [*corrections, *cross_regression.correct(pair, latents, data, settings)], latents
