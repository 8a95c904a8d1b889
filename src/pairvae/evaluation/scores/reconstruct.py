"""The samples that are assessed, and what a trained pair decodes of them in all four directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pairvae.models.posterior import Posterior, joined
from pairvae.models.vae import CHUNK, VAE, decode_in_chunks
from pairvae.numerics.images import micrographs


@dataclass(frozen=True)
class EvaluationSet:
    """The samples that are assessed.

    Parameters
    ----------
    patterns : ndarray
        ``(N, 3, H, W)`` in [0, 1].
    crops : ndarray
        ``(N, K, h, w)`` uint8 of 0 and 1, or float32 where ``grey``. Where the second modality is no micrograph either,
        its arrays as they are, ``(N, channels, H, W)`` float32.
    train, validation : sequence of int
        The samples of each split.
    morphologies : sequence of str or None
        Of the N samples; None where it is not known.
    estimator : str
        Of S(r), see :func:`pairvae.numerics.morphology.two_point_correlation`.
    seed : int
        Of all that is drawn.
    names : tuple of str
        The modalities of patterns and crops.
    shift : Tensor, optional
        ``(N, C, g, g)``: what the conditions of the samples add to the pair's latents of the patterns.
    grey : bool
        Whether the crops are grey levels in [0, 1], not two phases.
    """

    patterns: np.ndarray
    crops: np.ndarray
    train: Sequence[int]
    validation: Sequence[int]
    morphologies: Sequence[str | None]
    estimator: str
    seed: int
    names: tuple[str, str] = ("saxs", "sem")
    shift: Tensor | None = None
    grey: bool = False

    @property
    def splits(self) -> dict[str, Sequence[int]]:
        """Samples of each split, validation apart from training."""
        return {"validation": self.validation, "train": self.train, "all": range(len(self.patterns))}

    def array(self, name: str) -> np.ndarray:
        """The patterns or the crops, by the name of their modality."""
        return self.patterns if name == self.names[0] else self.crops

    def cropped(self, name: str) -> bool:
        """Whether a modality is assessed on crops of micrographs."""
        return name == self.names[1] and (self.grey or self.crops.dtype == np.uint8)

    def inputs(self, name: str) -> Tensor:
        """What the encoder of a modality sees: ``(N, channels, H, W)``, or all crops as ``(N K, 1, h, w)``."""
        return self.crop_tensor() if self.cropped(name) else torch.from_numpy(self.array(name))

    def crop_tensor(self) -> Tensor:
        """All crops as ``(N K, 1, h, w)`` float32."""
        n, k, h, w = self.crops.shape
        return torch.from_numpy(self.crops.reshape(n * k, 1, h, w).astype(np.float32))


@dataclass(frozen=True)
class Reconstructions:
    """Decoded images and the latents that they come from.

    Parameters
    ----------
    images : dict of str to ndarray
        By direction: patterns ``(N, ...)`` or ``(N, K, ...)`` in [0, 1], crops ``(N, K, h, w)`` as the true ones.
    latents : dict of str to ndarray
        Posterior means ``(N, C, g, g)``, or ``(N K, C, g, g)`` of crops, by modality.
    """

    images: dict[str, np.ndarray]
    latents: dict[str, np.ndarray]


@torch.no_grad()
def posteriors(vae: VAE, inputs: Tensor) -> Posterior:
    """Posteriors of prepared inputs, in chunks.

    Parameters
    ----------
    vae : VAE
        Of the inputs' modality.
    inputs : Tensor
        ``(B, channels, H, W)`` in [0, 1].

    Returns
    -------
    Posterior
        Of B inputs.
    """
    return joined([vae.posterior(part) for part in torch.split(inputs, CHUNK)])


@torch.no_grad()
def decode(vae: VAE, latents: Tensor, seed: int) -> np.ndarray:
    """Decode latents, in chunks.

    Parameters
    ----------
    vae : VAE
        Of the images' modality.
    latents : Tensor
        ``(B, C, g, g)``.
    seed : int
        Of the noise of a stochastic decoder.

    Returns
    -------
    ndarray
        Images ``(B, channels, H, W)`` float32 in [0, 1].
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return decode_in_chunks(vae.decoder, latents).numpy()


def reconstruct(vaes: Mapping[str, VAE], data: EvaluationSet) -> Reconstructions:
    """Every direction that the VAEs allow; each image has its own noise.

    Parameters
    ----------
    vaes : mapping of str to VAE
        By modality.
    data : EvaluationSet
        The samples.

    Returns
    -------
    Reconstructions
        Keyed ``<source>_<target>``.
    """
    n, k = data.crops.shape[:2]
    encoded = {name: posteriors(vaes[name], data.inputs(name)) for name in data.names if name in vaes}
    first = data.names[0]
    if data.shift is not None and first in encoded:
        encoded[first] = replace(encoded[first], mean=encoded[first].mean + data.shift)
    images: dict[str, np.ndarray] = {}
    for source, posterior in encoded.items():
        for target, vae in vaes.items():
            latent = posterior.for_target(target).mean
            each_crop = data.cropped(target) and not data.cropped(source)
            decoded = decode(vae, latent.repeat_interleave(k, dim=0) if each_crop else latent, data.seed)
            if data.cropped(target):
                decoded = micrographs(decoded, grey=data.grey)
            shape = (n, k) if data.cropped(source) or data.cropped(target) else (n,)
            images[f"{source}_{target}"] = decoded.reshape(*shape, *decoded.shape[1:])
    return Reconstructions(images, {name: posterior.mean.numpy() for name, posterior in encoded.items()})
