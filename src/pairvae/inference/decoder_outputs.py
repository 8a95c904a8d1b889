"""What comes out of a decoder: images of a checked size, number and seed."""

from __future__ import annotations

import numpy as np
import torch

from pairvae.errors import InputError
from pairvae.models.posterior import Posterior
from pairvae.models.vae import Decoder, decode_in_chunks
from pairvae.numerics.images import micrographs

SEEDS = 2**63
SMALLEST, LARGEST = 32, 4096  # px of the side of an image


def require_size(size: int, shape: tuple[int, int, int], any_size: bool, title: str) -> None:
    """Refuse images of a side that a decoder cannot draw.

    Parameters
    ----------
    size : int
        The side that is asked for, px.
    shape : tuple of int
        ``(channels, H, W)`` of the training crops.
    any_size : bool
        Whether the decoder draws any size.
    title : str
        Of the images, for the message.

    Raises
    ------
    InputError
        For a decoder of one size, or a side that is not from 32 to 4096 px.
    """
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
    """Refuse numbers that nothing can be drawn by.

    Parameters
    ----------
    samples : int
        Images for each input.
    seed : int
        Of the draws.

    Raises
    ------
    InputError
        For fewer than one sample, or a seed outside of 0 to 2**63 - 1.
    """
    if samples < 1:
        raise InputError(expected="at least one sample", found=str(samples), where="samples")
    if not 0 <= seed < SEEDS:
        raise InputError(expected="a seed from 0 to 2**63 - 1", found=str(seed), where="seed")


def draw(
    decoder: Decoder, posterior: Posterior, seed: int, size: int | None, *, micrograph: bool, binary: bool
) -> np.ndarray:
    """Images of one input.

    Parameters
    ----------
    decoder : Decoder
        Of the modality to predict.
    posterior : Posterior
        The input's, S times over: one image is decoded from its mean, several from antithetic samples.
    seed : int
        Of samples and noise.
    size : int or None
        Side of the images in px; None: that of the training crops.
    micrograph : bool
        Whether the images are micrographs, which have one channel.
    binary : bool
        Whether these have two phases.

    Returns
    -------
    ndarray
        ``(S, H, W)`` of a ``micrograph``, see :func:`pairvae.numerics.images.micrographs`, else ``(S, channels, H, W)``
        float32 in [0, 1].
    """
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        latents = posterior.antithetic_samples() if len(posterior.mean) > 1 else posterior.mean
        image = decode_in_chunks(decoder, latents, size).float().numpy()
    return micrographs(image, grey=not binary) if micrograph else np.asarray(image)
