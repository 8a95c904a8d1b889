"""Locks between processes, the one way to lock: files that the system unlocks when their holder is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pairvae.errors import InputError

IN_FOLDER = ".pairvae.lock"


class LockTakenError(InputError):
    """Another process holds the lock."""


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Make other processes that lock ``path`` wait until the block ends.

    Without ``wait``, a lock that is taken is a ``LockTakenError`` at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, blocking=wait, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockTakenError(expected="a free lock", found="one in use", where=str(path)) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def held_alone(path: Path, name: str, *, kind: str = "study") -> Iterator[None]:
    """Hold the lock ``path`` until the block ends; ``LockTakenError`` where it is taken.

    ``name`` names the study or project in that error, ``kind`` says what it is. The lock file holds the holder's pid.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, wait=False))
        except LockTakenError as error:
            raise LockTakenError(
                expected=f"a {kind} that is not in use",
                found=f"one in use by another process{_holder(path)}",
                where=name,
                remedy="wait until it ends, or stop it with Ctrl-C",
            ) from error
        path.write_text(str(os.getpid()), encoding="ascii")
        yield


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError):  # Windows lets nobody read what is locked; an old lock is empty
        return f" (pid {int(path.read_bytes())})"
    return ""


@contextmanager
def folder_alone(folder: Path, remedy: str = "wait until it ends, or choose another --out") -> Iterator[None]:
    """Let no other process that asks write into ``folder`` until the block ends (``LockTakenError``).

    Nothing is left in the folder.
    """
    path = folder / IN_FOLDER
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, wait=False))
        except LockTakenError as error:
            raise LockTakenError(
                expected="a folder that no other process writes results into",
                found="one in use",
                where=str(folder),
                remedy=remedy,
            ) from error
        try:
            yield
        finally:
            # While it is held, so that nobody else's goes; Windows removes it by itself.
            with suppress(OSError):
                path.unlink()


def is_free(path: Path) -> bool:
    """Whether no process holds the lock ``path``."""
    if not path.is_file():
        return True
    try:
        with locked(path, wait=False):
            return True
    except LockTakenError:
        return False
