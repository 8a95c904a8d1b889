"""The normal posterior of a latent: how it is sampled, joined and handed to the decoder of another technique."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_STD = 1e-4


@dataclass(frozen=True)
class Posterior:
    """Normals over the latent: ``mean`` and ``std`` (> 0), each ``(B, C, g, g)``.

    Parameters
    ----------
    mean, std : Tensor
        Mean and standard deviation of samples.
    correlation : Tensor, optional
        ``(C, C)``, lower triangular with rows of norm 1: the Cholesky factor of the correlations of the channels at
        one place. Without it the channels are independent.
    toward : mapping of modality to Tensor
        Further channels ``(B, 1 + T, 1, 1)`` for the decoder of another technique, from a
        :class:`pairvae.models.vae.ScoreRegression`.
    features : Tensor, optional
        ``(B, K)``: what the encoder made of the inputs before its trained part, where that has no places.
    """

    mean: Tensor
    std: Tensor
    correlation: Tensor | None = None
    toward: Mapping[str, Tensor] = field(default_factory=dict)
    features: Tensor | None = None

    def for_target(self, modality: str) -> Posterior:
        """The posterior that the decoder of a modality gets, with its channels of ``toward`` (standard deviation 0)."""
        if modality not in self.toward:
            return replace(self, toward={}, features=None)
        more = self.toward[modality]
        mean, std = torch.cat([self.mean, more], dim=1), torch.cat([self.std, torch.zeros_like(more)], dim=1)
        if self.correlation is None:
            return Posterior(mean, std)
        correlation = torch.eye(mean.shape[1]).to(self.correlation)
        correlation[: len(self.correlation), : len(self.correlation)] = self.correlation
        return Posterior(mean, std, correlation)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One reparameterised sample ``(B, C, g, g)`` (Kingma and Welling 2013)."""
        return self._around(self._noise(len(self.mean), generator))

    def antithetic_samples(self, generator: torch.Generator | None = None) -> Tensor:
        """Samples ``(B, C, g, g)`` two by two on opposite sides of the mean; of an odd number the last is alone.

        Each is a sample like any other. But the mean of an even number of samples of one input is exactly that of its
        posterior, so that a few of them stand for all (antithetic variates, Hammersley and Morton 1956).
        """
        noise = self._noise((len(self.mean) + 1) // 2, generator)
        return self._around(torch.stack([noise, -noise], dim=1).flatten(0, 1)[: len(self.mean)])

    def _noise(self, count: int, generator: torch.Generator | None) -> Tensor:
        shape = (count, *self.mean.shape[1:])
        return torch.randn(shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)

    def _around(self, noise: Tensor) -> Tensor:
        if self.correlation is not None:
            noise = torch.einsum("cd,bd...->bc...", self.correlation, noise)
        return self.mean + self.std * noise

    def numpy(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation as arrays, each ``(B, C, g, g)`` float32."""
        return self.mean.detach().float().cpu().numpy(), self.std.detach().float().cpu().numpy()

    def repeated(self, index: int, count: int) -> Posterior:
        """The posterior of one of its inputs, several times over.

        Parameters
        ----------
        index : int
            The input, in [0, B).
        count : int
            How many times.

        Returns
        -------
        Posterior
            Of ``count`` equal inputs.
        """
        return self._each(lambda part: part[index].expand(count, *part.shape[1:]))

    def first(self, count: int) -> Posterior:
        """The posteriors of the first inputs."""
        return self._each(lambda part: part[:count])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Posterior:
        toward = {name: change(mean) for name, mean in self.toward.items()}
        features = None if self.features is None else change(self.features)
        return Posterior(change(self.mean), change(self.std), self.correlation, toward, features)


def joined(parts: Sequence[Posterior]) -> Posterior:
    """One posterior of the inputs of several, which one encoder gave; there is at least one."""
    mean, std = (torch.cat([getattr(part, name) for part in parts]) for name in ("mean", "std"))
    toward = {name: torch.cat([part.toward[name] for part in parts]) for name in parts[0].toward}
    features = [part.features for part in parts if part.features is not None]
    joined_features = torch.cat(features) if len(features) == len(parts) else None
    return Posterior(mean, std, parts[0].correlation, toward, joined_features)


def join_statistics(outputs: Tensor) -> Tensor:
    """``(B, 2C, g, g)`` of mean and unbounded scale to mean and standard deviation (softplus, as published)."""
    mean, scale = outputs.chunk(2, dim=1)
    return torch.cat([mean, F.softplus(scale) + LEAST_STD], dim=1)
