"""Locks between processes, the one way to lock: files that the system unlocks when their holder is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pairvae.errors import InputError

IN_FOLDER = ".pairvae.lock"


class LockTakenError(InputError):
    """Another process holds the lock."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Make other processes that lock ``path`` wait until the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path, thread_local=False):
        yield


@contextmanager
def held_alone(path: Path, name: str, *, kind: str = "study") -> Iterator[None]:
    """Hold the lock ``path`` until the block ends; ``LockTakenError`` where it is taken.

    ``name`` names the study or project in that error, ``kind`` says what it is. The lock file holds the holder's pid.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, blocking=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockTakenError(
            expected=f"a {kind} that is not in use",
            found=f"one in use by another process{_holder(path)}",
            where=name,
            remedy="wait until it ends, or stop it with Ctrl-C",
        ) from error
    try:
        path.write_text(str(os.getpid()), encoding="ascii")
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError):  # Windows lets nobody read what is locked
        return f" (pid {int(path.read_bytes())})"
    return ""


@contextmanager
def folder_alone(folder: Path, remedy: str = "wait until it ends, or choose another --out") -> Iterator[None]:
    """Let no other process that asks write into ``folder`` until the block ends (``LockTakenError``).

    Nothing is left in the folder.
    """
    path = folder / IN_FOLDER
    lock = FileLock(path, blocking=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockTakenError(
            expected="a folder that no other process writes results into",
            found="one in use",
            where=str(folder),
            remedy=remedy,
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # while it is held, so that nobody else's is removed; Windows does so itself
            path.unlink()
        lock.release()


def is_free(path: Path) -> bool:
    """Whether no process holds the lock ``path``."""
    if not path.is_file():
        return True
    try:
        with FileLock(path, blocking=False, thread_local=False):
            return True
    except Timeout:
        return False
