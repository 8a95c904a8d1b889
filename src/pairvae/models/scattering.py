"""An encoder of patterns of any detector and dose: by radial curves of what it sees, not by the colours of one look."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pairvae.models.posterior import join_statistics
from pairvae.models.vae import Encoder
from pairvae.numerics.colormaps import COLOUR_STEPS, colormap_table, known_colormap
from pairvae.numerics.scattering import harmonics

POOL = 2  # patterns vary slowly, and their colours are looked up in a quarter of the time


def fraction_feature(phase_fraction: Tensor) -> Tensor:
    """Phase fractions in [0, 1] on the scale of the other features."""
    return 4.0 * (phase_fraction - 0.5)


class ScatteringEncoder(Encoder):
    """Patterns ``(B, 3, H, H)`` in [0, 1] to posterior statistics.

    The frozen part reads levels from colours or grey, and from these the radial curves of angular harmonics
    (:func:`pairvae.numerics.scattering.harmonics.curves_of_levels`); a dense network makes the posterior of them.
    A pattern does not tell how much of the image is bright, nor which phase is (Babinet's principle). So that is an
    input of its own: a buffer, half of each phase by default. The mean of all answers would be like none of them.

    Parameters
    ----------
    width : int
        Units of each of the two hidden layers.
    channels, grid : int
        C and g of the latent.
    """

    table: Tensor
    q_edge: Tensor
    phase_fraction: Tensor

    def __init__(self, width: int, channels: int, grid: int) -> None:
        super().__init__()
        self.shape = (2 * channels, grid, grid)
        self.register_buffer("table", torch.from_numpy(colormap_table("vge")).float())
        self.register_buffer("q_edge", torch.full((1,), harmonics.Q_EDGE))
        self.register_buffer("phase_fraction", torch.full((1, 1), 0.5))
        self.dense = nn.Sequential(
            nn.Linear(harmonics.SIZE + 1, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, 2 * channels * grid * grid),
        )

    @torch.no_grad()
    def fit(self, inputs: Tensor) -> None:
        """The colour map of the training patterns, or grey levels."""
        colormap = known_colormap(inputs.cpu().numpy())
        if colormap is None:
            self.table.copy_(torch.linspace(0, 1, COLOUR_STEPS)[:, None].expand(-1, 3))
        else:
            self.table.copy_(torch.from_numpy(colormap_table(colormap)))

    def levels(self, patterns: Tensor) -> Tensor:
        """Levels ``(B, H / 2, H / 2)`` in [0, 1]: the place of the nearest colour on the map; of grey, the grey."""
        small = F.avg_pool2d(patterns, POOL)
        colours = small.flatten(2).mT  # (B, P, 3)
        table = self.table.to(colours.dtype)
        away = table.square().sum(1) - 2.0 * colours @ table.mT
        on_map = away.argmin(2).to(colours.dtype) / (COLOUR_STEPS - 1)
        grey = (colours.amax(2) - colours.amin(2)).mean(1, keepdim=True) < 1e-3
        return torch.where(grey, colours.mean(2), on_map).view(-1, *small.shape[-2:])

    def curves(self, inputs: Tensor) -> Tensor:
        """Radial curves of angular harmonics, ``(B, 384)``."""
        levels = self.levels(inputs)
        # Not len(): an exported program would hold for batches of that length alone.
        return harmonics.curves_of_levels(levels, self.q_edge.expand(levels.shape[0]))

    def features(self, inputs: Tensor) -> Tensor:
        """Radial curves of angular harmonics and the phase fraction, ``(B, 385)``."""
        curves = self.curves(inputs)
        fraction = fraction_feature(self.phase_fraction).to(curves.dtype)
        return torch.cat([curves, fraction.expand(curves.shape[0], 1)], dim=1)

    def head(self, features: Tensor) -> Tensor:
        """Posterior statistics ``(B, 2C, g, g)``."""
        return join_statistics(self.dense(features).view(-1, *self.shape))

    def last_hidden(self, features: Tensor) -> Tensor:
        """``(B, width)``: what the posterior statistics, before their softplus, depend on linearly."""
        hidden: Tensor = self.dense[:-1](features)
        return hidden
