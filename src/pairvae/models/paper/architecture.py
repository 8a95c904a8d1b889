"""The published networks (Lu and Jayaraman 2023): a frozen ResNet-50, dense heads, transposed convolutions.

Initial values and batch norms are Keras's, whose layers the published networks were made of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pairvae.errors import InputError
from pairvae.models.paper import resnet
from pairvae.models.paper.polyphase import Form, UpConv
from pairvae.models.paper.resnet import Backbone
from pairvae.models.vae import VAE, Decoder, Encoder
from pairvae.settings import LatentSettings, PaperNetwork

LAYERS = int(math.log2(resnet.SHRINK))  # each doubles the side, back to the image's
KERAS_NORM_EPSILON = 1e-3
KERAS_NORM_MOMENTUM = 1 - 0.99  # torch counts the new share, Keras the old one
SMALLEST_STD = 1e-7
BACKBONE_KEY = "backbone."

LAST = f"convolutions.{LAYERS - 1}"


def check_grid(grid: int, size: int) -> None:
    """Refuse a latent that does not belong to the images.

    Parameters
    ----------
    grid : int
        Side of the latent.
    size : int
        Side of the images, px.

    Raises
    ------
    InputError
        Unless ``size`` is 32 times ``grid``.
    """
    if grid * resnet.SHRINK != size:
        raise InputError(
            expected=f"{size // resnet.SHRINK}, 1/{resnet.SHRINK} of the images' {size} px",
            found=str(grid),
            where="key latent.grid",
            remedy="change latent.grid, or saxs.prepare.size and sem.prepare.crop",
        )


def at_least_float32(tensor: Tensor) -> Tensor:
    """Half precisions as float32: means and softplus are not left to 8 bits."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


class PaperEncoder(Encoder):
    """Prepared arrays ``(B, 1 or 3, H, W)`` in [0, 1] to posterior statistics ``(B, 2C, H / 32, W / 32)``.

    Each position of the backbone's features goes through the same two dense layers. The backbone is shared by
    the encoders and never changes, so ``state_dict`` leaves it out: it is stored once, in a file of its own,
    and put into ``backbone`` after the encoder is built.

    Parameters
    ----------
    hidden : int
        Units of the first dense layer.
    channels : int
        Channels C of the latent.
    backbone : Backbone, optional
        Where it is at hand already.
    """

    def __init__(self, hidden: int, channels: int, backbone: Backbone | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.hidden = nn.Conv2d(resnet.OUTPUT_CHANNELS, hidden, 1)
        self.output = nn.Conv2d(hidden, 2 * channels, 1)
        for layer in (self.hidden, self.output):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        self.register_state_dict_post_hook(_drop_backbone)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.register_load_state_dict_post_hook(_excuse_backbone)  # type: ignore[no-untyped-call]  # as above

    def features(self, inputs: Tensor) -> Tensor:
        """Compute the frozen features, ``(B, 2048, H / 32, W / 32)`` float32.

        Raises
        ------
        RuntimeError
            Without a backbone.
        """
        if self.backbone is None:
            raise RuntimeError("this encoder has no backbone yet: assign one to `encoder.backbone`")
        maps: Tensor = self.backbone(inputs)
        return maps

    def head(self, features: Tensor) -> Tensor:
        """Mean and standard deviation (softplus, as published), concatenated on the channel axis.

        Its tiny floor keeps the logarithm of the divergence finite where softplus underflows.
        """
        outputs = at_least_float32(self.output(F.relu(self.hidden(features))))
        mean, scale = outputs.chunk(2, dim=1)
        return torch.cat([mean, F.softplus(scale) + SMALLEST_STD], dim=1)


def _drop_backbone(
    module: nn.Module, state: dict[str, Tensor], prefix: str, metadata: dict[str, object]
) -> None:
    for key in [key for key in state if key.startswith(prefix + BACKBONE_KEY)]:
        del state[key]


def _excuse_backbone(module: nn.Module, problems: torch.nn.modules.module._IncompatibleKeys) -> None:
    kept = [key for key in problems.missing_keys if f".{BACKBONE_KEY}" not in f".{key}"]
    problems.missing_keys[:] = kept


class PaperDecoder(Decoder):
    """Latent ``(B, C, g, g)`` to an image ``(B, channels, 32 g, 32 g)`` in [0, 1].

    Four times a transposed convolution, batch norm and ReLU, then a last transposed convolution. For a
    colour-mapped pattern that has ``channels`` maps and a sigmoid. For a binary image it has ``filters``
    linear maps, averaged into one logit.

    Parameters
    ----------
    channels : int
        Of the image.
    latent_channels : int
        Channels C of the latent.
    filters : int
        Channels of the inner layers.
    kernel : int
        Side of all kernels in px, odd.
    binary : bool
        Whether the image is binary.
    collapsed : bool
        Whether the last layer of a binary image holds the mean kernel and bias of its maps instead, the same function
        (:func:`collapsed` and :func:`widened` turn one form's weights into the other's).
    form : {"polyphase", "direct"}
        Of the transposed convolutions, see :class:`UpConv`.
    """

    def __init__(
        self,
        channels: int,
        *,
        latent_channels: int,
        filters: int,
        kernel: int,
        binary: bool,
        collapsed: bool = False,
        form: Form = "polyphase",
    ) -> None:
        super().__init__()
        self.binary = binary
        widths = [latent_channels] + [filters] * (LAYERS - 1)
        last = filters if binary else channels
        self.convolutions = nn.ModuleList(
            UpConv(inputs, outputs, kernel, form)
            for inputs, outputs in zip(widths, [*widths[1:], last], strict=True)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(filters, eps=KERAS_NORM_EPSILON, momentum=KERAS_NORM_MOMENTUM)
            for _ in range(LAYERS - 1)
        )
        if binary and collapsed:
            self.collapse()

    @torch.no_grad()
    def collapse(self) -> None:
        """Put the mean kernel and bias in the last layer's place: initial values keep their distribution."""
        wide = self.convolutions[-1]
        assert isinstance(wide, UpConv)
        wide.weight = nn.Parameter(wide.weight.mean(1, keepdim=True))
        wide.bias = nn.Parameter(wide.bias.mean(0, keepdim=True))

    def logits(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        """The logit of the bright phase ``(B, 1, H, W)`` for a binary image, else the image itself; float32.

        The squared error of the published SAXS decoder is that of its sigmoid, hence the image.
        """
        maps = latent
        for convolution, norm in zip(self.convolutions, self.norms, strict=False):
            maps = F.relu(norm(convolution(maps)), inplace=True)
        last = at_least_float32(self.convolutions[-1](maps))
        return last.mean(1, keepdim=True) if self.binary else torch.sigmoid(last)

    def forward(self, latent: Tensor) -> Tensor:
        """The image, in [0, 1]; for a binary one the probability, whose mode is 1 above one half."""
        logits = self.logits(latent)
        return torch.sigmoid(logits) if self.binary else logits


def build_paper_vae(
    network: PaperNetwork,
    latent: LatentSettings,
    shape: tuple[int, int, int],
    backbone: Backbone | None = None,
) -> VAE:
    """The published VAE.

    Parameters
    ----------
    network : PaperNetwork
        Settings of its layers.
    latent : LatentSettings
        Size of the latent.
    shape : tuple of int
        ``(channels, H, W)`` of the prepared arrays; one channel: a binary image.
    backbone : Backbone, optional
        Where it is at hand already.

    Returns
    -------
    VAE
        With random weights.

    Raises
    ------
    InputError
        Where ``latent.grid`` does not belong to the arrays' size.
    """
    check_grid(latent.grid, shape[1])
    decoder = PaperDecoder(
        shape[0],
        latent_channels=latent.channels,
        filters=network.filters,
        kernel=network.kernel,
        binary=shape[0] == 1,
        collapsed=network.collapsed,
    )
    return VAE(PaperEncoder(network.hidden, latent.channels, backbone), decoder)


def attach_backbone(vaes: Iterable[VAE], backbone: Backbone) -> None:
    """Let the published encoders share one backbone.

    Parameters
    ----------
    vaes : iterable of VAE
        Those of other architectures stay as they are.
    backbone : Backbone
        The frozen network.
    """
    for vae in vaes:
        if isinstance(vae.encoder, PaperEncoder):
            vae.encoder.backbone = backbone


def widened(state: Mapping[str, Tensor], channels: int, prefix: str = "") -> dict[str, Tensor]:
    """Weights whose last layer has equal channels: their mean kernel ``(I, 1, k, k)`` and bias.

    Parameters
    ----------
    state : mapping of str to Tensor
        Weights of a model with a binary decoder.
    channels : int
        Of the last layer.
    prefix : str
        Where that decoder's own keys begin (``vaes.sem.decoder.`` in a pair's weights).

    Returns
    -------
    dict
        All weights under their names.
    """
    weight, bias = f"{prefix}{LAST}.weight", f"{prefix}{LAST}.bias"
    mean_kernel, mean_bias = state[weight].mean(1, keepdim=True), state[bias].mean(0, keepdim=True)
    return {**state, weight: mean_kernel.repeat(1, channels, 1, 1), bias: mean_bias.repeat(channels)}


def collapsed(state: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Weights whose last layer has one channel with the mean kernel and bias: :func:`widened` to one channel.

    Parameters
    ----------
    state : mapping of str to Tensor
        Weights of a model with a binary decoder.
    prefix : str
        Where that decoder's own keys begin.

    Returns
    -------
    dict
        All weights under their names.
    """
    return widened(state, 1, prefix)
