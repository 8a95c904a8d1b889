"""Parts of a batch that are computed apart, by several processes or one after the other, as if at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Part:
    """Samples ``start`` to ``stop`` (exclusive) of a batch of ``whole``."""

    start: int
    stop: int
    whole: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def rows(self) -> slice:
        """Its samples in the whole batch."""
        return slice(self.start, self.stop)

    @property
    def share(self) -> float:
        """Its share of the batch: the weight of its mean in the mean over all samples."""
        return len(self) / self.whole

    def within(self, outer: Part) -> slice:
        """Its samples in ``outer``, which holds it."""
        return slice(self.start - outer.start, self.stop - outer.start)

    def cut(self, size: int) -> list[Part]:
        """The same samples in parts of at most ``size``."""
        starts = range(self.start, self.stop, size)
        return [Part(start, min(start + size, self.stop), self.whole) for start in starts]


class NoiseOfWhole(TorchFunctionMode):
    """Inside, ``torch.randn`` with a generator draws for the whole batch and returns the rows of ``part``.

    So the noise of a sample does not depend on how its batch is divided, and models need not know that it is.
    """

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part = part

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
        if shape[0] != len(self.part):
            raise RuntimeError(f"noise of {shape[0]} samples for a part of {len(self.part)}")
        drawn: Tensor = func((self.part.whole, *shape[1:]), **given)
        return drawn[self.part.rows]
