"""A folder that is being filled: one writer at a time, and disk errors reported in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pairvae.data.published.published_file import is_full
from pairvae.errors import InputError
from pairvae.store.locks import folder_alone

GATHERED = ".partial"


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Make the folder, keep other fetches out of it, and leave no empty folder of ours behind."""
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with folder_alone(out, "wait until it ends"):
            yield
    finally:
        waiting = out / GATHERED
        if waiting.is_dir() and not any(waiting.iterdir()):
            waiting.rmdir()
        if made and not any(out.iterdir()):
            out.rmdir()


@contextmanager
def disk_faults(out: Path) -> Iterator[None]:
    """Say in one line what the disk refused within the block.

    Parameters
    ----------
    out : Path
        The folder that is written to.

    Raises
    ------
    InputError
        For a full disk, and what else cannot be written.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise InputError(
                expected="room on the disk",
                found="a full one",
                where=str(out),
                remedy="make room and run the command again: what is complete stays",
            ) from error
        raise InputError(
            expected="a folder to write to",
            found=error.strerror or str(error),
            where=str(error.filename or out),
        ) from error
