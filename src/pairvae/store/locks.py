"""Locks between processes: files that the kernel unlocks when their holder is killed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pairvae.errors import InputError


class LockTakenError(InputError):
    """Another process is at work."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold back the other processes that lock ``path`` until the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def held_alone(path: Path, what: str, *, kind: str = "study") -> Iterator[int]:
    """The descriptor of the lock ``path``, which child processes may inherit; ``InputError`` where it is taken.

    ``what`` names the piece of work in that error, ``kind`` says what it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockTakenError(
                expected=f"a {kind} that no other process works on",
                found="one",
                where=what,
                remedy="wait until it ends, or stop it with Ctrl-C",
            ) from error
        yield descriptor
    finally:
        os.close(descriptor)


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
                found="one",
                where=str(folder),
                remedy="wait until it ends, or choose another --out",
            ) from error
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock ``path``: its holder has ended or was killed."""
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
