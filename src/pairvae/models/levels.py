"""A decoder of colour-mapped patterns that adds up intensity levels and colours the sum.

Principal components of colours blur: the mean of a red and a blue ring is no violet ring of intermediate
intensity. Those of levels do not leave the colour map. Pixels that never change (gaps, beamstop) have no
component, so that the detector's mask is kept exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pairvae.models.compact import principal_components
from pairvae.models.likelihoods import Reconstruction
from pairvae.models.vae import Decoder
from pairvae.numerics.colormaps import COLOUR_STEPS, colormap_table, coloured, known_colormap, levels

OFF_MAP = 0.03  # mean distance in RGB beyond which a pixel (an edge of a gap) is kept as colours
LEAST_SPREAD = 0.1  # of the largest: weaker components are not held to more than noise allows
PIXEL_SCALE = 0.06  # makes the loss as large as squared errors per pixel: weights mean the same
FINGERPRINT = 1000  # values that tell two patterns of one number apart


class LevelDecoder(Decoder):
    """Latent to colour-mapped patterns in [0, 1], by components of levels (and of colours).

    A component has four planes: the levels of pixels on the colour map, and the colours of the others. Where the
    training patterns have no known map, all pixels are colours. ``tint`` is what JPEG adds to the map's colours.

    Parameters
    ----------
    shape : tuple of int
        ``(3, H, W)`` of the patterns.
    components : int
        Principal components K.
    width : int
        Units of the hidden layers.
    channels, grid : int
        Size of the latent ``(channels, grid, grid)``.

    Raises
    ------
    ValueError
        Where patterns do not have three channels.
    """

    basis: Tensor
    mean: Tensor
    spread: Tensor
    table: Tensor
    plain: Tensor
    tint: Tensor

    def __init__(
        self, shape: tuple[int, int, int], components: int, width: int, channels: int, grid: int
    ) -> None:
        super().__init__()
        if shape[0] != 3:
            raise ValueError("levels are those of patterns with three channels")
        self.shape = shape
        self.components = components
        height, columns = shape[1:]
        self.inputs = inputs = channels * grid * grid
        self.register_buffer("mean", torch.zeros(4 * height * columns))
        self.register_buffer("basis", torch.zeros(components, 4 * height * columns))
        self.register_buffer("spread", torch.ones(components))
        self.register_buffer("table", torch.zeros(COLOUR_STEPS, 3))
        self.register_buffer("plain", torch.ones(1, 1, height, columns, dtype=torch.bool))
        self.register_buffer("tint", torch.zeros(1, *shape))
        self.hidden = nn.Linear(inputs, width)
        self.inner = nn.Linear(width, width)
        self.output = nn.Linear(width, components)
        self.shortcut = nn.Linear(inputs, components, bias=False)

    @torch.no_grad()
    def fit(self, outputs: Tensor) -> None:
        """Colour map, tint and principal components of training patterns ``(N, 3, H, W)``."""
        colormap = known_colormap(outputs.numpy())
        self.plain.fill_(True)
        self.tint.zero_()
        if colormap is not None:
            self.table.copy_(torch.from_numpy(colormap_table(colormap)))
            shown = coloured(self._levels(outputs, colormap), self.table)
            self.plain.copy_((outputs - shown).square().sum(1).sqrt().mean(0) > OFF_MAP)
            self.tint.copy_((outputs - shown).mean(0) * ~self.plain[0])
        mean, basis, spread = principal_components(self.planes(outputs).flatten(1), self.components)
        self.mean.copy_(mean)
        self.basis.copy_(basis)
        self.spread.copy_(spread)

    @staticmethod
    def _levels(patterns: Tensor, colormap: str) -> Tensor:
        return torch.from_numpy(levels(patterns.cpu().numpy(), colormap).astype(np.float32)).to(
            patterns.device
        )

    @torch.no_grad()
    def planes(self, patterns: Tensor) -> Tensor:
        """Levels and colours ``(N, 4, H, W)`` of patterns ``(N, 3, H, W)`` in [0, 1], each 0 where the other counts."""
        level = torch.zeros_like(patterns[:, 0])
        colormap = None if bool(self.plain.all()) else known_colormap(patterns.cpu().numpy())
        if colormap is not None:
            level = self._levels(patterns, colormap)
        return torch.cat([level.unsqueeze(1) * ~self.plain, patterns * self.plain], dim=1)

    @torch.no_grad()
    def project(self, patterns: Tensor) -> Tensor:
        """Component scores ``(N, K)`` of patterns ``(N, 3, H, W)`` in [0, 1]."""
        return F.linear(self.planes(patterns).flatten(1) - self.mean, self.basis)

    def scores(self, latent: Tensor) -> Tensor:
        """Component scores ``(B, K)`` of latents ``(B, C, g, g)``.

        Of ``(B, C + 1 + K, 1, 1)``: with the share that channel C asks for of the scores in the channels after it
        (:class:`pairvae.models.vae.ScoreRegression`).
        """
        # A copy: an exported program of arithmetic on a view would hold for views of the same strides alone.
        flat = latent.flatten(1).clone(memory_format=torch.contiguous_format)
        more, flat = flat[:, self.inputs :], flat[:, : self.inputs]
        hidden = F.silu(self.hidden(flat))
        hidden = hidden + F.silu(self.inner(hidden))
        scores: Tensor = (self.output(hidden) + self.shortcut(flat)) * self.spread
        return torch.lerp(scores, more[:, 1:], more[:, :1]) if more.shape[1] else scores

    def logits(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        """The pattern before it is clamped to [0, 1]."""
        height, columns = self.shape[1:]
        planes = (F.linear(self.scores(latent), self.basis.T) + self.mean).view(-1, 4, height, columns)
        shown = coloured(planes[:, 0], self.table) + self.tint
        return torch.where(self.plain, planes[:, 1:], shown)

    def forward(self, latent: Tensor) -> Tensor:
        """The pattern, in [0, 1]."""
        return self.logits(latent).clamp(0.0, 1.0)


@dataclass
class ComponentMatch:
    """Squared error of component scores, each in its own standard deviations: a Gaussian likelihood.

    The noise of its pixels is correlated as the training patterns' are. Weak components (a spot that moves) count
    as much as strong ones (the exposure), down to a tenth; a step needs no image.

    Parameters
    ----------
    kept : dict
        Scores of the samples of one training, by number and fingerprint: a pattern is projected once.
    """

    kept: dict[tuple[int, float], Tensor] = field(default_factory=dict)

    def __call__(
        self, decoder: Decoder, latent: Tensor, inputs: Tensor, indices: Tensor, generator: torch.Generator
    ) -> Reconstruction:
        """As :class:`~pairvae.models.likelihoods.Likelihood`, for patterns ``(B, 3, H, W)``.

        Raises
        ------
        TypeError
            Where the decoder has no components of levels.
        """
        if not isinstance(decoder, LevelDecoder):
            raise TypeError("the likelihood of components is that of a decoder with components")
        some = inputs.flatten(1)[:, :: max(1, inputs[0].numel() // FINGERPRINT)]
        keys = list(zip(indices.tolist(), some.sum(1).tolist(), strict=True))
        missing = [row for row, key in enumerate(keys) if key not in self.kept]
        if missing:
            projected = decoder.project(inputs[missing])
            self.kept |= {keys[row]: scores for row, scores in zip(missing, projected, strict=True)}
        targets = torch.stack([self.kept[key] for key in keys])
        spread = decoder.spread.clamp_min(LEAST_SPREAD * float(decoder.spread.max()))
        return Reconstruction(PIXEL_SCALE * ((decoder.scores(latent) - targets) / spread).square().mean())
