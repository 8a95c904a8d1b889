"""Stopping early: the loss on held-out training pairs, and when it has stopped falling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pairvae.data.batches import noise_generator
from pairvae.training.devices import Device
from pairvae.training.protocol import Plan

EPOCH, HELD_OUT = "epoch", "held_out"  # names in the history


@dataclass(frozen=True)
class EarlyStop:
    """``plan`` over held-out samples, of the same module; ``patience`` epochs without a better loss end it."""

    plan: Plan
    patience: int


@torch.no_grad()
def held_out_loss(plan: Plan, device: Device) -> float:
    """Mean loss over the first round of held-out samples: every time the same samples, crops and noise."""
    generator = noise_generator(plan.seed, 0, device.torch_device)
    total, count = 0.0, 0
    plan.module.eval()
    for batch in plan.batches(0):
        with device.autocast():
            loss = plan.loss(batch, generator).total
        total += float(loss) * len(batch.micro_batch)
        count += len(batch.micro_batch)
    plan.module.train()
    return total / count


def best_epoch(history: Sequence[Mapping[str, float]]) -> int:
    """The first logged epoch, from 1, of least held-out loss.

    Examples
    --------
    >>> best_epoch([{"epoch": 10, "held_out": 0.5}, {"epoch": 20, "held_out": 0.4}, {"epoch": 30, "held_out": 0.4}])
    20
    """
    return int(min(history, key=lambda row: row[HELD_OUT])[EPOCH])


def exhausted(history: Sequence[Mapping[str, float]], patience: int) -> bool:
    """Whether the last ``patience`` epochs brought no better held-out loss.

    Losses are looked at once a round, so that ``patience`` counts in whole rounds, rounded up.

    Examples
    --------
    >>> exhausted([{"epoch": 10, "held_out": 0.4}, {"epoch": 20, "held_out": 0.5}], patience=15)
    False
    """
    return len(history) > 0 and history[-1][EPOCH] - best_epoch(history) >= patience


def copy_of(plan: Plan) -> dict[str, Tensor]:
    """The module's weights and buffers as they are now."""
    return {name: value.detach().clone() for name, value in plan.module.state_dict().items()}
