"""Let the spacing of decoded textures vary as much as that of true crops.

Latents tell how far apart a crop's domains lie; convolutions that are trained for a few minutes follow by half of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pairvae.calibration.correction import CalibrationData, Correction
from pairvae.models.pair import PairVAE
from pairvae.models.texture import TextureDecoder
from pairvae.models.vae import CHUNK, VAE
from pairvae.numerics.ridge import cross_val_predict, ridge
from pairvae.numerics.series import evenly_spread
from pairvae.numerics.texture_statistics import wave_numbers
from pairvae.settings import CalibrationSettings

CROPS = 256  # that are decoded once each a round, evenly spread over the training pairs
ROUNDS = 2  # wave numbers that are measured answer a change of length by less than all of it
LEAST = 3  # training pairs
FOLDS = 8  # of the training pairs, each left out once: a regression knows the scatter that it was fitted to
NEAREST = 0.95  # to the largest change of length, as a share of it: at all of it the tanh is infinite
STEP = Correction(
    "length_scale",
    "variance of the logarithm of decoded wave numbers",
    "share of the predicted gap that is removed",
)


def correct(
    pair: PairVAE, data: CalibrationData, settings: CalibrationSettings, seed: int
) -> Iterator[Correction]:
    """Set the length bias of each texture decoder, so that the spacings of what it decodes vary as true ones do.

    Each crop's latent is decoded once; a ridge regression from the decoder's style to the difference of the
    logarithms of the two wave numbers says by how much to stretch. Its share is the one at which the decoded wave
    numbers of pairs that it was not fitted to have the variance of the true ones, the scatter of the noise
    included. Nothing is changed where they vary enough.

    Parameters
    ----------
    pair : PairVAE
        The pair, in evaluation mode.
    data : CalibrationData
        Its training pairs.
    settings : CalibrationSettings
        Whether the step is taken.
    seed : int
        Of the decoders' noise.

    Yields
    ------
    Correction
        One for each texture decoder, or one for the step that is not taken.
    """
    known = [name for name in pair.modalities if name in data.arrays]
    decoders = {name: vae.decoder for name in known if _stretches((vae := pair.vae(name)).decoder)}
    reason = ""
    if not settings.length_scale:
        reason = "switched off"
    elif not decoders:
        reason = "no decoder has a length scale (network.stretch)"
    elif len(data.groups) < LEAST:
        reason = f"fewer than {LEAST} training pairs"
    if reason:
        yield STEP.skipped(reason)
        return
    for name, decoder in decoders.items():
        assert isinstance(decoder, TextureDecoder)
        yield _correct(name, pair.vae(name), decoder, data, seed)


def _stretches(decoder: torch.nn.Module) -> bool:
    return isinstance(decoder, TextureDecoder) and decoder.stretch > 0


def _correct(name: str, vae: VAE, decoder: TextureDecoder, data: CalibrationData, seed: int) -> Correction:
    """Correct one decoder by its crops ``(N, K, 1, h, w)``."""
    arrays = data.arrays[name]
    chosen = [
        divmod(int(index), arrays.shape[1]) for index in evenly_spread(arrays[:, :, 0, 0, 0].size, CROPS)
    ]
    crops = [arrays[row, crop] for row, crop in chosen]
    folds = [row % FOLDS for row, _ in chosen]
    rounds: list[tuple[float, float, float]] = []
    for each in range(ROUNDS):
        measured = _measure(crops, vae, decoder, seed + each, grey=data.grey)
        gap = (measured.decoded - measured.true)[:, None]
        predicted = cross_val_predict(measured.styles, gap, folds)[:, 0]
        share = share_of_gap(measured.true, measured.decoded, predicted)
        if share > 0:
            _stretch(decoder, measured, share)
        after = float((measured.decoded - share * predicted).var())
        rounds.append((float(measured.decoded.var()), after, share))
    before, after = rounds[0][0], rounds[-1][1]
    return STEP.taken(
        name,
        target=float(measured.true.var()),
        before=before,
        after=after,
        value=sum(removed for *_, removed in rounds),
    )


def _stretch(decoder: TextureDecoder, measured: _Measured, share: float) -> None:
    """Let the style also set the length scale such that a ``share`` of the gap is removed."""
    largest, styles = decoder.stretch, measured.styles
    gap = (measured.decoded - measured.true)[:, None]
    removed = share * ridge(styles, gap)(styles).astype(np.float64)
    factors = (1.0 + largest * np.tanh(measured.lengths)) * np.exp(removed)
    inner = np.clip((factors - 1.0) / largest, -NEAREST, NEAREST)
    weight, bias = ridge(styles, np.arctanh(inner) - measured.lengths).affine()
    decoder.add_length_bias(torch.from_numpy(weight), torch.from_numpy(bias))


def share_of_gap(true: np.ndarray, decoded: np.ndarray, gap: np.ndarray) -> float:
    """Share of a predicted gap that has to be removed for decoded values to vary as true ones do.

    Parameters
    ----------
    true, decoded : ndarray
        ``(N,)``: a property of crops, and of what their latents are decoded to.
    gap : ndarray
        ``(N,)``: the predicted ``decoded - true``.

    Returns
    -------
    float
        s in [0, 1] at which ``decoded - s gap`` has the variance of ``true``, or comes nearest to it; 0 where
        ``decoded`` varies enough.
    """
    square, product = gap.var(), np.cov(decoded, gap, bias=True)[0, 1]
    missing = true.var() - decoded.var()
    if square == 0 or missing <= 0:
        return 0.0
    root = (product + np.sqrt(product**2 + square * missing)) / square
    return float(min(root, 1.0))


@dataclass(frozen=True)
class _Measured:
    """Of N crops: styles ``(N, 128)``, the lengths that they ask for ``(N, 2)``, log wave numbers ``(N,)``."""

    styles: np.ndarray
    lengths: np.ndarray
    true: np.ndarray
    decoded: np.ndarray


@torch.no_grad()
def _measure(
    crops: Sequence[np.ndarray], vae: VAE, decoder: TextureDecoder, seed: int, *, grey: bool
) -> _Measured:
    """Decode the latent of each crop ``(1, h, w)`` once."""
    device = next(vae.parameters()).device
    generator = torch.Generator(device=device)
    generator.manual_seed(seed)
    parts = []
    for stacked in np.array_split(np.stack(crops), -(-len(crops) // CHUNK)):
        images = torch.from_numpy(stacked.astype(np.float32)).to(device)
        latent = vae.posterior(images).mean
        logits = decoder.logits(latent, generator)
        decoded = torch.sigmoid(logits) if grey else (logits >= 0).float()
        style = decoder.mapping(latent)
        lengths = decoder.lengths(style).mean((2, 3))
        logarithms = (wave_numbers(textures)[:, 0] for textures in (images, decoded))
        parts.append((style.mean((2, 3)), lengths, *logarithms))
    return _Measured(*(torch.cat(part).double().cpu().numpy() for part in zip(*parts, strict=True)))
