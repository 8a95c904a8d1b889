"""ResNet-50 without its classifier (He et al. 2015), with torchvision's names, so that its files load.

As in torchvision the stride of a stage sits in its 3 x 3 convolution and padding is symmetric.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import fusion

FEATURE_MEAN = 0.1  # of a backbone made here; the publication's weights and their scale are not known
EXPANSION = 4
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, blocks, stride
OUTPUT_CHANNELS = 512 * EXPANSION
SHRINK = 32  # image pixels to one position of the features
# Colour statistics of ImageNet: what torchvision's weight files expect to be taken out.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions around a shortcut.

    Parameters
    ----------
    inputs : int
        Channels that come in.
    width : int
        Channels of the 3 x 3 convolution, a quarter of those that go out.
    stride : int
        Of the 3 x 3 convolution.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1: nn.Module = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2: nn.Module = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3: nn.Module = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps ``(B, inputs, h, w)`` to ``(B, 4 width, h / stride, w / stride)``, >= 0."""
        shortcut = maps if self.downsample is None else self.downsample(maps)
        inner = F.relu(self.bn1(self.conv1(maps)), inplace=True)
        inner = F.relu(self.bn2(self.conv2(inner)), inplace=True)
        return F.relu(self.bn3(self.conv3(inner)) + shortcut, inplace=True)


class ResNet50(nn.Module):
    """ResNet-50 without its classifier, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1: nn.Module = nn.BatchNorm2d(64)
        channels = 64
        for number, (width, blocks, stride) in enumerate(STAGES, start=1):
            first = Bottleneck(channels, width, stride)
            channels = width * EXPANSION
            others = [Bottleneck(channels, width, 1) for _ in range(blocks - 1)]
            self.add_module(f"layer{number}", nn.Sequential(first, *others))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images ``(B, 3, H, W)`` to features ``(B, 2048, H / 32, W / 32)``, >= 0."""
        maps = F.relu(self.bn1(self.conv1(images)), inplace=True)
        maps = F.max_pool2d(maps, 3, 2, padding=1)
        for number in range(1, len(STAGES) + 1):
            maps = self.get_submodule(f"layer{number}")(maps)
        return maps


def _fold(block: nn.Module, conv: str, norm: str) -> None:
    convolution, batch_norm = block.get_submodule(conv), block.get_submodule(norm)
    assert isinstance(convolution, nn.Conv2d) and isinstance(batch_norm, nn.BatchNorm2d)
    setattr(block, conv, fusion.fuse_conv_bn_eval(convolution, batch_norm))
    setattr(block, norm, nn.Identity())


def fold_batch_norms(model: ResNet50) -> ResNet50:
    """A copy of ``model``, in inference mode, whose batch norms are part of its convolutions (exact)."""
    folded = copy.deepcopy(model).eval()
    _fold(folded, "conv1", "bn1")
    for module in folded.modules():
        if isinstance(module, Bottleneck):
            for number in (1, 2, 3):
                _fold(module, f"conv{number}", f"bn{number}")
            if module.downsample is not None:
                _fold(module.downsample, "0", "1")
    return folded


@torch.no_grad()
def set_statistics(network: ResNet50, images: Iterable[Tensor]) -> None:
    """Set the batch norms' statistics to means over batches.

    For random weights: in inference their features would otherwise grow from block to block (to about 20).

    Parameters
    ----------
    network : ResNet50
        Changed in place, in inference mode afterwards.
    images : iterable of Tensor
        Batches ``(B, 1 or 3, H, W)`` in [0, 1].
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for a plain mean
    network.train()
    for batch in images:
        network(normalise(batch).expand(-1, 3, -1, -1))
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@torch.no_grad()
def scale_features(network: ResNet50, images: Iterable[Tensor], mean: float = FEATURE_MEAN) -> None:
    """Scale the features to a mean, by the last stage's norms.

    A network of our own has features some ten times as large as those of one trained on photographs. All of
    them are positive, so that Adam's first steps of 1e-3 on 2048 weights at once then move every hidden unit of the
    published head below zero, where a ReLU stays dead: the posterior no longer depends on the image.

    Parameters
    ----------
    network : ResNet50
        Changed in place, in inference mode afterwards.
    images : iterable of Tensor
        Batches ``(B, 1 or 3, H, W)`` in [0, 1].
    mean : float
        That their features have afterwards, > 0.
    """
    network.eval()
    means = [float(network(normalise(batch).expand(-1, 3, -1, -1)).mean()) for batch in images]
    factor = mean / max(sum(means) / len(means), 1e-12)
    for number, block in enumerate(network.get_submodule(f"layer{len(STAGES)}").children()):
        if number == 0:
            _scale(block.get_submodule("downsample.1"), factor)
        else:  # its first norm sees the scaled features
            first = block.get_submodule("bn1")
            assert isinstance(first, nn.BatchNorm2d) and first.running_mean is not None
            assert first.running_var is not None
            first.running_mean *= factor
            first.running_var *= factor**2
        _scale(block.get_submodule("bn3"), factor)


def _scale(norm: nn.Module, factor: float) -> None:
    assert isinstance(norm, nn.BatchNorm2d)
    norm.weight.mul_(factor)
    norm.bias.mul_(factor)


def normalise(images: Tensor) -> Tensor:
    """Images ``(B, 1 or 3, H, W)`` in [0, 1] as ``(B, 3, H, W)`` without ImageNet's colour statistics."""
    mean = images.new_tensor(IMAGE_MEAN).view(1, 3, 1, 1)
    std = images.new_tensor(IMAGE_STD).view(1, 3, 1, 1)
    return (images - mean) / std


class Backbone(nn.Module):
    """A frozen ResNet-50 in inference mode, its batch norms folded into its convolutions.

    Parameters
    ----------
    network : ResNet50
        Copied.
    bfloat16 : bool
        Run it in that precision (about 1 % off, docs/speed.md); features are float32 either way.
    """

    def __init__(self, network: ResNet50, *, bfloat16: bool = False) -> None:
        super().__init__()
        self.dtype = torch.bfloat16 if bfloat16 else torch.float32
        self.network = fold_batch_norms(network).requires_grad_(False).to(self.dtype)
        for parameter in self.network.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> Backbone:
        """Stay in inference mode: a frozen network has no other."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """Prepared images ``(B, 1 or 3, H, W)`` in [0, 1] to features ``(B, 2048, H / 32, W / 32)`` float32, >= 0."""
        inputs = normalise(images.float()).to(self.dtype, memory_format=torch.channels_last)
        features: Tensor = self.network(inputs)
        return features.float().contiguous()
