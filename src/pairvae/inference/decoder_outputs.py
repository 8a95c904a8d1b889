"""What comes out of a decoder: images of a checked size, number and seed."""

from __future__ import annotations

import numpy as np
import torch

from pairvae.errors import InputError
from pairvae.models.vae import Decoder, Posterior, decode_in_chunks

SEEDS = 2**63
SMALLEST, LARGEST = 32, 4096  # px of the side of an image


def require_size(size: int, shape: tuple[int, int, int], any_size: bool, title: str) -> None:
    """``InputError`` where images of ``shape`` ``(channels, H, W)`` cannot have sides of ``size`` px."""
    if not any_size:
        expected = " x ".join(map(str, shape[1:]))
        raise InputError(
            expected=f"predicted {title} of {expected}, the only size that this network draws",
            found=str(size),
            where="size",
            remedy="leave it out",
        )
    if not SMALLEST <= size <= LARGEST:
        raise InputError(expected=f"a side from {SMALLEST} to {LARGEST} px", found=str(size), where="size")


def require_draws(samples: int, seed: int) -> None:
    """``InputError`` for fewer than one sample, or a seed outside of 0 to 2**63 - 1."""
    if samples < 1:
        raise InputError(expected="at least one sample", found=str(samples), where="samples")
    if not 0 <= seed < SEEDS:
        raise InputError(expected="a seed from 0 to 2**63 - 1", found=str(seed), where="seed")


def draw(decoder: Decoder, posterior: Posterior, seed: int, size: int | None, *, binary: bool) -> np.ndarray:
    """Images of one input: of the posterior's mean where it is one, else of antithetic samples ``(S, C, g, g)``.

    Returns ``(S, H, W)`` uint8 in {0, 1} where ``binary`` (the Bernoulli mode), else ``(S, channels, H, W)`` float32.
    """
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        latents = posterior.antithetic_samples() if len(posterior.mean) > 1 else posterior.mean
        image = decode_in_chunks(decoder, latents, size)
    if binary:
        return np.asarray((image[:, 0] >= 0.5).numpy().astype(np.uint8))
    return np.asarray(image.float().numpy())
