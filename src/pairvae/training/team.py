"""Several processes that train one model: who is in the team, its collectives, and what ends it.

``torchrun`` starts them and tells each its number in the environment; without it a process is a team of one.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from pairvae.errors import InputError
from pairvae.training.parts import Part

LOST = ("gloo", "NCCL", "Connection", "peer", "Socket")  # in the words of a collective whose partner is gone


@dataclass(frozen=True)
class Team:
    """This process's number ``rank`` among ``size``."""

    rank: int
    size: int

    @property
    def alone(self) -> bool:
        """Whether there is nobody to talk to."""
        return self.size == 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and tracks runs."""
        return self.rank == 0

    def share(self, whole: int) -> Part:
        """This process's samples of a batch of ``whole``: shares differ by one sample at most."""
        return Part(whole * self.rank // self.size, whole * (self.rank + 1) // self.size, whole)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the team, in one message."""
        if self.alone or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
        dist.all_reduce(flat)
        sums = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, total in zip(tensors, sums, strict=True):
            tensor.copy_(total.view_as(tensor))

    def gather(self, own: Tensor, part: Part) -> Tensor:
        """The whole batch ``(whole, ...)`` from every process's part of it; gradients flow to the own part.

        Only for a loss that every process computes alike from the whole: its gradient is not added up again.
        """
        return own if self.alone else gathered(own, part)

    def follow_first(self, module: nn.Module) -> None:
        """Give all processes the first one's weights and buffers."""
        if self.alone:
            return
        for tensor in module.state_dict().values():
            told = tensor.contiguous()  # some lie channels last, which a message cannot
            dist.broadcast(told, 0)
            tensor.copy_(told)

    def word_of_first(self, value: float, device: torch.device) -> float:
        """The first process's number, for all."""
        if self.alone:
            return value
        told = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(told, 0)
        return float(told)

    def wait(self) -> None:
        """Go on when all have come here."""
        if not self.alone:
            dist.barrier()


ALONE = Team(0, 1)


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, part: Part) -> Tensor:
        """Everybody's rows in a zeroed whole, added up: parts need not be equally large."""
        ctx.part = part
        whole = own.new_zeros((part.whole, *own.shape[1:]))
        whole[part.rows] = own
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The rows that are one's own."""
        return gradients[0][ctx.part.rows], None


class _AddedUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        """The sum over the team."""
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Each process's loss depends on the sum: so do the gradients on all of theirs."""
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def gathered(own: Tensor, part: Part) -> Tensor:
    """The whole batch from everybody's part; the gradient of the own part alone."""
    whole: Tensor = _Gathered.apply(own, part)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return whole


def added_up(own: Tensor) -> Tensor:
    """The sum of ``own`` over the team, with its gradient."""
    total: Tensor = _AddedUp.apply(own)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return total


def join(device: torch.device) -> Team:
    """The team that the environment names; the first call meets the others (gloo on a CPU, nccl on GPUs).

    ``InputError`` where the others cannot be met.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE
    team = Team(int(os.environ["RANK"]), size)
    if not dist.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(device)
        with partners(team):
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(dist.destroy_process_group)
    return team


@contextmanager
def partners(team: Team) -> Iterator[None]:
    """``InputError``, one line, where a partner ends in the middle of the work."""
    try:
        yield
    except RuntimeError as error:
        if team.alone or not (isinstance(error, dist.DistError) or any(word in str(error) for word in LOST)):
            raise
        raise InputError(
            expected=f"all {team.size} processes to train",
            found=f"process {team.rank} lost the others",
            where="torchrun",
            remedy="see the line of the process that ended first; run again, it resumes",
        ) from error
