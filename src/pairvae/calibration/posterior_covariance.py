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
    "variance of left-out crops where they vary most, over that of the posterior",
    "scale_tril",
)


def correct(
    pair: PairVAE, latents: Latents, settings: CalibrationSettings, seed: int
) -> tuple[Latents, Correction]:
    """Set ``scale_tril`` of the encoder of whole arrays."""
    if not settings.posterior_covariance:
        return latents, STEP.skipped("switched off", latents.whole)
    residuals = latents.crop_mean - latents.left_out_centre[:, None]
    factor = scale_tril_of(residuals, latents.crop_std, latents.std)
    set_scale_tril(pair, latents.whole, factor)
    fold = folds(latents.groups)
    ratios = np.empty((2, len(fold)))
    for number in np.unique(fold):
        rest, out = fold != number, fold == number
        parts = [(residuals[rows], latents.crop_std[rows], latents.std[rows]) for rows in (rest, out)]
        ratios[:, out] = _ratios(scale_tril_of(*parts[0]), _direction(*parts[0]), *parts[1])
    before, after = ratios.mean(1)
    largest = float(np.linalg.norm(factor, axis=1).max())
    return latents, STEP.taken(latents.whole, target=1.0, before=before, after=after, value=largest)


def scale_tril_of(residuals: np.ndarray, crop_std: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Factor of the second moment of crops' latents around the centre of their sample.

    L with L L^T = E[z z^T] turns independent unit noise e into D L e, what crops of a sample that was not seen
    differ by from its centre: their own scatter, and the error of the prediction. D is diagonal, the square roots
    of ``std``.

    Parameters
    ----------
    residuals : ndarray
        ``(N, K, C, P)``: posterior means of K crops of N samples minus the centre, C channels at P places.
    crop_std : ndarray
        ``(N, K, C, P)``: the crops' posterior standard deviations.
    std : ndarray
        ``(N, C, P)``: those that the network gives the whole array.

    Returns
    -------
    ndarray
        L, ``(C, C)``, lower triangular, of latents divided by D.
    """
    scale = np.sqrt(std)[:, None]
    scaled = residuals / scale
    channels = scaled.shape[2]
    rows = scaled.transpose(0, 1, 3, 2).reshape(-1, channels)
    noise = np.square(crop_std / scale).mean((0, 1, 3))
    return np.linalg.cholesky(rows.T @ rows / len(rows) + np.diag(noise))


def set_scale_tril(pair: PairVAE, name: str, factor: np.ndarray) -> None:
    """Make a factor the buffer ``scale_tril`` of an encoder.

    Parameters
    ----------
    pair : PairVAE
        The pair.
    name : str
        Modality of the encoder.
    factor : ndarray
        ``(C, C)``, lower triangular.
    """
    vae = pair.vae(name)
    vae.encoder.scale_tril = torch.from_numpy(factor).to(next(vae.parameters()))


def _direction(residuals: np.ndarray, crop_std: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Where crops vary most ``(C,)``, in units of the network's own standard deviations."""
    unit = scale_tril_of(residuals / np.sqrt(std)[:, None], crop_std / np.sqrt(std)[:, None], std)
    return np.asarray(np.linalg.eigh(unit @ unit.T)[1][:, -1])


def _ratios(
    tril: np.ndarray, along: np.ndarray, residuals: np.ndarray, crop_std: np.ndarray, std: np.ndarray
) -> np.ndarray:
    """Variance of the crops of each of N samples ``along`` a direction, over that of its posterior: ``(2, N)``.

    First of the network's own posterior, then of that by the factor ``tril``.
    """
    scaled = np.einsum("nkcp,c->nkp", residuals / std[:, None], along)
    noise = np.einsum("nkcp,c->nkp", np.square(crop_std / std[:, None]), np.square(along))
    crops = (np.square(scaled) + noise).mean(1)
    projected = np.einsum("ncp,cd->npd", along[:, None] / np.sqrt(std), tril)
    return np.stack([crops.mean(1), (crops / np.square(projected).sum(2)).mean(1)])
