"""A U-Net from one modality straight to the other: what the paper weighs against a VAE (Ronneberger et al. 2015)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 4


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3 x 3 convolutions; normalised by sample, so that a prediction does not depend on its batch."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(GROUPS, outputs),
            nn.SiLU(),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Arrays of one modality to logits of the other.

    It starts from the mean target, which :meth:`fit` is given, and learns what an input changes of it.

    Parameters
    ----------
    source : tuple of int
        ``(channels, H, W)`` of its inputs; ``H`` and ``W`` are multiples of ``2 ** len(widths)``.
    target : tuple of int
        ``(channels', H', W')`` of its outputs.
    widths : sequence of int
        Channels of the levels, the finest first, multiples of 4. The finest works at half the side (a pixel is a block
        of four), each further one at half of that.
    """

    mean: Tensor

    def __init__(
        self, source: tuple[int, int, int], target: tuple[int, int, int], widths: Sequence[int]
    ) -> None:
        super().__init__()
        self.target = target
        inputs = (4 * source[0], *widths[:-1])
        self.down = nn.ModuleList(_block(a, b) for a, b in zip(inputs, widths, strict=True))
        pairs = list(itertools.pairwise(widths))
        self.up = nn.ModuleList(_block(fine + coarse, fine) for fine, coarse in reversed(pairs))
        self.output = nn.Conv2d(widths[0], 4 * target[0], 1)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)  # type: ignore[arg-type]  # there is one
        self.register_buffer("mean", torch.zeros(target))

    @torch.no_grad()
    def fit(self, mean: Tensor) -> None:
        """Start from the mean target ``(channels', H', W')``, or one that broadcasts to it, in [0, 1]."""
        self.mean.copy_(torch.logit(mean.expand(self.target), eps=1e-3))

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits ``(B, channels', H', W')`` of inputs ``(B, channels, H, W)`` in [0, 1]."""
        maps = F.pixel_unshuffle(inputs, 2)
        skipped: list[Tensor] = []
        for level, block in enumerate(self.down):
            if level:
                skipped.append(maps)
                maps = F.avg_pool2d(maps, 2)
            maps = block(maps)
        for block in self.up:
            maps = F.interpolate(maps, scale_factor=2.0, mode="nearest")
            maps = block(torch.cat([maps, skipped.pop()], dim=1))
        logits = F.pixel_shuffle(self.output(maps), 2)
        if logits.shape[-2:] != self.target[1:]:
            logits = F.interpolate(logits, size=self.target[1:], mode="bilinear")
        return logits + self.mean


def fits(source: tuple[int, int, int], levels: int) -> bool:
    """Whether arrays can be halved as often as a U-Net does.

    Parameters
    ----------
    source : tuple of int
        ``(channels, H, W)`` of the arrays.
    levels : int
        Levels of the U-Net.

    Returns
    -------
    bool
        Whether both sides are multiples of ``2 ** levels``.
    """
    step = 2**levels
    return all(length % step == 0 for length in source[1:])
