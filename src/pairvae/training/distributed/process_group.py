"""Several processes that train one model: the process group, its collectives, and what ends it.

``torchrun`` starts the processes and gives each its rank in the environment; without it there is a single process.
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
from pairvae.training.distributed.micro_batches import MicroBatch

LOST = ("gloo", "NCCL", "Connection", "peer", "Socket")  # in messages of collectives that lost a process


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those that train one model.

    Parameters
    ----------
    rank : int
        Its number, from 0.
    size : int
        Processes in all.
    """

    rank: int
    size: int

    @property
    def is_single(self) -> bool:
        """Whether this is the only process."""
        return self.size == 1

    @property
    def is_rank_0(self) -> bool:
        """Whether this is the process that writes files and tracks runs."""
        return self.rank == 0

    def share(self, batch_size: int) -> MicroBatch:
        """This process's samples of a batch; shares differ by one sample at most.

        Parameters
        ----------
        batch_size : int
            Samples of the batch.

        Returns
        -------
        MicroBatch
            Its part.
        """
        start, stop = (batch_size * rank // self.size for rank in (self.rank, self.rank + 1))
        return MicroBatch(start, stop, batch_size)

    def all_reduce(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the processes, in one message of float32.

        Parameters
        ----------
        tensors : sequence of Tensor
            Of the same shapes in all processes; changed in place.
        """
        if self.is_single or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
        dist.all_reduce(flat)
        sums = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, total in zip(tensors, sums, strict=True):
            tensor.copy_(total.view_as(tensor))

    def all_gather(self, rows: Tensor, share: MicroBatch) -> Tensor:
        """Assemble a batch from every process's rows; gradients flow to one's own rows.

        Only for a loss that every process computes from the whole batch: its gradient is not summed again.

        Parameters
        ----------
        rows : Tensor
            This process's, ``(len(share), ...)``.
        share : MicroBatch
            Which of the batch they are.

        Returns
        -------
        Tensor
            ``(batch_size, ...)``.
        """
        return rows if self.is_single else all_gather_with_gradient(rows, share)

    def broadcast_weights(self, module: nn.Module) -> None:
        """Give all processes the weights and buffers of rank 0.

        Parameters
        ----------
        module : Module
            Changed in place.
        """
        if self.is_single:
            return
        for tensor in module.state_dict().values():
            message = tensor.contiguous()  # some are channels last, which a message cannot be
            dist.broadcast(message, 0)
            tensor.copy_(message)

    def broadcast_number(self, value: float, device: torch.device) -> float:
        """A number of rank 0, in all processes.

        Parameters
        ----------
        value : float
            This process's.
        device : torch.device
            Where messages of the group lie.

        Returns
        -------
        float
            That of rank 0.
        """
        if self.is_single:
            return value
        message = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(message, 0)
        return float(message)

    def barrier(self) -> None:
        """Wait until all processes are here."""
        if not self.is_single:
            dist.barrier()


SINGLE_PROCESS = ProcessGroup(0, 1)


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, share: MicroBatch) -> Tensor:
        """Sum of everybody's rows in a zeroed batch: shares need not be equally large."""
        ctx.share = share
        batch = rows.new_zeros((share.batch_size, *rows.shape[1:]))
        batch[share.rows] = rows
        dist.all_reduce(batch)
        return batch

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The gradient of this process's rows."""
        return gradients[0][ctx.share.rows], None


class _AllReduce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        """The sum over the processes."""
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Each process's loss depends on the sum, so the gradients of all of them add up."""
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def all_gather_with_gradient(rows: Tensor, share: MicroBatch) -> Tensor:
    """Assemble a batch from everybody's rows; the gradient is that of this process's rows.

    Parameters
    ----------
    rows : Tensor
        This process's, ``(len(share), ...)``.
    share : MicroBatch
        Which of the batch they are.

    Returns
    -------
    Tensor
        ``(batch_size, ...)``.
    """
    batch: Tensor = _AllGather.apply(rows, share)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return batch


def all_reduce_with_gradient(tensor: Tensor) -> Tensor:
    """Sum a tensor over the processes; the gradient is summed, too.

    Parameters
    ----------
    tensor : Tensor
        Of the same shape in all processes.

    Returns
    -------
    Tensor
        A new one.
    """
    total: Tensor = _AllReduce.apply(tensor)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return total


def join(device: torch.device) -> ProcessGroup:
    """The process group that the environment names; the first call connects (gloo on a CPU, nccl on GPUs).

    Parameters
    ----------
    device : torch.device
        Where this process trains.

    Returns
    -------
    ProcessGroup
        A single process without ``torchrun``.

    Raises
    ------
    InputError
        Where the other processes cannot be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return SINGLE_PROCESS
    process_group = ProcessGroup(int(os.environ["RANK"]), size)
    if not dist.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(device)
        with lost_process_advice(process_group):
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(dist.destroy_process_group)
    return process_group


@contextmanager
def lost_process_advice(process_group: ProcessGroup) -> Iterator[None]:
    """Context that turns the loss of another process into an error of one line.

    Parameters
    ----------
    process_group : ProcessGroup
        The processes that work together.

    Raises
    ------
    InputError
        Another process ended in the middle of the work.
    """
    try:
        yield
    except RuntimeError as error:
        lost = isinstance(error, dist.DistError) or any(word in str(error) for word in LOST)
        if process_group.is_single or not lost:
            raise
        raise InputError(
            expected=f"all {process_group.size} processes to train",
            found=f"process {process_group.rank} lost the others",
            where="torchrun",
            remedy="see the line of the process that ended first; run again, it resumes",
        ) from error
