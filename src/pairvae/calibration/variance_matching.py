"""Scale the posterior so that decoded phase fractions, or contrasts of grey levels, vary as those of true crops.

Decoders follow samples for a pattern by less than the latents of crops: with the samples of one pattern they learned to
draw any crop. So samples that vary as the latents of crops do are decoded to images that vary less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pairvae.calibration.correction import Correction
from pairvae.calibration.latents import Latents, values_of_images
from pairvae.calibration.posterior_covariance import set_scale_tril
from pairvae.models.pair import PairVAE
from pairvae.models.vae import CHUNK, VAE
from pairvae.numerics.ridge import cross_val_predict
from pairvae.numerics.series import evenly_spread
from pairvae.settings import CalibrationSettings

SAMPLES = 48  # of which latents are decoded, at most
EACH = 8  # latents for each, a round
ROUNDS = 2  # decoders are not linear
NARROWEST, WIDEST = 0.5, 3.0  # times the width that samples had along one direction
STEP = Correction(
    "variance_matching",
    "variance of decoded phase fractions (contrasts of grey levels) within a sample",
    "width along what is decoded",
)


@dataclass(frozen=True)
class VarianceMatch:
    """A factor that was scaled along one direction.

    Parameters
    ----------
    factor : ndarray
        ``(C, C)``, lower triangular.
    width : float
        By which it was multiplied along that direction.
    before, after : float
        Variance of decoded values, and what it becomes if they follow the latents linearly.
    """

    factor: np.ndarray
    width: float
    before: float
    after: float


def correct(
    pair: PairVAE, latents: Latents, settings: CalibrationSettings, seed: int
) -> tuple[Latents, Correction]:
    """Scale ``scale_tril`` along the direction that decoded phase fractions, or contrasts, follow.

    Where the covariance is not set, independent channels of their mean width are where it starts.
    """
    if not settings.variance_matching:
        return latents, STEP.skipped("switched off", latents.whole)
    tril = pair.vae(latents.whole).encoder.scale_tril
    factor = np.diag(np.sqrt(latents.std.mean((0, 2)))) if tril is None else tril.double().cpu().numpy()
    rounds, target = widened(pair.vae(latents.cropped), latents, factor, seed)
    set_scale_tril(pair, latents.whole, rounds[-1].factor)
    width = float(np.prod([each.width for each in rounds]))
    return latents, STEP.taken(
        latents.whole, target=target, before=rounds[0].before, after=rounds[-1].after, value=width
    )


def widened(vae: VAE, latents: Latents, factor: np.ndarray, seed: int) -> tuple[list[VarianceMatch], float]:
    """Scale a factor until decoded values vary as those of true crops.

    Parameters
    ----------
    vae : VAE
        Of the crops.
    latents : Latents
        Of training pairs.
    factor : ndarray
        ``(C, C)``, lower triangular: where it starts.
    seed : int
        Of what is decoded.

    Returns
    -------
    tuple of list of VarianceMatch and float
        One for each round, the last with the factor to use; and the variance of true crops.
    """
    target = _variance_of_crops(latents)
    return _widen(vae, latents, factor, target, seed), target


def _variance_of_crops(latents: Latents) -> float:
    """Variance of crops' values around what a regression fitted to other pairs predicts from their array."""
    values = latents.crop_values
    predicted = cross_val_predict(latents.features, values.mean(1, keepdims=True), latents.groups)
    return float(np.square(values - predicted).mean())


def _widen(vae: VAE, latents: Latents, factor: np.ndarray, target: float, seed: int) -> list[VarianceMatch]:
    """Decode latents by the ``vae`` of the crops and widen the ``factor``, in ``ROUNDS`` rounds."""
    like = next(vae.parameters())
    chosen = evenly_spread(len(latents.centre), SAMPLES)
    _, channels, places = latents.centre.shape
    side = round(places**0.5)
    centres, deviations = (
        torch.from_numpy(part[chosen]).to(like).view(-1, 1, channels, side, side)
        for part in (latents.centre, latents.std)
    )
    generator = torch.Generator(device=like.device)
    generator.manual_seed(seed)
    rounds: list[VarianceMatch] = []
    for _ in range(ROUNDS):
        shape = (len(chosen), EACH, channels, side, side)
        noise = torch.randn(shape, generator=generator, device=like.device)
        draws = torch.einsum("cd,nkd...->nkc...", torch.from_numpy(factor).to(noise), noise)
        decoded = (centres + deviations.sqrt() * draws).flatten(0, 1)
        values = _decoded_values(vae, decoded, generator, grey=latents.grey).reshape(len(chosen), EACH)
        by_place = draws.flatten(3)
        each = by_place.mean(3) * places**0.5  # a mean over places, and as wide as at one
        rounds.append(match_variance(factor, each.double().cpu().numpy(), values, target))
        factor = rounds[-1].factor
    return rounds


def match_variance(factor: np.ndarray, draws: np.ndarray, values: np.ndarray, target: float) -> VarianceMatch:
    """Scale a factor so that decoded values of samples have a given variance.

    A linear regression tells which direction w of the draws the values follow within an array. Along it alone the
    covariance S = L L^T is changed, to S + (k^2 - 1) S w w^T S / (w^T S w), so that k^2 times the variance that
    follows the draws and the rest, which is the decoder's own noise, add up to the target. ``k`` stays within
    ``NARROWEST`` and ``WIDEST``: these are estimates.

    Parameters
    ----------
    factor : ndarray
        L, ``(C, C)``, lower triangular.
    draws : ndarray
        ``(N, K, C)``: L e of K samples for each of N arrays.
    values : ndarray
        ``(N, K)``: a property of what was decoded of them.
    target : float
        The variance that they should have within an array.

    Returns
    -------
    VarianceMatch
        The new factor, and by how much it is wider; unchanged where no value follows the draws.
    """
    count, each, channels = draws.shape
    along = (draws - draws.mean(1, keepdims=True)).reshape(-1, channels)
    deviations = (values - values.mean(1, keepdims=True)).reshape(-1)
    weight = np.linalg.lstsq(along, deviations, rcond=None)[0]
    covariance = factor @ factor.T
    toward = covariance @ weight
    explained = float(weight @ toward)
    before = float(np.square(deviations).sum()) / (count * (each - 1))
    if explained <= 0:
        return VarianceMatch(factor, 1.0, before, before)
    rest = before - explained
    ratio = float(np.clip((target - rest) / explained, NARROWEST**2, WIDEST**2))
    tril = np.linalg.cholesky(covariance + (ratio - 1.0) * np.outer(toward, toward) / explained)
    return VarianceMatch(tril, ratio**0.5, before, rest + ratio * explained)


@torch.inference_mode()
def _decoded_values(vae: VAE, latents: Tensor, generator: torch.Generator, *, grey: bool) -> np.ndarray:
    """Values ``(N,)`` of the images that latents ``(N, C, g, g)`` are decoded to."""
    parts = []
    for few in torch.split(latents, CHUNK):
        logits = vae.decoder.logits(few, generator)
        images = torch.sigmoid(logits) if grey else (logits >= 0).float()
        parts.append(values_of_images(images, grey=grey))
    return torch.cat(parts).cpu().numpy()
