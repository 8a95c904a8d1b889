"""Transposed convolutions of stride 2 with Keras's 'same' padding: the output has twice the input's side.

Two exact forms of one map: ``direct`` is torch's transposed convolution, ``polyphase`` an ordinary convolution to 4 O
channels whose pixels are then interleaved. Which is faster depends on the layer: docs/speed.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def crop_before(kernel: int) -> int:
    """Rows that 'same' padding crops in front, of ``kernel - 2`` in all; the odd one goes behind."""
    return (kernel - 2) // 2


def direct(maps: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Torch's transposed convolution, cropped as Keras does.

    Parameters
    ----------
    maps, weight, bias
        As for :func:`polyphase`.

    Returns
    -------
    Tensor
        ``(B, O, 2n, 2n)``.
    """
    rows, columns = 2 * maps.shape[-2], 2 * maps.shape[-1]
    full = F.conv_transpose2d(maps, weight, bias, stride=2, padding=crop_before(weight.shape[-1]))
    return full[..., :rows, :columns]


def tap_range(kernel: int) -> tuple[int, int]:
    """First and last offset t of the inputs ``j - t`` that outputs ``2j`` and ``2j + 1`` see.

    Output ``2j + a`` sees input ``i`` through the kernel's tap ``2 (j - i) + a + crop_before``.
    """
    before = crop_before(kernel)
    return -((before + 1) // 2), (kernel - 1 - before) // 2


def phase_kernels(weight: Tensor) -> Tensor:
    """Kernels ``(4 O, I, T, T)`` of the ordinary convolution; ``(2 a + b) O + o`` is phase (a, b) of output o."""
    inputs, outputs, kernel, _ = weight.shape
    first, last = tap_range(kernel)
    taps = last - first + 1
    front = -(2 * first + crop_before(kernel))
    behind = 2 * taps - kernel - front
    padded = F.pad(weight, (front, behind, front, behind))
    # (I, O, tap, phase, tap, phase), and reversed taps, because torch's convolution is a correlation
    split = padded.view(inputs, outputs, taps, 2, taps, 2).flip(2, 4)
    return split.permute(3, 5, 1, 0, 2, 4).reshape(4 * outputs, inputs, taps, taps)


def interleave(phases: Tensor) -> Tensor:
    """``(B, 4 O, n, n)``, the four phases one after the other, as the pixels of ``(B, O, 2n, 2n)``.

    In ``channels_last`` memory, which it is written for, the O values of a pixel stay side by side: for several
    outputs mostly two to five times as quick as torch's pixel shuffle, for one as quick.
    """
    batch, channels, rows, columns = phases.shape
    by_pixel = phases.permute(0, 2, 3, 1).reshape(batch, rows, columns, 2, channels // 2)
    by_row = by_pixel.transpose(2, 3).reshape(batch, 2 * rows, 2 * columns, channels // 4)
    return by_row.permute(0, 3, 1, 2)


def polyphase(maps: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Transposed convolution of stride 2 by an ordinary convolution whose outputs are interleaved.

    Parameters
    ----------
    maps : Tensor
        ``(B, I, n, n)``.
    weight : Tensor
        ``(I, O, k, k)``, k odd.
    bias : Tensor, optional
        ``(O,)``.

    Returns
    -------
    Tensor
        ``(B, O, 2n, 2n)``.
    """
    first, last = tap_range(weight.shape[-1])
    repeated = None if bias is None else bias.repeat(4)
    kernels = phase_kernels(weight)
    if last == -first:
        return interleave(F.conv2d(maps, kernels, repeated, padding=last))
    return interleave(F.conv2d(F.pad(maps, (last, -first, last, -first)), kernels, repeated))


Form = Literal["direct", "polyphase"]
# The same map, and the memory format it is quicker in on a CPU (docs/speed.md).
FORMS: dict[Form, tuple[Callable[[Tensor, Tensor, Tensor | None], Tensor], torch.memory_format]] = {
    "direct": (direct, torch.contiguous_format),
    "polyphase": (polyphase, torch.channels_last),
}


class UpConv(nn.Module):
    """Keras's transposed convolution of stride 2, padding 'same': ``(B, I, n, n)`` to ``(B, O, 2n, 2n)``.

    Parameters
    ----------
    inputs, outputs : int
        Channels I and O.
    kernel : int
        Side of the kernel in px, odd.
    form : {"polyphase", "direct"}
        How it is computed; the map is the same (:mod:`pairvae.models.paper.polyphase`).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, form: Form = "polyphase") -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.xavier_uniform_(self.weight)
        self.evaluate, self.memory_format = FORMS[form]

    def forward(self, maps: Tensor) -> Tensor:
        """Twice the side."""
        return self.evaluate(maps.contiguous(memory_format=self.memory_format), self.weight, self.bias)
