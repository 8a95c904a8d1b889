"""What the executor and its processes know of a task: how it is run, and how it ended."""

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
    """The words of an ``InputError``, which as an exception could not travel between processes."""

    reason: str


def carried(function: Callable[[T], R], task: T) -> R | Refused:
    """``function(task)``, an ``InputError`` as words."""
    try:
        return function(task)
    except InputError as error:
        return Refused(str(error))


def told(task: T, found: R | Refused) -> Ended[T, R]:
    """A task with what :func:`carried` made of it."""
    return Ended(task, None, found.reason) if isinstance(found, Refused) else Ended(task, found)
