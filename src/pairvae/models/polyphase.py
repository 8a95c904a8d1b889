"""Transposed convolutions of stride 2 with Keras's 'same' padding: the output has twice the input's side.

Two exact forms of one map of ``(B, I, n, n)`` by kernels ``(I, O, k, k)`` (k odd) and a bias ``(O,)``:
``direct`` is torch's transposed convolution, ``polyphase`` an ordinary convolution to 4 O channels whose
pixels are then interleaved. Which is faster depends on the layer: docs/speed.md.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def crop_before(kernel: int) -> int:
    """Rows that 'same' padding crops in front (of ``kernel - 2`` in all; the odd one goes behind)."""
    return (kernel - 2) // 2


def direct(maps: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``(B, O, 2n, 2n)`` by torch's transposed convolution, cropped as Keras does."""
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
    """Kernels ``(4 O, I, T, T)`` of the ordinary convolution; ``4 o + 2 a + b`` is phase (a, b) of o."""
    inputs, outputs, kernel, _ = weight.shape
    first, last = tap_range(kernel)
    taps = last - first + 1
    front = -(2 * first + crop_before(kernel))
    behind = 2 * taps - kernel - front
    padded = F.pad(weight, (front, behind, front, behind))
    # (I, O, tap, phase, tap, phase), and reversed taps, because torch's convolution is a correlation
    split = padded.view(inputs, outputs, taps, 2, taps, 2).flip(2, 4)
    return split.permute(1, 3, 5, 0, 2, 4).reshape(4 * outputs, inputs, taps, taps)


def polyphase(maps: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``(B, O, 2n, 2n)`` by an ordinary convolution and a pixel shuffle."""
    first, last = tap_range(weight.shape[-1])
    repeated = None if bias is None else bias.repeat_interleave(4)
    padded = F.pad(maps, (last, -first, last, -first))
    return F.pixel_shuffle(F.conv2d(padded, phase_kernels(weight), repeated), 2)
