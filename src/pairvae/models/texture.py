"""The texture VAE: an encoder of texture statistics and a decoder that turns noise into texture.

One scattering pattern belongs to endlessly many micrographs. So the latent says what a morphology is like,
noise says where its domains lie, and the likelihood (numerics/texture_statistics.py) compares what all
crops of a sample share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pairvae.models.compact import ComponentEncoder, DenseHead
from pairvae.models.torus import circular_pad, smoothed
from pairvae.models.vae import Decoder
from pairvae.numerics import texture_statistics as texture

STYLE_WIDTH = 128
FIT_CHUNK = 64
ENCODED = ("autocovariance", "phase_fraction", "lineal_path")


class TextureEncoder(ComponentEncoder):
    """Binary crops ``(B, 1, H, W)`` to posterior statistics, by components of their texture statistics.

    Parameters
    ----------
    components : int
        Principal components K.
    width : int
        Units of the hidden layers.
    channels, grid : int
        Size of the latent ``(channels, grid, grid)``.
    encoded : sequence of str
        Names of the statistics (:func:`pairvae.numerics.texture_statistics.statistics`).
    """

    scale: Tensor

    def __init__(
        self, components: int, width: int, channels: int, grid: int, encoded: Sequence[str] = ENCODED
    ) -> None:
        super().__init__()
        self.encoded = tuple(encoded)
        with torch.device(
            "cpu"
        ):  # on "meta", where a card is checked, torch would import its compiler for them
            empty = texture.statistics(torch.zeros(1, 1, 96, 96), names=self.encoded)
        self.sizes = sizes = [part.shape[1] for part in empty.values()]
        self.register_buffer("scale", torch.ones(len(sizes)))
        self.add_components(sum(sizes), components)
        self.dense = DenseHead(components, width, channels, grid)

    def descriptors(self, inputs: Tensor) -> Tensor:
        """Texture statistics ``(B, D)`` of crops."""
        parts = texture.statistics(inputs, names=self.encoded).values()
        return torch.cat([part * scale for part, scale in zip(parts, self.scale, strict=True)], dim=1)

    @torch.no_grad()
    def fit(self, inputs: Tensor) -> None:
        """Components of the statistics of training crops, each kind with the same total variance."""
        self.scale.fill_(1.0)
        statistics = torch.cat([self.descriptors(part) for part in torch.split(inputs, FIT_CHUNK)])
        kinds = torch.split(statistics, self.sizes, dim=1)
        variances = torch.stack([kind.var(0, correction=0).sum() for kind in kinds])
        self.scale.copy_(variances.clamp_min(1e-12).rsqrt())
        scaled = torch.cat([kind * scale for kind, scale in zip(kinds, self.scale, strict=True)], dim=1)
        self.fit_components(scaled)


def grown_convolution(padded: Tensor, weight: Tensor) -> Tensor:
    """Convolve maps whose pixels are doubled both ways, without making those: 4 products in place of 9.

    Of the 3 x 3 pixels that a kernel meets on doubled pixels only 2 x 2 differ, so that a transposed convolution
    does the same with a 4 x 4 kernel, the sum of the given one at four places.

    Parameters
    ----------
    padded : Tensor
        ``(B, inputs, h + 2, w + 2)``: maps with one pixel more on all sides.
    weight : Tensor
        ``(outputs, inputs, 3, 3)``.

    Returns
    -------
    Tensor
        ``(B, outputs, 2 h, 2 w)``.
    """
    kernel = sum(F.pad(weight, (across, 1 - across, down, 1 - down)) for down in (0, 1) for across in (0, 1))
    assert isinstance(kernel, Tensor)
    return F.conv_transpose2d(padded, kernel.transpose(0, 1).flip(2, 3), stride=2, padding=3)


class StyledConv(nn.Module):
    """3 x 3 convolution on a torus, noise of learned strength, instance norm, scale and shift, SiLU.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    grows : bool
        Whether each pixel is doubled both ways before the convolution.
    """

    def __init__(self, inputs: int, outputs: int, *, grows: bool = False) -> None:
        super().__init__()
        self.grows = grows
        self.conv = nn.Conv2d(inputs, outputs, 3, bias=False)
        self.strength = nn.Parameter(torch.full((1, outputs, 1, 1), 0.1))
        self.style = nn.Conv2d(STYLE_WIDTH, 2 * outputs, 1)

    def forward(self, maps: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """Convolve maps in a style.

        Parameters
        ----------
        maps : Tensor
            ``(B, inputs, h, w)``.
        style : Tensor
            ``(B, 128, g, g)``: sets scale and shift.
        noise : Tensor
            ``(B, 1, h, w)``, or twice as high and wide where the layer grows; standard normal.

        Returns
        -------
        Tensor
            ``(B, outputs, ...)``, as high and wide as ``noise``.
        """
        padded = circular_pad(maps, 1)
        maps = grown_convolution(padded, self.conv.weight) if self.grows else self.conv(padded)
        # In the convolution's precision: a float32 factor would widen all maps that follow, and take a third longer.
        maps = torch.addcmul(maps, self.strength.to(maps.dtype), noise.to(maps.dtype))
        gain, shift = self.style(style).float().chunk(2, dim=1)
        if gain.shape[-1] > 1:
            size = maps.shape[-2:]
            gain, shift = (F.interpolate(cells, size=size, mode="bilinear") for cells in (gain, shift))
            return F.silu(F.instance_norm(maps) * (1.0 + gain) + shift)
        # An instance norm with a scale and a shift of its own for each image is a batch norm of all maps of all images
        # as channels of one: one operation instead of three.
        batch, channels, height, width = maps.shape
        merged = maps.reshape(1, batch * channels, height, width)
        normed = F.batch_norm(merged, None, None, 1.0 + gain.reshape(-1), shift.reshape(-1), training=True)
        return F.silu(normed.reshape(batch, channels, height, width))


def stretched(maps: Tensor, factors: Tensor) -> Tensor:
    """Stretch textures on a torus about their middle, by cubic convolution (Keys 1981), exact where a factor is 1.

    What is shrunk is continued around the torus, what is grown is cut: the result is as large, but no torus any more.

    Parameters
    ----------
    maps : Tensor
        ``(B, C, N, N)``.
    factors : Tensor
        ``(B, 2)``, > 0: by how much lengths grow down and across.

    Returns
    -------
    Tensor
        ``(B, C, N, N)``.
    """
    side = maps.shape[-1]
    middle = (side - 1) / 2
    pixels = torch.arange(side, device=maps.device, dtype=maps.dtype)

    def weights(factor: Tensor) -> Tensor:
        source = (pixels - middle) / factor[:, None] + middle
        gap = source[:, :, None] - pixels
        near = (gap - side * torch.round(gap / side)).abs()
        inner = (1.5 * near - 2.5) * near * near + 1.0
        outer = ((2.5 - 0.5 * near) * near - 4.0) * near + 2.0
        zero = torch.zeros_like(near)
        return torch.where(near < 1, inner, torch.where(near < 2, outer, zero))[:, None]

    resampled: Tensor = weights(factors[:, 0]) @ maps @ weights(factors[:, 1]).mT
    return resampled


class TextureDecoder(Decoder):
    """Latent ``(B, C, g, g)`` and noise to a texture of any side that is a multiple of ``shrink`` px.

    Parameters
    ----------
    size : int
        Side of the training crops, px.
    channels : int
        Channels of the latent.
    noise_channels : int
        Maps of noise that the first block convolves.
    widths : sequence of int
        Channels of the blocks, the coarsest first; each block doubles the side, the last layer too.
    stretch : float
        In [0, 1). With it the latent also sets the length scale along each axis, to 1 +- ``stretch`` of the trained
        one: convolutions change what domains look like more easily than how far apart they lie.
    smooth : int
        Runs of a binomial filter over what is drawn: domains get the smooth edges of an interface.
    """

    any_size = True

    def __init__(
        self,
        size: int,
        channels: int,
        noise_channels: int,
        widths: Sequence[int],
        stretch: float = 0.0,
        smooth: int = 0,
    ) -> None:
        super().__init__()
        self.shrink = 2 ** len(widths)
        self.stretch = stretch
        self.smooth = smooth
        self.periodic = stretch == 0
        self.size = size
        self.noise_channels = noise_channels
        self.mapping = nn.Sequential(
            nn.Conv2d(channels, STYLE_WIDTH, 1), nn.SiLU(), nn.Conv2d(STYLE_WIDTH, STYLE_WIDTH, 1), nn.SiLU()
        )
        inputs = (noise_channels, *widths[:-1])
        self.first = nn.ModuleList(
            StyledConv(*sizes, grows=level > 0)
            for level, sizes in enumerate(zip(inputs, widths, strict=True))
        )
        self.second = nn.ModuleList(StyledConv(b, b) for b in widths)
        self.output = nn.Conv2d(widths[-1], 4, 5)
        # Full contrast from the first step: at a flat grey the gradient of the autocovariance vanishes.
        self.gain = nn.Parameter(torch.tensor(4.0))
        self.bias = nn.Conv2d(STYLE_WIDTH, 1, 1)
        if stretch:
            self.lengths = nn.Conv2d(STYLE_WIDTH, 2, 1)
            for parameter in self.lengths.parameters():
                nn.init.zeros_(parameter)

    def logits(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        """Logits ``(B, 1, size, size)`` of the bright phase."""
        batch, cells = latent.shape[0], (size or self.size) // self.shrink

        def draw(maps: int, side: int) -> Tensor:
            shape = (batch, maps, side, side)
            if generator is None:  # torch.export knows only this form with a free batch
                return torch.randn(shape, device=latent.device, dtype=latent.dtype)
            return torch.randn(shape, generator=generator, device=latent.device, dtype=latent.dtype)

        style = self.mapping(latent)
        maps = draw(self.noise_channels, cells)
        for level, (first, second) in enumerate(zip(self.first, self.second, strict=True)):
            side = cells * 2**level
            maps = first(maps, style, draw(1, side))
            maps = second(maps, style, draw(1, side))
        logits = smoothed(F.pixel_shuffle(self.output(circular_pad(maps, 2)), 2), self.smooth)
        bias = self.bias(style)
        if bias.shape[-1] > 1:
            bias = F.interpolate(bias, size=logits.shape[-2:], mode="bilinear")
        scaled: Tensor = self.gain * logits + bias
        if self.stretch:
            scaled = stretched(scaled, 1.0 + self.stretch * torch.tanh(self.lengths(style).mean((2, 3))))
        return scaled

    @torch.no_grad()
    def add_length_bias(self, weight: Tensor, bias: Tensor) -> None:
        """Add to what sets the two length scales.

        Parameters
        ----------
        weight : Tensor
            ``(2, 128)``, times the style.
        bias : Tensor
            ``(2,)``.
        """
        for parameter, added in zip(self.lengths.parameters(), (weight[:, :, None, None], bias), strict=True):
            parameter.add_(added.to(parameter))

    def forward(self, latent: Tensor) -> Tensor:
        """Probability of the bright phase, ``(B, 1, size, size)``; fresh noise at each call."""
        return torch.sigmoid(self.logits(latent))

    def enlarged(self, latent: Tensor, size: int) -> Tensor:
        """Probability of the bright phase, cut from the middle of a larger texture.

        That is at least as large as in training, which the instance norms are used to, and so much larger than
        ``size`` that a shortened length scale brings in nothing from the other side of the torus, which would repeat.
        """
        least = max(size / (1.0 - self.stretch), self.size)
        side = self.shrink * math.ceil(least / self.shrink)
        start = (side - size) // 2
        middle = slice(start, start + size)
        return torch.sigmoid(self.logits(latent, size=side)[..., middle, middle])
