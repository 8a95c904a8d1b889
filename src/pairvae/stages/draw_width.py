"""How wide draws for one pattern have to be for what is decoded of them to vary as true crops do."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pairvae.evaluation.spread import widened
from pairvae.models.vae import CHUNK, VAE, Posterior

PATTERNS = 48  # for which draws are decoded, at most
EACH = 8  # draws for each, a round
ROUNDS = 2  # decoders are not linear


def as_wide_as_crops(
    cropped: VAE, posterior: Posterior, factor: np.ndarray, wanted: float, seed: int
) -> np.ndarray:
    """A mixing ``factor`` ``(C, C)`` of whole arrays' ``posterior``, as wide as decoded phase fractions ask for.

    Decoders follow draws for a pattern by less than the latents of crops: with the draws of one pattern they learned
    to draw any crop of its sample. So draws that vary as the latents of crops do are decoded to images that vary less.
    ``wanted`` is the variance of the phase fraction within a sample, an error of the pattern's prediction included;
    :func:`pairvae.evaluation.spread.widened` gives draws, decoded by the VAE ``cropped``, that width. They depend on
    ``seed``.
    """
    place = next(cropped.parameters()).device
    means, deviations = (part[:, None].to(place) for part in (posterior.mean, posterior.std))
    generator = torch.Generator(device=place)
    generator.manual_seed(seed)
    for _ in range(ROUNDS):
        noise = torch.randn((len(means), EACH, *means.shape[2:]), generator=generator, device=place)
        draws = torch.einsum("cd,nkd...->nkc...", torch.from_numpy(factor).to(noise), noise)
        latents = means + deviations.sqrt() * draws
        fractions = _fractions(cropped, latents.flatten(0, 1), generator)
        places = draws.flatten(3)
        each = places.mean(3) * places.shape[3] ** 0.5  # a mean over places, and as wide as at one
        values = fractions.reshape(len(means), EACH)
        factor = widened(factor, each.double().cpu().numpy(), values, wanted)
    return factor


@torch.inference_mode()
def _fractions(vae: VAE, latents: Tensor, generator: torch.Generator) -> np.ndarray:
    """Phase fractions ``(N,)`` of the binary images that latents ``(N, C, g, g)`` are decoded to."""
    parts = [
        (vae.decoder.logits(few, generator) >= 0).float().mean((1, 2, 3))
        for few in torch.split(latents, CHUNK)
    ]
    return torch.cat(parts).double().cpu().numpy()
