"""Micro-batches: samples of a batch that are computed apart, with the result of the whole batch at once.

Several processes share a batch in this way, and one process divides its batch where memory is short.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class MicroBatch:
    """Samples of a batch.

    Parameters
    ----------
    start, stop : int
        The first, and the one after the last.
    batch_size : int
        Samples of the whole batch.
    """

    start: int
    stop: int
    batch_size: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def rows(self) -> slice:
        """Its samples in the batch."""
        return slice(self.start, self.stop)

    @property
    def fraction(self) -> float:
        """Its fraction of the batch: the weight of its mean in the mean over all samples."""
        return len(self) / self.batch_size

    def within(self, outer: MicroBatch) -> slice:
        """Its samples in a larger micro-batch.

        Parameters
        ----------
        outer : MicroBatch
            Of the same batch; contains this one.

        Returns
        -------
        slice
            Rows of ``outer``.
        """
        return slice(self.start - outer.start, self.stop - outer.start)

    def split(self, size: int) -> list[MicroBatch]:
        """Split it.

        Parameters
        ----------
        size : int
            The most samples of a part.

        Returns
        -------
        list of MicroBatch
            In order.
        """
        starts = range(self.start, self.stop, size)
        return [MicroBatch(start, min(start + size, self.stop), self.batch_size) for start in starts]


class NoiseOfWholeBatch(TorchFunctionMode):
    """Inside, ``torch.randn`` with a generator draws for the whole batch and returns the rows of a micro-batch.

    So the noise of a sample does not depend on how its batch is divided, and models need not know that it is.
    """

    def __init__(self, micro_batch: MicroBatch) -> None:
        super().__init__()
        self.micro_batch = micro_batch

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """``func``, but for draws of a batch's noise."""
        given = dict(kwargs or {})
        if func is not torch.randn or given.get("generator") is None:
            return func(*args, **given)
        (shape,) = args
        if shape[0] != len(self.micro_batch):
            raise RuntimeError(f"noise of {shape[0]} samples for a micro-batch of {len(self.micro_batch)}")
        drawn: Tensor = func((self.micro_batch.batch_size, *shape[1:]), **given)
        return drawn[self.micro_batch.rows]
