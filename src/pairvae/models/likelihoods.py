"""How well a decoder's output explains a sample: one small function object per likelihood, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from pairvae.models.posterior import Posterior
from pairvae.models.vae import Decoder
from pairvae.numerics import texture_statistics as texture


class Reconstruction(NamedTuple):
    """How well decoded samples explain the inputs.

    Attributes
    ----------
    loss : Tensor
        Negative log likelihood, a scalar.
    images : Tensor, optional
        Decoded textures ``(B, 1, N, N)`` in [0, 1]; None where they are no textures.
    """

    loss: Tensor
    images: Tensor | None = None


class Likelihood(Protocol):
    """Negative log likelihood (up to constants) of samples under decoded latents."""

    def __call__(
        self, decoder: Decoder, latent: Tensor, inputs: Tensor, indices: Tensor, generator: torch.Generator
    ) -> Reconstruction:
        """Compare samples with what is decoded of latents.

        Parameters
        ----------
        decoder : Decoder
            Of the samples' modality.
        latent : Tensor
            ``(B, C, g, g)``.
        inputs : Tensor
            The samples, ``(B, channels, H, W)`` in [0, 1].
        indices : Tensor
            Their numbers ``(B,)`` among the training samples.
        generator : torch.Generator
            Draws the noise of a stochastic decoder.

        Returns
        -------
        Reconstruction
            The loss, and the images of decoders of textures.
        """
        ...


@dataclass(frozen=True)
class PixelMatch:
    """Pixel by pixel, what is decoded (before it is squashed) against the sample.

    Parameters
    ----------
    loss : callable
        Mean loss of logits and samples, both ``(B, channels, H, W)``.
    """

    loss: Callable[[Tensor, Tensor], Tensor]

    def __call__(
        self, decoder: Decoder, latent: Tensor, inputs: Tensor, indices: Tensor, generator: torch.Generator
    ) -> Reconstruction:
        """As :meth:`Likelihood.__call__`, without images."""
        return Reconstruction(self.loss(decoder.logits(latent, generator), inputs))


@dataclass
class TextureMatch:
    """Distance of a decoded texture's statistics from those of its crop or of its sample, whatever lies where.

    Parameters
    ----------
    targets : mapping of str to Tensor, optional
        Statistics ``(N, D)`` of all training samples' whole images, by name. None: each crop is compared with its own,
        so that the latent also carries in what the crops of one sample differ.
    weights : mapping of str to float
        Of the statistics, by name; 0 leaves one out.
    size : int
        Side of the decoded textures, px.
    """

    targets: Mapping[str, Tensor] | None
    weights: Mapping[str, float]
    size: int
    _last: tuple[Tensor, dict[str, Tensor]] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The statistics that count."""
        return tuple(name for name, weight in self.weights.items() if weight > 0)

    def __call__(
        self, decoder: Decoder, latent: Tensor, inputs: Tensor, indices: Tensor, generator: torch.Generator
    ) -> Reconstruction:
        """As :class:`Likelihood`: the weighted mean absolute differences of the statistics, >= 0, and the textures."""
        images = torch.sigmoid(decoder.logits(latent, generator, self.size).float())
        statistics = texture.statistics(images, periodic=decoder.periodic, names=self.names)
        differences = texture.discrepancy(statistics, self._targets(inputs, indices))
        weighted = [self.weights[name] * difference for name, difference in differences.items()]
        return Reconstruction(torch.stack(weighted).sum(), images)

    @torch.no_grad()
    def _targets(self, inputs: Tensor, indices: Tensor) -> dict[str, Tensor]:
        if self.targets is None:
            if self._last is None or self._last[0] is not inputs:  # a pair's two directions share their crops
                self._last = inputs, texture.statistics(inputs, names=self.names)
            return self._last[1]
        return {name: self.targets[name][indices] for name in self.names}


def posterior_divergence(cropped: Posterior, uncropped: Posterior) -> Tensor:
    """Kullback-Leibler divergence of a crop's posterior from that of the modality without crops.

    Its mean over the crops of a sample is least where ``uncropped`` has the mean and the spread of all of theirs: the
    posterior of a pattern then is as wide as what the pattern does not determine (Suzuki et al. 2016).

    Parameters
    ----------
    cropped, uncropped : Posterior
        ``(B, C, g, g)`` each; gradients flow to ``uncropped`` only.

    Returns
    -------
    Tensor
        ``(B,)``, nats.
    """
    mean, std = cropped.mean.detach(), cropped.std.detach()
    gap = (std.square() + (mean - uncropped.mean).square()) / (2.0 * uncropped.std.square())
    return (gap - 0.5 + uncropped.std.log() - std.log()).flatten(1).sum(1)


PIXEL_LIKELIHOODS: dict[str, Likelihood] = {
    "mse": PixelMatch(F.mse_loss),  # a Gaussian of fixed width
    "mae": PixelMatch(F.l1_loss),  # a Laplace distribution of fixed width, for heavy-tailed counts
    "bernoulli": PixelMatch(
        F.binary_cross_entropy_with_logits
    ),  # binary images (paper, pair and solo losses)
}
