"""Tasks of the executor: how one is run, and its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pairvae.errors import InputError

T = TypeVar("T")
R = TypeVar("R")
MOST_KILLS = 1  # a task whose process was killed is tried again once: it may be what the memory does not hold


@dataclass(frozen=True)
class Ended(Generic[T, R]):
    """A task with its result, or with the ``reason`` why there is none."""

    task: T
    result: R | None
    reason: str = ""


@dataclass(frozen=True)
class Refused:
    """The message of an ``InputError``: the exception itself cannot be pickled between processes."""

    reason: str


def run_task(function: Callable[[T], R], task: T) -> R | Refused:
    """``function(task)``; an ``InputError`` becomes :class:`Refused`."""
    try:
        return function(task)
    except InputError as error:
        return Refused(str(error))


def task_result(task: T, outcome: R | Refused) -> Ended[T, R]:
    """A task with the ``outcome`` of :func:`run_task`."""
    return Ended(task, None, outcome.reason) if isinstance(outcome, Refused) else Ended(task, outcome)
