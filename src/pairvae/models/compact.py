"""Principal components and a small dense network: what 48 patterns teach without being learned by heart."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pairvae.models.posterior import join_statistics
from pairvae.models.vae import Decoder, Encoder


def principal_components(samples: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components of samples, by the N x N Gram matrix where N < D.

    Directions past the rank are zero, with standard deviation 1, so that small data sets need no special case.

    Parameters
    ----------
    samples : Tensor
        ``(N, D)``.
    count : int
        Components K.

    Returns
    -------
    tuple of Tensor
        Mean ``(D,)``, leading directions ``(K, D)`` and standard deviations along them ``(K,)``, float32.
    """
    work = samples.double()
    mean = work.mean(0)
    centred = work - mean
    _, values, directions = torch.linalg.svd(centred, full_matrices=False)
    kept = int(min(count, len(samples) - 1, int((values > values[0] * 1e-6).sum())))
    basis = torch.zeros(count, samples.shape[1], dtype=torch.float64)
    spread = torch.ones(count, dtype=torch.float64)
    # The sign of a singular vector is arbitrary: fix it, so that equal data give equal components.
    signs = directions[:kept].sum(1).sign()
    signs[signs == 0] = 1.0
    basis[:kept] = directions[:kept] * signs[:, None]
    spread[:kept] = values[:kept] / max(len(samples) - 1, 1) ** 0.5
    return mean.float(), basis.float(), spread.float()


class DenseHead(nn.Module):
    """Features ``(B, K)`` to posterior statistics ``(B, 2C, g, g)``: one residual hidden layer.

    Parameters
    ----------
    inputs : int
        Features K.
    width : int
        Units of the hidden layers.
    channels, grid : int
        Size of the latent ``(channels, grid, grid)``.
    """

    def __init__(self, inputs: int, width: int, channels: int, grid: int) -> None:
        super().__init__()
        self.shape = (2 * channels, grid, grid)
        outputs = 2 * channels * grid * grid
        self.hidden = nn.Linear(inputs, width)
        self.inner = nn.Linear(width, width)
        self.output = nn.Linear(width, outputs)
        self.shortcut = nn.Linear(inputs, outputs, bias=False)
        nn.init.zeros_(self.output.bias)
        with torch.no_grad():
            self.output.weight.mul_(0.1)
            # softplus(-2) = 0.13: posteriors start narrow, so that the decoder sees the data from the first step
            self.output.bias.view(2, -1)[1].fill_(-2.0)

    def last_hidden(self, features: Tensor) -> Tensor:
        """``(B, width + K)``: what the posterior statistics, before their softplus, depend on linearly."""
        return torch.cat([self._hidden(features), features], dim=1)

    def _hidden(self, features: Tensor) -> Tensor:
        hidden = F.silu(self.hidden(features))
        return hidden + F.silu(self.inner(hidden))

    def forward(self, features: Tensor) -> Tensor:
        """Posterior statistics."""
        statistics = self.output(self._hidden(features)) + self.shortcut(features)
        return join_statistics(statistics.view(-1, *self.shape))

    @torch.no_grad()
    def blend(self, weight: Tensor, bias: Tensor, share: float) -> None:
        """Let the mean be in part a linear function of the features; the standard deviation is not touched.

        Parameters
        ----------
        weight : Tensor
            ``(C g g, K)``, times the features.
        bias : Tensor
            ``(C g g,)``, added to that.
        share : float
            Of that in the mean, in [0, 1]; the rest of it is what it was.
        """
        means = len(bias)
        for parameter, blended in ((self.output.bias, bias), (self.shortcut.weight, weight)):
            parameter[:means].lerp_(blended.to(parameter), share)
        self.output.weight[:means] *= 1.0 - share


class ComponentEncoder(Encoder):
    """Descriptors ``(B, D)`` of an input to posterior statistics, by their principal components.

    A subclass gives the descriptors, calls :meth:`add_components` and sets ``dense`` when it is made, and calls
    :meth:`fit_components` in its ``fit``.
    """

    basis: Tensor
    mean: Tensor
    spread: Tensor
    dense: DenseHead

    def add_components(self, size: int, components: int) -> None:
        """Make room for principal components, which ``fit`` fills.

        Parameters
        ----------
        size : int
            Numbers D of an input's descriptors.
        components : int
            Components K.
        """
        self.components = components
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.zeros(components, size))
        self.register_buffer("spread", torch.ones(components))

    @torch.no_grad()
    def fit_components(self, descriptors: Tensor) -> None:
        """Principal components of the descriptors ``(N, D)`` of the training inputs."""
        for buffer, value in zip(
            (self.mean, self.basis, self.spread),
            principal_components(descriptors, self.components),
            strict=True,
        ):
            buffer.copy_(value)

    def descriptors(self, inputs: Tensor) -> Tensor:
        """What the components are of, ``(B, D)``."""
        raise NotImplementedError

    def features(self, inputs: Tensor) -> Tensor:
        """Whitened component scores ``(B, K)``."""
        return F.linear(self.descriptors(inputs) - self.mean, self.basis) / self.spread

    def head(self, features: Tensor) -> Tensor:
        """Posterior statistics ``(B, 2C, g, g)``."""
        statistics: Tensor = self.dense(features)
        return statistics

    def last_hidden(self, features: Tensor) -> Tensor:
        """What the last layer sees, ``(B, width + K)``."""
        return self.dense.last_hidden(features)


class CompactEncoder(ComponentEncoder):
    """Prepared arrays ``(B, channels, H, W)`` in [0, 1] to posterior statistics, by principal components.

    Parameters
    ----------
    shape : tuple of int
        ``(channels, H, W)``.
    pool : int
        Side of the squares of pixels that are averaged first.
    components : int
        Principal components K.
    width : int
        Units of the hidden layers.
    channels, grid : int
        Size of the latent ``(channels, grid, grid)``.
    """

    def __init__(
        self, shape: tuple[int, int, int], pool: int, components: int, width: int, channels: int, grid: int
    ) -> None:
        super().__init__()
        self.pool = (min(pool, shape[1]), min(pool, shape[2]))
        size = shape[0] * (shape[1] // self.pool[0]) * (shape[2] // self.pool[1])
        self.add_components(size, components)
        self.dense = DenseHead(components, width, channels, grid)

    def descriptors(self, inputs: Tensor) -> Tensor:
        """Pooled pixels ``(B, D)``."""
        return F.avg_pool2d(inputs, self.pool).flatten(1)

    def fit(self, inputs: Tensor) -> None:
        """Principal components of the training inputs."""
        self.fit_components(self.descriptors(inputs))


class CompactDecoder(Decoder):
    """Latent to ``(B, channels, H, W)`` in [0, 1]: a dense network to component scores, and their images.

    Parameters
    ----------
    shape : tuple of int
        ``(channels, H, W)``.
    components : int
        Principal components K.
    width : int
        Units of the hidden layers.
    channels, grid : int
        Size of the latent ``(channels, grid, grid)``.
    """

    basis: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(
        self, shape: tuple[int, int, int], components: int, width: int, channels: int, grid: int
    ) -> None:
        super().__init__()
        self.shape = shape
        self.components = components
        size = shape[0] * shape[1] * shape[2]
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.zeros(components, size))
        self.register_buffer("spread", torch.ones(components))
        self.hidden = nn.Linear(channels * grid * grid, width)
        self.inner = nn.Linear(width, width)
        self.output = nn.Linear(width, components)
        self.shortcut = nn.Linear(channels * grid * grid, components, bias=False)

    @torch.no_grad()
    def fit(self, outputs: Tensor) -> None:
        """Principal components of the training outputs, at full size."""
        mean, basis, spread = principal_components(outputs.flatten(1), self.components)
        self.mean.copy_(mean)
        self.basis.copy_(basis)
        self.spread.copy_(spread)

    def logits(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        """The image before it is clamped to [0, 1]."""
        flat = latent.flatten(1)
        hidden = F.silu(self.hidden(flat))
        hidden = hidden + F.silu(self.inner(hidden))
        scores = (self.output(hidden) + self.shortcut(flat)) * self.spread
        return (F.linear(scores, self.basis.T) + self.mean).view(-1, *self.shape)

    def forward(self, latent: Tensor) -> Tensor:
        """The image, in [0, 1]."""
        return self.logits(latent).clamp(0.0, 1.0)
