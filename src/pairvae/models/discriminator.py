"""A patch discriminator: a small network that learns to tell decoded textures from true crops.

Statistics that are averages over an image let a texture be a blend of its grains: dots and lines next to one another
where true crops have grains of either. A discriminator that sees one patch at a time tells them apart. Only training
uses it (:mod:`pairvae.training.adversarial`): no model has one among its weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2  # of the rectifiers below 0
BLOCK = 2  # px, folded into channels at the start
PATCH = 40  # px, what one score sees
OLD_PREFIX, OLD_PROJECTION = "decoder.critic.", "belongs."  # among a VAE's weights in pairvae 0.1


def spectrally_normalised(weight: Tensor) -> Tensor:
    """Divide ``weight`` ``(out, ...)`` by its largest singular value (Miyato et al. 2018).

    The value is exact and not iterated, so it keeps no state: micro-batches see what the whole batch sees.
    """
    rows = weight.flatten(1)
    gram = rows @ rows.mT if len(rows) <= rows.shape[1] else rows.mT @ rows
    normalised: Tensor = weight / torch.linalg.eigvalsh(gram)[-1].clamp_min(1e-12).sqrt()
    return normalised


class PatchDiscriminator(nn.Module):
    """Scores of overlapping patches of 40 px, every 8 px; above 0: rather true than decoded.

    Parameters
    ----------
    width : int
        Channels of the first of four convolutions.
    channels, grid : int
        Size of the latent ``(channels, grid, grid)`` that an image belongs to. A projection of it is part of the score
        (Miyato and Koyama 2018): a true texture of another sample does not pass for one of this sample.
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
        self.projection = nn.Linear(channels * grid * grid, top)

    def forward(self, images: Tensor, latent: Tensor, *, frozen: bool = False) -> Tensor:
        """Score patches.

        Parameters
        ----------
        images : Tensor
            ``(B, 1, H, W)`` in [0, 1], sides even. Images smaller than a patch are padded with grey to one patch.
        latent : Tensor
            ``(B, C, g, g)``, the latents that the images belong to.
        frozen : bool
            Whether gradients reach the images alone.

        Returns
        -------
        Tensor
            ``(B, h, w)``, any real numbers.
        """

        def parameters(layer: nn.Conv2d | nn.Linear) -> tuple[Tensor, Tensor]:
            assert layer.bias is not None
            with torch.autocast(images.device.type, enabled=False):
                weight = spectrally_normalised(layer.weight)
            return (weight.detach(), layer.bias.detach()) if frozen else (weight, layer.bias)

        missing = [max(0, PATCH - side) for side in images.shape[-2:]]
        images = F.pad(2.0 * images - 1.0, (0, missing[1], 0, missing[0]))
        maps = F.pixel_unshuffle(images, BLOCK).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            assert isinstance(layer, nn.Conv2d)
            stride = (layer.stride[0], layer.stride[1])
            maps = F.leaky_relu(F.conv2d(maps, *parameters(layer), stride=stride), SLOPE)
        maps = maps.permute(0, 2, 3, 1)
        unconditional = F.linear(maps, *parameters(self.score))[..., 0]
        projected = F.linear(latent.flatten(1), *parameters(self.projection))[:, None, None]
        return (unconditional + (maps * projected).sum(-1)).float()


def split_discriminator(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of a VAE of any version of pairvae, and those of the discriminator that 0.1 kept among them.

    Returns
    -------
    tuple of dict
        Weights under today's names; the second is empty where there is no discriminator.
    """
    vae = {name: value for name, value in weights.items() if not name.startswith(OLD_PREFIX)}
    discriminator = {
        name.removeprefix(OLD_PREFIX).replace(OLD_PROJECTION, "projection."): value
        for name, value in weights.items()
        if name.startswith(OLD_PREFIX)
    }
    return vae, discriminator
