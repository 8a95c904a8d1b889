"""How well a decoder's output explains a sample: one small function object per likelihood, chosen by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from pairvae.models.vae import Decoder
from pairvae.numerics import texture


class Likelihood(Protocol):
    """Negative log likelihood (up to constants) of samples under decoded latents: a scalar."""

    def __call__(
        self, decoder: Decoder, latent: Tensor, inputs: Tensor, indices: Tensor, generator: torch.Generator
    ) -> Tensor:
        """``latent`` ``(B, C, g, g)``; ``inputs`` ``(B, ...)`` of the samples ``indices`` ``(B,)``."""
        ...


def squared_error(
    decoder: Decoder, latent: Tensor, inputs: Tensor, indices: Tensor, generator: torch.Generator
) -> Tensor:
    """Mean squared error per pixel (a Gaussian likelihood of fixed width)."""
    return F.mse_loss(decoder.raw(latent, generator), inputs)


def absolute_error(
    decoder: Decoder, latent: Tensor, inputs: Tensor, indices: Tensor, generator: torch.Generator
) -> Tensor:
    """Mean absolute error per pixel (a Laplace likelihood of fixed width, for heavy-tailed counts)."""
    return F.l1_loss(decoder.raw(latent, generator), inputs)


def bernoulli(
    decoder: Decoder, latent: Tensor, inputs: Tensor, indices: Tensor, generator: torch.Generator
) -> Tensor:
    """Mean Bernoulli negative log likelihood per pixel of a binary image (paper, pair and solo losses)."""
    return F.binary_cross_entropy_with_logits(decoder.raw(latent, generator), inputs)


@dataclass(frozen=True)
class TextureMatch:
    """Distance of a decoded texture's statistics from its sample's, whatever lies where.

    ``targets`` are the statistics of all training samples ``(N, D)`` by name, of their whole images;
    ``weights`` of the same names; ``size`` is the side of the decoded textures in px.
    """

    targets: Mapping[str, Tensor]
    weights: Mapping[str, float]
    size: int

    def __call__(
        self, decoder: Decoder, latent: Tensor, inputs: Tensor, indices: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Weighted mean absolute differences of the statistics: a scalar >= 0."""
        images = torch.sigmoid(decoder.raw(latent, generator, self.size).float())
        found = texture.statistics(images, periodic=True, names=tuple(self.targets))
        wanted = {name: table[indices] for name, table in self.targets.items()}
        parts = texture.discrepancy(found, wanted)
        return torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()


PIXEL_LIKELIHOODS: dict[str, Likelihood] = {
    "mse": squared_error,
    "mae": absolute_error,
    "bernoulli": bernoulli,
}
