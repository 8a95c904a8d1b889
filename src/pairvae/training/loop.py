"""One loop that trains any plan: with ``gradients.py`` the only place with ``backward`` and ``step``."""

from __future__ import annotations

import io
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from pairvae.data.batches import noise_generator
from pairvae.errors import InputError
from pairvae.progress import Progress
from pairvae.training import checkpoints
from pairvae.training.checkpoints import Progressed
from pairvae.training.devices import Device
from pairvae.training.distributed.batch_norm import synchronise_batch_norms
from pairvae.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup, lost_process_advice
from pairvae.training.early import EPOCH, HELD_OUT, EarlyStop, best_epoch, copy_of, exhausted, held_out_loss
from pairvae.training.finite import not_finite, require_falling_loss, require_finite_weights
from pairvae.training.gradients import Gradients, memory_advice
from pairvae.training.protocol import Plan
from pairvae.training.rounds import LossTerms, epochs_before, epochs_of

History = list[dict[str, float]]
OnRound = Callable[[int, dict[str, float]], None]  # epochs done, and losses


@dataclass(frozen=True)
class Checkpointing:
    """Where checkpoints go.

    Parameters
    ----------
    folder : Path or None
        Their folder; None: nothing is kept.
    seconds : float
        The least time between two.
    run_id : str, optional
        The tracking run that they belong to.
    """

    folder: Path | None
    seconds: float
    run_id: str | None = None


def train(
    plan: Plan,
    device: Device,
    *,
    label: str,
    checkpointing: Checkpointing,
    on_round: OnRound = lambda epoch, row: None,
    process_group: ProcessGroup = SINGLE_PROCESS,
    early_stop: EarlyStop | None = None,
) -> History:
    """Train ``plan`` to its last epoch, from its checkpoint where there is one.

    Parameters
    ----------
    plan : Plan
        What is trained; its module has the trained weights afterwards.
    device : Device
        Where, and in which precision.
    label : str
        The training's name in messages.
    checkpointing : Checkpointing
        Where checkpoints are kept, and how often they are written.
    on_round : callable
        Called after each round with the epochs done and the losses; in a group, by rank 0 only.
    process_group : ProcessGroup
        The processes that share each batch. Rank 0 writes files.
    early_stop : EarlyStop or None
        With it the training may end early, with the weights of least held-out loss in the module.

    Returns
    -------
    list of dict
        One row a round: ``epoch``, ``loss``, its parts, ``learning_rate`` and, with ``early_stop``, ``held_out``.

    Raises
    ------
    InputError
        A loss, a gradient or a weight is not finite, memory runs out, or another process of the group ends.
    """
    with lost_process_advice(process_group), memory_advice(label):
        training = _Training(plan, device, label, checkpointing, process_group, early_stop)
        if not process_group.is_single:
            _check_batches(training.gradients.divisible().smallest_batch, process_group, label)
            synchronise_batch_norms(plan.module)
        training.resume()
        training.run(on_round)
        return training.history


def _check_batches(smallest: int, process_group: ProcessGroup, label: str) -> None:
    if smallest < process_group.size:
        raise InputError(
            expected=f"at least {process_group.size} samples in every batch, one for each process",
            found=f"a batch of {smallest}",
            where=label,
            remedy="start fewer processes, or set a larger batch",
        )


@dataclass
class _Training:
    """A training on its way."""

    plan: Plan
    device: Device
    label: str
    checkpointing: Checkpointing
    process_group: ProcessGroup
    early_stop: EarlyStop | None
    history: History = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    saved: str = "there is no checkpoint yet"

    def __post_init__(self) -> None:
        self.optimiser = self.plan.make_optimiser()
        self.gradients = Gradients(self.plan, self.device, self.process_group, self.label)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one; all processes must have read the same."""
        folder = self.checkpointing.folder
        done = None if folder is None else checkpoints.load(folder, self.plan.module, self.optimiser)
        if done is not None:
            self.history, self.best = list(done.history), done.best
            self.gradients.micro_batch_size = done.micro_batch_size
            self.gradients.first_loss = self.history[0]["loss"] if self.history else None
            self._note_saved()
        epochs = self.epochs_done
        if self.process_group.broadcast_number(epochs, self.device.torch_device) != epochs:
            raise InputError(
                expected="one checkpoint for all processes",
                found=f"{epochs} epochs in that of process {self.process_group.rank}",
                where=str(folder),
                remedy="let all machines share the project's folder",
            )
        self.process_group.broadcast_weights(self.plan.module)

    @property
    def epochs_done(self) -> int:
        """Epochs that the weights have seen."""
        return epochs_before(self.plan.logged_epochs, len(self.history))

    def run(self, on_round: OnRound) -> None:
        """The rounds that are left."""
        plan = self.plan
        stream = None if self.process_group.is_rank_0 else io.StringIO()
        progress = Progress(plan.epochs, self.label, start_at=self.epochs_done, stream=stream)
        saved = time.monotonic()
        plan.module.train()
        while not self._finished():
            number, epoch = len(self.history), plan.logged_epochs[len(self.history)]
            row = run_round(plan, self.optimiser, self.device, number, self.gradients, self.saved)
            require_finite_weights(plan.module, epoch, self.saved)
            require_falling_loss(row["loss"], self.gradients.first_loss or 0.0, epoch, self.saved)
            row |= self._held_out_loss(epoch)
            self.history.append({EPOCH: epoch, **row})
            if self.early_stop is not None and best_epoch(self.history) == epoch:
                self.best = copy_of(plan)
            if self.process_group.is_rank_0:
                on_round(epoch, row)
            progress.advance(f"loss {row['loss']:.4g}", epochs_of(plan.logged_epochs, number))
            if time.monotonic() - saved >= self.checkpointing.seconds or self._finished():
                self._save()
                saved = time.monotonic()
        if self.best is not None:
            self._take_best()
        plan.module.eval()

    def _finished(self) -> bool:
        done = self.epochs_done >= self.plan.epochs
        return done or (self.early_stop is not None and exhausted(self.history, self.early_stop.patience))

    def _held_out_loss(self, epoch: int) -> dict[str, float]:
        """The held-out loss of rank 0, in all processes: they have to stop together."""
        if self.early_stop is None:
            return {}
        loss = held_out_loss(self.early_stop.plan, self.device)
        loss = self.process_group.broadcast_number(loss, self.device.torch_device)
        if not math.isfinite(loss):
            raise not_finite("a finite loss on held-out pairs", HELD_OUT, f"epoch {epoch}", self.saved)
        return {HELD_OUT: loss}

    def _save(self) -> None:
        folder = self.checkpointing.folder
        if folder is None:
            return
        if self.process_group.is_rank_0:
            so_far = Progressed(
                self.epochs_done,
                self.history,
                self.checkpointing.run_id,
                self.gradients.micro_batch_size,
                self.best,
            )
            checkpoints.save(folder, self.plan.module, self.optimiser, so_far)
        self._note_saved()

    def _note_saved(self) -> None:
        assert self.checkpointing.folder is not None
        path = self.checkpointing.folder / checkpoints.FILE
        self.saved = f"the last checkpoint is that of epoch {self.epochs_done}, {path}"

    def _take_best(self) -> None:
        """Leave the weights of least held-out loss in the module."""
        assert self.best is not None
        self.plan.module.load_state_dict(self.best)
        if self.process_group.is_rank_0:
            ran, kept = self.epochs_done, best_epoch(self.history)
            print(
                f"\n{self.label}: {ran} of {self.plan.epochs} epochs; kept epoch {kept}, of least held-out loss",
                file=sys.stderr,
            )


def run_round(
    plan: Plan,
    optimiser: torch.optim.Optimizer,
    device: Device,
    number: int,
    gradients: Gradients | None = None,
    saved: str = "",
) -> dict[str, float]:
    """Train one round.

    Parameters
    ----------
    plan : Plan
        What is trained.
    optimiser : Optimizer
        Over what moves.
    device : Device
        Where, and in which precision.
    number : int
        The round, from 0.
    gradients : Gradients, optional
        What computes them; by default in one process.
    saved : str
        Says in an error where the last good weights are.

    Returns
    -------
    dict of float
        The mean of each loss term over its steps, and ``learning_rate`` at the end.

    Raises
    ------
    InputError
        A loss or a gradient is not finite; no weight has moved then.
    """
    compute = gradients or Gradients(plan, device)
    generator = noise_generator(plan.seed, number, device.torch_device)
    steps, before = plan.steps(), epochs_before(plan.logged_epochs, number)
    sums: dict[str, Tensor] = {}
    counts: Counter[str] = Counter()  # a batch of samples without a partner has fewer terms
    rate = 0.0
    for step, batch in enumerate(compute.batches(number)):
        rate = plan.learning_rate(before * steps + step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        terms = compute(batch, generator)
        _clip(plan, terms, f"epoch {before + step // steps + 1}, step {step % steps + 1}", saved)
        if compute.first_loss is None:
            compute.first_loss = float(terms.total)
        optimiser.step()
        for name, part in {"loss": terms.total, **terms.parts}.items():
            sums[name] = sums.get(name, torch.zeros((), device=part.device)) + part.float()
            counts[name] += 1
    means = {name: float(value) / counts[name] for name, value in sums.items()}
    return means | {"learning_rate": rate}


def _clip(plan: Plan, terms: LossTerms, where: str, saved: str) -> None:
    """Clip the gradient, unless it or the loss is not finite (``InputError``): then no weight has moved."""
    parameters = [parameter for parameter in plan.module.parameters() if parameter.grad is not None]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if not math.isfinite(float(terms.total + norm)):
        bad = [name for name, part in terms.parts.items() if not torch.isfinite(part)]
        if bad or not torch.isfinite(terms.total):
            raise not_finite("finite losses", ", ".join(bad) or "their sum", where, saved)
        raise not_finite("a finite gradient", "that of the loss", where, saved)
    if plan.gradient_clip > 0:
        torch.nn.utils.clip_grads_with_norm_(parameters, plan.gradient_clip, norm)
