"""Measure how the crops of a sample that was not seen lie around the centre of its posterior."""

from __future__ import annotations

import numpy as np
import torch

from pairvae.calibration.correction import Correction
from pairvae.calibration.latents import Latents
from pairvae.models.pair import PairVAE
from pairvae.numerics.ridge import folds
from pairvae.settings import CalibrationSettings

STEP = Correction(
    "posterior_covariance",
    "mean squared Mahalanobis distance of left-out crops from the posterior, per latent",
    "scale_tril",
)


def correct(
    pair: PairVAE, latents: Latents, settings: CalibrationSettings, seed: int
) -> tuple[Latents, Correction]:
    """Set ``scale_tril`` of the encoder of whole arrays. The ``seed`` is not used: nothing is drawn."""
    if not settings.posterior_covariance:
        return latents, STEP.skipped("switched off", latents.whole)
    residuals = latents.crop_mean - latents.left_out_centre[:, None]
    factor = scale_tril_of(residuals, latents.crop_std, latents.std)
    set_scale_tril(pair, latents.whole, factor)
    fold = folds(latents.groups)
    distances = np.empty((2, len(fold)))
    for one in np.unique(fold):
        rest, out = fold != one, fold == one
        parts = residuals[out], latents.crop_std[out], latents.std[out]
        others = scale_tril_of(residuals[rest], latents.crop_std[rest], latents.std[rest])
        distances[1, out] = _distances(others @ others.T, *parts)
        distances[0, out] = _own_distances(*parts)
    before, after = distances.mean(1)
    largest = float(np.linalg.norm(factor, axis=1).max())
    return latents, STEP.taken(latents.whole, target=1.0, before=before, after=after, value=largest)


def scale_tril_of(residuals: np.ndarray, crop_std: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Lower triangular factor ``(C, C)`` of the second moment of crops' latents around the centre of their sample.

    ``residuals`` ``(N, K, C, P)``: posterior means of K crops of N samples minus the centre, at P places; ``crop_std``
    ``(N, K, C, P)``: the crops' posterior standard deviations; ``std`` ``(N, C, P)``: those that the network gives
    the whole array, by whose square roots D all is divided. So L with L L^T = E[z z^T] turns independent unit noise e
    into D L e, what crops of a sample that was not seen differ by from its centre: their own scatter, and the error of
    the prediction.
    """
    scale = np.sqrt(std)[:, None]
    scaled = residuals / scale
    channels = scaled.shape[2]
    rows = scaled.transpose(0, 1, 3, 2).reshape(-1, channels)
    noise = np.square(crop_std / scale).mean((0, 1, 3))
    return np.linalg.cholesky(rows.T @ rows / len(rows) + np.diag(noise))


def set_scale_tril(pair: PairVAE, name: str, factor: np.ndarray) -> None:
    """Make a factor the buffer ``scale_tril`` of the encoder of modality ``name``."""
    vae = pair.vae(name)
    vae.encoder.scale_tril = torch.from_numpy(factor).to(next(vae.parameters()))


def _distances(
    covariance: np.ndarray, residuals: np.ndarray, crop_std: np.ndarray, std: np.ndarray
) -> np.ndarray:
    """Mean squared Mahalanobis distances ``(N,)`` per channel, the crops' own width included."""
    scale = np.sqrt(std)[:, None]
    inverse = np.linalg.inv(covariance)
    scaled = residuals / scale
    squares = np.einsum("nkcp,cd,nkdp->nkp", scaled, inverse, scaled)
    squares = squares + np.einsum("nkcp,c->nkp", np.square(crop_std / scale), np.diag(inverse))
    return np.asarray(squares.mean((1, 2)) / len(covariance))


def _own_distances(residuals: np.ndarray, crop_std: np.ndarray, std: np.ndarray) -> np.ndarray:
    """The same with the network's own standard deviations."""
    return np.asarray(
        ((np.square(residuals) + np.square(crop_std)) / np.square(std)[:, None]).mean((1, 2, 3))
    )
