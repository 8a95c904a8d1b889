"""Shares of straight runs that lie in one phase, with a backward pass of its own.

torch's own gradient of a chain of minima of shifted views fills and adds a whole image for each of them, which took
a fifth of a texture training step; kept masks and additions in place take less than half of that.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

LENGTHS = (2, 4, 6, 8, 12, 16, 24, 32, 48)
# Each length from a shorter one that is at least half as long: min over L = min of two overlapping runs.
SHORTER = {2: 1, 4: 2, 6: 4, 8: 4, 12: 8, 16: 8, 24: 16, 32: 16, 48: 32}


class _Shares(torch.autograd.Function):
    """Mean over positions of the least value along runs of each of ``LENGTHS`` px along one axis."""

    @staticmethod
    def forward(ctx: Any, phase: Tensor, axis: int) -> Tensor:
        masks: list[Tensor] = []
        run_shares = _measured(phase, axis, masks)
        ctx.save_for_backward(*masks)
        ctx.axis, ctx.shape = axis, phase.shape
        return run_shares

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (of_shares,) = gradients
        whole = of_shares.new_zeros(ctx.shape)
        of_runs: dict[int, Tensor] = {1: whole}
        masks = dict(zip(LENGTHS, ctx.saved_tensors, strict=True))
        for length in LENGTHS:
            of_runs[length] = of_shares.new_zeros(masks[length].shape)
        for number, length in reversed(list(enumerate(LENGTHS))):
            gradient, mask = of_runs[length], masks[length]
            if mask.numel() == 0:
                continue
            gradient += (of_shares[:, number] / mask[0].numel())[:, None, None, None]
            first, second = _halves(of_runs[SHORTER[length]], length, ctx.axis)
            taken = gradient * mask
            first += taken
            second += gradient.sub_(taken)
        return whole, None


def _halves(runs: Tensor, length: int, axis: int) -> tuple[Tensor, Tensor]:
    """The two overlapping shorter runs that make up each run of ``length`` px, as views."""
    shift = length - SHORTER[length]
    span = max(0, runs.shape[axis] - shift)
    return runs.narrow(axis, 0, span), runs.narrow(axis, min(shift, runs.shape[axis]), span)


def _measured(phase: Tensor, axis: int, masks: list[Tensor] | None = None) -> Tensor:
    """Shares ``(B, 9)``; ``masks`` are filled with where the first half of each run is the lesser."""
    runs, run_shares = {1: phase}, []
    for length in LENGTHS:
        first, second = _halves(runs[SHORTER[length]], length, axis)
        if masks is not None:
            masks.append(first <= second)
        runs[length] = torch.minimum(first, second)
        empty = runs[length].shape[axis] == 0  # the image is shorter than the run
        # .shape[0], not len(): that would fix the batch where an encoder is exported
        run_shares.append(phase.new_zeros(phase.shape[0]) if empty else runs[length].mean((1, 2, 3)))
    return torch.stack(run_shares, dim=1)


def shares(phase: Tensor, axis: int) -> Tensor:
    """Share of straight runs that lie in a phase, for each of ``LENGTHS``.

    The least value along a run makes the share differentiable and, for 0/1 images, exact. Where two values tie
    the gradient goes to the first.

    Parameters
    ----------
    phase : Tensor
        ``(B, 1, H, W)`` in [0, 1].
    axis : {2, 3}
        Along which the runs lie: 2 is vertical.

    Returns
    -------
    Tensor
        ``(B, 9)`` in [0, 1]; 0 for runs longer than the image.
    """
    if not (torch.is_grad_enabled() and phase.requires_grad):
        return _measured(phase, axis)  # the targets of a training step, four times as large: half the time
    run_shares: Tensor = _Shares.apply(phase, axis)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return run_shares
