"""A critic of patches: a small network that learns to tell decoded textures from true crops.

Statistics that are averages over an image let a texture be a blend of its grains: dots and lines next to one another
where true crops have grains of either. A critic that sees one patch at a time tells them apart, and the decoder learns
from it. It is used in training alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2  # of the rectifiers below 0
BLOCK = 2  # px, folded into channels at the start
PATCH = 40  # px, what one score sees
CRITIC = 0.1  # of its loss: nothing to Adam, and its gradient is a small part of what is clipped together


def normalised(weight: Tensor) -> Tensor:
    """``weight`` ``(out, ...)`` over its largest singular value (Miyato et al. 2018).

    Found exactly and not by iteration, it keeps no state: what is computed in parts is what it is at once.
    """
    rows = weight.flatten(1)
    gram = rows @ rows.mT if len(rows) <= rows.shape[1] else rows.mT @ rows
    found: Tensor = weight / torch.linalg.eigvalsh(gram)[-1].clamp_min(1e-12).sqrt()
    return found


class PatchCritic(nn.Module):
    """Scores of overlapping patches of 40 px, every 8 px; above 0: rather true than decoded.

    ``width`` are the channels of the first of four convolutions, ``channels`` times ``grid`` squared the numbers of
    the latent that the image belongs to (Miyato and Koyama 2018): a critic that knows it cannot be pleased by a true
    texture of another sample.
    """

    def __init__(self, width: int, channels: int, grid: int) -> None:
        super().__init__()
        top = 4 * width
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(BLOCK**2, width, 3),
                nn.Conv2d(width, 2 * width, 4, stride=2),
                nn.Conv2d(2 * width, top, 4, stride=2),
                nn.Conv2d(top, top, 3),
            ]
        )
        self.score = nn.Linear(top, 1)
        self.belongs = nn.Linear(channels * grid * grid, top)

    def forward(self, images: Tensor, latent: Tensor, *, frozen: bool = False) -> Tensor:
        """Scores ``(B, h, w)`` of images ``(B, 1, H, W)`` in [0, 1], sides even, of latents ``(B, C, g, g)``.

        Images smaller than a patch are one, with grey around it. ``frozen``: gradients reach the images alone.
        """

        def of(layer: nn.Conv2d | nn.Linear) -> tuple[Tensor, Tensor]:
            assert layer.bias is not None
            with torch.autocast(images.device.type, enabled=False):
                weight = normalised(layer.weight)
            return (weight.detach(), layer.bias.detach()) if frozen else (weight, layer.bias)

        least = [max(0, PATCH - side) for side in images.shape[-2:]]
        images = F.pad(2.0 * images - 1.0, (0, least[1], 0, least[0]))
        maps = F.pixel_unshuffle(images, BLOCK).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            assert isinstance(layer, nn.Conv2d)
            stride = (layer.stride[0], layer.stride[1])
            maps = F.leaky_relu(F.conv2d(maps, *of(layer), stride=stride), SLOPE)
        maps = maps.permute(0, 2, 3, 1)
        likely = F.linear(maps, *of(self.score))[..., 0]
        fits = (maps * F.linear(latent.flatten(1), *of(self.belongs))[:, None, None]).sum(-1)
        return (likely + fits).float()


def duel(critic: PatchCritic, decoded: Tensor, true: Tensor, latent: Tensor, weight: float) -> Tensor:
    """What critic and decoder have to learn from one another: a scalar of value 0 with the gradients of both.

    The critic's is ``CRITIC`` times that of the hinge loss (Lim and Ye 2017) max(0, 1 - D(true)) + max(0, 1 +
    D(decoded)), the decoder's that of -``weight`` D(decoded). Each wins what the other loses, so their sum says
    nothing and is left out of the loss that is reported. ``decoded`` and ``true`` are ``(B, 1, N, N)`` in [0, 1]. Of a
    decoded image the critic sees the phases, as everybody will who uses it; the gradient passes as if it saw the grey
    values.
    """
    latent = latent.detach()
    phases = decoded + ((decoded >= 0.5).to(decoded.dtype) - decoded).detach()
    scores = critic(torch.cat([true.to(phases.dtype), phases.detach()]), torch.cat([latent, latent]))
    of_true, of_decoded = scores.chunk(2)
    told = F.relu(1.0 - of_true).mean() + F.relu(1.0 + of_decoded).mean()
    pleased = critic(phases, latent, frozen=True).mean()
    both = CRITIC * told - weight * pleased
    nothing: Tensor = both - both.detach()
    return nothing
