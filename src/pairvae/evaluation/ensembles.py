"""Ensembles of images around a pattern's latent (paper, Figures 7, S7, S8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from pairvae.evaluation.scores.definitions import curves
from pairvae.evaluation.scores.reconstruct import EvaluationSet, decode
from pairvae.models.vae import VAE
from pairvae.numerics.images import micrographs
from pairvae.settings import GenerateSettings


@dataclass(frozen=True)
class Ensemble:
    """Images around one sample's pattern, beside its true crops.

    Parameters
    ----------
    sample : int
        The sample.
    scale : float
        Variance of the latents, relative to that over all patterns.
    images : ndarray
        ``(n, h, w)`` as the true crops.
    s2, true_s2 : ndarray
        S(r) ``(n, bins)`` of the images, and ``(K, bins)`` of the true crops.
    errors : ndarray
        ``(n,)``: mean absolute difference of S(r) of each image from that of a true crop.
    """

    sample: int
    scale: float
    images: np.ndarray
    s2: np.ndarray
    true_s2: np.ndarray
    errors: np.ndarray


def centres(data: EvaluationSet) -> dict[str, int]:
    """The first validation sample of each morphology (of all where morphologies are not known)."""
    samples: dict[str, int] = {}
    for index in data.validation:
        samples.setdefault(data.morphologies[index] or "all", int(index))
    return samples


def ensembles(
    vaes: Mapping[str, VAE],
    latents: np.ndarray,
    data: EvaluationSet,
    settings: GenerateSettings,
    scale: float | None = None,
) -> dict[str, Ensemble]:
    """One ensemble per morphology, of latents that are normal around a pattern's posterior mean.

    Parameters
    ----------
    vaes : mapping of str to VAE
        By modality.
    latents : ndarray
        ``(N, C, g, g)``, posterior means of all patterns.
    data : EvaluationSet
        The samples.
    settings : GenerateSettings
        How many images, and scales.
    scale : float, optional
        Variance of the latents, relative to that of ``latents``; the first of the settings' without it.

    Returns
    -------
    dict of str to Ensemble
        By morphology; empty where the second modality is no micrograph.
    """
    if not data.cropped(data.names[1]):
        return {}
    factor = settings.scales[0] if scale is None else scale
    deviation = latents.std(0) * np.sqrt(factor)
    drawn: dict[str, Ensemble] = {}
    for number, (name, sample) in enumerate(centres(data).items()):
        generator = np.random.default_rng([data.seed, number])
        noise = generator.standard_normal((settings.samples, *latents.shape[1:]))
        around = latents[sample] + deviation * noise
        decoded = decode(vaes[data.names[1]], torch.from_numpy(around.astype(np.float32)), data.seed + number)
        images = micrographs(decoded, grey=data.grey)
        s2 = curves(images, data.estimator)["s2"]
        true_s2 = curves(data.crops[sample], data.estimator)["s2"]
        partners = true_s2[np.arange(len(s2)) % len(true_s2)]
        drawn[name] = Ensemble(sample, factor, images, s2, true_s2, np.abs(s2 - partners).mean(1))
    return drawn
