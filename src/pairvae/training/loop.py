"""One loop that trains any plan: the only place with ``backward`` and ``step``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from pairvae.data.batches import noise_generator
from pairvae.errors import InputError
from pairvae.progress import Progress
from pairvae.training import checkpoints
from pairvae.training.checkpoints import Progressed
from pairvae.training.devices import Device
from pairvae.training.plans import Plan

History = list[dict[str, float]]


@dataclass(frozen=True)
class Checkpointing:
    """Where checkpoints go, how often, and which tracking run they belong to."""

    folder: Path | None
    seconds: float
    run_id: str | None = None


def train(
    plan: Plan,
    device: Device,
    *,
    label: str,
    checkpointing: Checkpointing,
    on_epoch: Callable[[int, dict[str, float]], None] = lambda epoch, row: None,
) -> History:
    """Train ``plan`` to its last epoch, from its checkpoint where there is one; returns one row an epoch."""
    optimiser = plan.make_optimiser()
    done = Progressed(0, [], None)
    if checkpointing.folder is not None:
        done = checkpoints.load(checkpointing.folder, plan.module, optimiser) or done
    history = list(done.history)
    progress = Progress(plan.epochs, label, start_at=done.epochs)
    saved = time.monotonic()
    plan.module.train()
    for epoch in range(done.epochs, plan.epochs):
        row = run_epoch(plan, optimiser, device, epoch)
        require_finite(plan.module, epoch)
        history.append(row)
        on_epoch(epoch, row)
        progress.advance(f"loss {row['loss']:.4g}")
        due = time.monotonic() - saved >= checkpointing.seconds or epoch + 1 == plan.epochs
        if checkpointing.folder is not None and due:
            so_far = Progressed(epoch + 1, history, checkpointing.run_id)
            checkpoints.save(checkpointing.folder, plan.module, optimiser, so_far)
            saved = time.monotonic()
    plan.module.eval()
    return history


def require_finite(module: nn.Module, epoch: int) -> None:
    """``InputError`` where a weight is not finite: a finite loss can have an infinite gradient."""
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and not torch.isfinite(parameter).all():
            raise InputError(
                expected="finite weights",
                found=f"{name} not finite",
                where=f"epoch {epoch + 1}",
                remedy="lower learning_rate; the last checkpoint is kept",
            )


def run_epoch(plan: Plan, optimiser: torch.optim.Optimizer, device: Device, epoch: int) -> dict[str, float]:
    """One epoch: the mean of each loss term over its steps, and the learning rate at its end."""
    generator = noise_generator(plan.seed, epoch, device.torch_device)
    steps = plan.steps()
    sums: dict[str, torch.Tensor] = {}
    rate = 0.0
    for number, batch in enumerate(plan.batches(epoch)):
        rate = plan.learning_rate(epoch * steps + number)
        for group in optimiser.param_groups:
            group["lr"] = rate
        with device.autocast():
            terms = plan.loss(batch, generator)
        optimiser.zero_grad(set_to_none=True)
        terms.total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if plan.gradient_clip > 0:
            torch.nn.utils.clip_grad_norm_(plan.module.parameters(), plan.gradient_clip)
        if not torch.isfinite(terms.total):
            bad = [name for name, part in terms.parts.items() if not torch.isfinite(part)]
            raise InputError(
                expected="finite losses",
                found=f"{', '.join(bad) or 'their sum'} not finite",
                where=f"epoch {epoch + 1}, step {number + 1}",
                remedy="lower learning_rate; the last checkpoint is kept",
            )
        optimiser.step()
        for name, part in {"loss": terms.total, **terms.parts}.items():
            sums[name] = sums.get(name, torch.zeros((), device=part.device)) + part.detach().float()
    means = {name: float(value) / steps for name, value in sums.items()}
    return means | {"learning_rate": rate}
