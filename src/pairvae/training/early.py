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
    """When a training ends early.

    Parameters
    ----------
    plan : Plan
        The held-out samples, of the module that is trained.
    patience : int
        Epochs without a better held-out loss that end it.
    """

    plan: Plan
    patience: int


@torch.no_grad()
def held_out_loss(plan: Plan, device: Device) -> float:
    """Mean loss over the first round of held-out samples: every time the same samples, crops and noise.

    Parameters
    ----------
    plan : Plan
        Over held-out samples; its module is in training mode afterwards.
    device : Device
        Where, and in which precision.

    Returns
    -------
    float
        Per sample.
    """
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
    """The epoch of least held-out loss.

    Parameters
    ----------
    history : sequence of mapping
        One row a round, with ``epoch`` and ``held_out``; not empty.

    Returns
    -------
    int
        From 1; the first of several.

    Examples -------- >>> best_epoch([{"epoch": 10, "held_out": 0.5}, {"epoch": 20, "held_out": 0.4}, {"epoch":
    30, "held_out": 0.4}]) 20
    """
    return int(min(history, key=lambda row: row[HELD_OUT])[EPOCH])


def exhausted(history: Sequence[Mapping[str, float]], patience: int) -> bool:
    """Whether the last epochs brought no better held-out loss.

    Parameters
    ----------
    history : sequence of mapping
        One row a round, with ``epoch`` and ``held_out``.
    patience : int
        How many epochs. Losses are looked at once a round, so that they count in whole rounds, rounded up.

    Returns
    -------
    bool

    Examples
    --------
    >>> exhausted([{"epoch": 10, "held_out": 0.4}, {"epoch": 20, "held_out": 0.5}], patience=15)
    False
    """
    return len(history) > 0 and history[-1][EPOCH] - best_epoch(history) >= patience


def copy_of(plan: Plan) -> dict[str, Tensor]:
    """A copy of the weights and buffers of a plan's module.

    Parameters
    ----------
    plan : Plan
        Whose module it is.

    Returns
    -------
    dict of Tensor
        By their names in the module.
    """
    return {name: value.detach().clone() for name, value in plan.module.state_dict().items()}
