"""Locks between processes: files that the kernel unlocks when their holder is killed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pairvae.errors import InputError


class LockTakenError(InputError):
    """Another process holds the lock."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Make other processes that lock ``path`` wait until the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def held_alone(path: Path, name: str, *, kind: str = "study") -> Iterator[int]:
    """The descriptor of the lock ``path``, which child processes may inherit; ``InputError`` where it is taken.

    ``name`` names the study or project in that error, ``kind`` says what it is. The lock file holds the holder's pid.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockTakenError(
                expected=f"a {kind} that is not in use",
                found=f"one in use by another process{_holder(descriptor)}",
                where=name,
                remedy="wait until it ends, or stop it with Ctrl-C",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    pid = os.pread(descriptor, 20, 0)
    return f" (pid {int(pid)})" if pid.isdigit() else ""  # a lock of an earlier version is empty


@contextmanager
def folder_alone(folder: Path) -> Iterator[None]:
    """Let no other process that asks write into ``folder`` until the block ends (``LockTakenError``).

    Nothing is left in the folder. Where a file system knows no locks of folders, there is none.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockTakenError(
                expected="a folder that no other process writes results into",
                found="one in use",
                where=str(folder),
                remedy="wait until it ends, or choose another --out",
            ) from error
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)


def is_free(path: Path) -> bool:
    """Whether no process holds the lock ``path``."""
    if not path.is_file():
        return True
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
