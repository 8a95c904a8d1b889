"""What every VAE here is made of: an encoder (part frozen, part trained), a decoder, a normal posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST_STD = 1e-4
CHUNK = 5  # what a network holds of more images leaves the processor's caches: 40 take twice as long an image


@dataclass(frozen=True)
class Posterior:
    """Normals over the latent: ``mean`` and ``std`` (> 0), each ``(B, C, g, g)``.

    They are independent, unless ``mixing`` ``(C, C)``, lower triangular, couples the channels of one place: then
    D mixing mixing^T D is their covariance, with D the square roots of ``std``. (Few samples tell a common width
    better than one of each; of the logarithm of the width half is each one's own.)
    """

    mean: Tensor
    std: Tensor
    mixing: Tensor | None = None

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One reparameterised draw, ``(B, C, g, g)`` (Kingma and Welling 2013)."""
        return self._around(self._noise(len(self.mean), generator))

    def opposed(self, generator: torch.Generator | None = None) -> Tensor:
        """Draws ``(B, C, g, g)`` two by two on opposite sides of the mean; of an odd number the last has no partner.

        Each is a draw like any other. But the mean of an even number of draws of one input is exactly that of its
        posterior, so that a few of them stand for all (antithetic variates, Hammersley and Morton 1956).
        """
        noise = self._noise((len(self.mean) + 1) // 2, generator)
        return self._around(torch.stack([noise, -noise], dim=1).flatten(0, 1)[: len(self.mean)])

    def _noise(self, count: int, generator: torch.Generator | None) -> Tensor:
        shape = (count, *self.mean.shape[1:])
        return torch.randn(shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)

    def _around(self, noise: Tensor) -> Tensor:
        if self.mixing is None:
            return self.mean + self.std * noise
        return self.mean + self.std.sqrt() * torch.einsum("cd,bd...->bc...", self.mixing, noise)

    def numpy(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of draws as arrays, each ``(B, C, g, g)`` float32."""
        std = self.std
        if self.mixing is not None:
            std = (std * self.mixing.square().sum(1)[:, None, None]).sqrt()
        return self.mean.detach().float().cpu().numpy(), std.detach().float().cpu().numpy()

    def repeated(self, index: int, count: int) -> Posterior:
        """The posterior of one of its inputs, ``count`` times over."""
        mean, std = (part[index].expand(count, *part.shape[1:]) for part in (self.mean, self.std))
        return Posterior(mean, std, self.mixing)


def split_statistics(statistics: Tensor) -> Posterior:
    """Posterior from ``(B, 2C, g, g)``: mean and standard deviation, concatenated on the channel axis."""
    mean, std = statistics.chunk(2, dim=1)
    return Posterior(mean, std)


def join_statistics(outputs: Tensor) -> Tensor:
    """``(B, 2C, g, g)`` of mean and unbounded scale to mean and standard deviation (softplus, as published)."""
    mean, scale = outputs.chunk(2, dim=1)
    return torch.cat([mean, F.softplus(scale) + LEAST_STD], dim=1)


class Encoder(nn.Module):
    """Input ``(B, ...)`` to posterior statistics ``(B, 2C, g, g)``: ``head(features(x))``.

    ``features`` is frozen, so its values may be computed once and kept; ``head`` is what training moves.
    """

    def features(self, inputs: Tensor) -> Tensor:
        """Frozen features of prepared inputs."""
        raise NotImplementedError

    def head(self, features: Tensor) -> Tensor:
        """Posterior statistics ``(B, 2C, g, g)`` of features."""
        raise NotImplementedError

    def fit(self, inputs: Tensor) -> None:
        """Set the frozen part from training inputs, where it is learned from data in closed form."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Posterior statistics ``(B, 2C, g, g)`` of prepared inputs."""
        return self.head(self.features(inputs))


class Decoder(nn.Module):
    """Latent ``(B, C, g, g)`` to an image ``(B, channels, H, W)`` in [0, 1].

    ``periodic``: its images go on at the opposite edge.
    """

    periodic = False

    def fit(self, outputs: Tensor) -> None:
        """Set what is learned from training outputs in closed form."""

    def logits(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        """What the likelihood sees before the image is squashed into [0, 1] (logits for binary images).

        ``generator`` draws the noise of a stochastic decoder; ``size`` px asks a texture decoder for that side.
        """
        raise NotImplementedError

    def forward(self, latent: Tensor) -> Tensor:
        """The image, in [0, 1]."""
        raise NotImplementedError


def decode_in_chunks(decoder: nn.Module, latents: Tensor) -> Tensor:
    """Images ``(B, channels, H, W)`` of latents ``(B, C, g, g)``, a few at a time: of any number in little memory.

    Each few have a draw of noise of their own, so that images follow from latents, the random state and ``CHUNK``.
    """
    return torch.cat([decoder(part) for part in torch.split(latents, CHUNK)])


class VAE(nn.Module):
    """One modality's encoder and decoder.

    ``mixing`` is that of its posteriors. It is measured after a training, no weight of the networks.
    """

    mixing: Tensor | None

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.register_buffer("mixing", None, persistent=False)

    def posterior(
        self, inputs: Tensor, noise: float = 0.0, generator: torch.Generator | None = None
    ) -> Posterior:
        """Posterior of prepared inputs; in training ``noise`` standard deviations are added to the features."""
        return self.posterior_of(self.encoder.features(inputs), noise, generator)

    def posterior_of(
        self, features: Tensor, noise: float = 0.0, generator: torch.Generator | None = None
    ) -> Posterior:
        """Posterior of features that were computed before."""
        if noise > 0:
            draw = torch.randn(
                features.shape, generator=generator, device=features.device, dtype=features.dtype
            )
            features = features + noise * draw
        found = split_statistics(self.encoder.head(features))
        return Posterior(found.mean, found.std, self.mixing)
