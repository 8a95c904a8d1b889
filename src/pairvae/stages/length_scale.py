"""The length scale of decoded textures, settled in closed form after a pair's training, on its training pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from pairvae.evaluation.ridge import ridge
from pairvae.evaluation.spread import left_out
from pairvae.models.texture import TextureDecoder
from pairvae.models.vae import CHUNK, VAE
from pairvae.numerics.rows import evenly_spread
from pairvae.numerics.texture_statistics import wave_numbers
from pairvae.store.prepared import Prepared

CROPS = 256  # that are decoded once each a round, evenly spread over the training pairs
ROUNDS = 2  # wave numbers that are measured answer a change of length by less than all of it
LEAST = 3  # training pairs
FOLDS = 8  # of the training pairs, each left out once: a regression knows the scatter that it was fitted to
NEAREST = 0.95  # to the largest change of length, as a share of it: at all of it the tanh is infinite


def follow_lengths(prepared: Prepared, vaes: Mapping[str, VAE], rows: Sequence[int], seed: int) -> None:
    """Let the wave numbers of decoded textures vary as much as those of the training crops ``rows`` do.

    Latents tell how far apart a crop's domains lie, and convolutions that are trained for a few minutes follow by half
    of it. Each crop's latent is decoded once; a ridge regression from the decoder's style to the difference of the
    logarithms of the two wave numbers says by how much to stretch. Its share is the one at which the decoded wave
    numbers of pairs that it was not fitted to have the variance of the true ones, the scatter of the noise included.
    Nothing is changed where they vary enough, for decoders without a ``stretch``, or with fewer than ``LEAST`` pairs.
    The draws depend on ``seed``.
    """
    for name, vae in vaes.items():
        decoder = vae.decoder
        if isinstance(decoder, TextureDecoder) and decoder.stretch and len(rows) >= LEAST:
            crops = prepared.crops(name)
            chosen = _chosen(len(rows), crops.shape[1])
            arrays = [crops[rows[pair], crop] for pair, crop in chosen]
            folds = [str(pair % FOLDS) for pair, _ in chosen]
            for each in range(ROUNDS):
                measured = _measured(arrays, vae, decoder, seed + each)
                styles, lengths, wanted, found = (part.double().cpu().numpy() for part in measured)
                _adapt(decoder, styles, lengths, wanted, found, folds)


def _chosen(pairs: int, each: int) -> list[tuple[int, int]]:
    """Places of at most ``CROPS`` crops, evenly spread over ``pairs`` with ``each`` of them: pair and crop."""
    return [divmod(int(place), each) for place in evenly_spread(pairs * each, CROPS)]


def _adapt(
    decoder: TextureDecoder,
    styles: np.ndarray,
    lengths: np.ndarray,
    wanted: np.ndarray,
    found: np.ndarray,
    folds: Sequence[str],
) -> None:
    """From styles ``(N, 128)``, what they ask for ``(N, 2)``, true and decoded logarithms ``(N,)``, and the folds."""
    differences = (found - wanted)[:, None]
    share = _share(wanted, found, left_out(styles, differences, folds)[:, 0])
    if share == 0:
        return
    largest = decoder.stretch
    gap = ridge(styles, differences)(styles).astype(np.float64)
    factors = (1.0 + largest * np.tanh(lengths)) * np.exp(share * gap)
    inner = np.clip((factors - 1.0) / largest, -NEAREST, NEAREST)
    weight, bias = ridge(styles, np.arctanh(inner) - lengths).affine()
    decoder.lengthen(torch.from_numpy(weight), torch.from_numpy(bias))


def _share(wanted: np.ndarray, found: np.ndarray, gap: np.ndarray) -> float:
    """Share s in [0, 1] of ``gap`` at which ``found - s gap`` varies as ``wanted`` does, or comes nearest to it."""
    square, product = gap.var(), np.cov(found, gap, bias=True)[0, 1]
    missing = wanted.var() - found.var()
    if square == 0 or missing <= 0:
        return 0.0
    root = (product + np.sqrt(product**2 + square * missing)) / square
    return float(min(root, 1.0))


@torch.no_grad()
def _measured(
    crops: Sequence[np.ndarray], vae: VAE, decoder: TextureDecoder, seed: int
) -> tuple[Tensor, ...]:
    """Styles, what they ask for, and the logarithms of the wave numbers of crops and of what is decoded of them."""
    place = next(vae.parameters()).device
    generator = torch.Generator(device=place)
    generator.manual_seed(seed)
    parts = []
    for few in np.array_split(np.stack(crops), -(-len(crops) // CHUNK)):
        images = torch.from_numpy(few.astype(np.float32)[:, None]).to(place)
        latent = vae.posterior(images).mean
        decoded = (decoder.raw(latent, generator) >= 0).float()
        style = decoder.mapping(latent)
        lengths = decoder.lengths(style).mean((2, 3))
        logarithms = (wave_numbers(one)[:, 0] for one in (images, decoded))
        parts.append((style.mean((2, 3)), lengths, *logarithms))
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))
