"""The calibration of more than two techniques: each pair of them as a pair, then the posteriors of several together."""

from __future__ import annotations

import dataclasses

from pairvae.calibration import cross_regression, length_scale
from pairvae.calibration.calibrate import correct_posterior
from pairvae.calibration.correction import Correction, SeveralData
from pairvae.calibration.joint_posterior import fit_joints
from pairvae.calibration.latents import LEAST_GROUPS, Latents, encode_pairs
from pairvae.models.joint import JointPosterior
from pairvae.models.pair import PairVAE
from pairvae.settings import CalibrationSettings


def calibrate_several(
    pair: PairVAE, data: SeveralData, settings: CalibrationSettings, seed: int
) -> tuple[list[Correction], list[JointPosterior]]:
    """Correct the techniques of a model in place, and fit the posteriors of several of them together.

    A posterior of whole arrays is as wide as the crops of one technique ask for: the first one that shares enough
    samples with it.

    Parameters
    ----------
    pair : PairVAE
        The trained model; it is in evaluation mode afterwards.
    data : SeveralData
        Arrays and crops of training samples.
    settings : CalibrationSettings
        The section ``pair.calibration``: which steps are taken.
    seed : int
        Of the latents and the noise that are decoded.

    Returns
    -------
    tuple of list of Correction and list of JointPosterior
        What was done, and the joint posteriors.
    """
    pair.eval()
    corrections: list[Correction] = []
    corrected: dict[str, Latents] = {}
    for cropped in data.cropped:
        corrections += length_scale.correct(pair, data.of(cropped), settings, seed)
    for whole in data.whole:
        partners = [name for name in data.cropped if len(set(data.of(whole, name).groups)) >= LEAST_GROUPS]
        for number, name in enumerate(partners):
            together = data.of(whole, name)
            if number > 0:
                latents = encode_pairs(pair, together, whole)
                corrections += cross_regression.correct(pair, latents, together, settings)
                continue
            if corrected:  # conditions move the posterior of one technique
                together = dataclasses.replace(together, encoding=None)
            steps, corrected[whole] = correct_posterior(pair, together, whole, settings, seed)
            corrections += steps
    joints, fitted = fit_joints(pair, data, corrected, settings, seed)
    return [*corrections, *fitted], joints
