"""Which files of a folder are new and complete: by looking again and again, which also works on network drives."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pairvae.errors import printable
from pairvae.modalities.readers.image import is_litter

EMPTY = "an empty file"


@dataclass(frozen=True)
class Mark:
    """What changes when a file is written to: its size in bytes and its time in ns."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Arrival:
    """A file that is new, or new again: ``first`` (s of the clock) is when it was first looked at."""

    path: Path
    mark: Mark
    first: float


@dataclass(frozen=True)
class Look:
    """What one look found: files to read, oldest first, and files that stayed unreadable, with the reason.

    ``fresh`` is how many are new or have changed since the last look, so that the next one may find them complete.
    """

    ready: list[Arrival]
    hopeless: list[tuple[Arrival, str]]
    fresh: int = 0


@dataclass
class _Waiting:
    arrival: Arrival
    since: float
    fault: str = ""


def mark_of(path: Path) -> Mark | None:
    """The mark of a file, or None where it has gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Mark(found.st_size, found.st_mtime_ns)


class Arrivals:
    """New files of ``folder`` with one of ``suffixes`` (without dot); those of :func:`is_litter` are left alone.

    A file counts as complete once two looks saw it with the same size and time. One that cannot be read may
    still be on its way: it is tried again when it changes, and is hopeless once nothing has changed for
    ``patience_s``. ``done`` are the marks by name of what was predicted before.
    """

    def __init__(
        self,
        folder: Path,
        suffixes: frozenset[str],
        done: Mapping[str, Mark],
        patience_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.patience_s, self.now = folder, patience_s, now
        self._suffixes = tuple(f".{suffix}" for suffix in suffixes)
        self._done = dict(done)
        self._waiting: dict[str, _Waiting] = {}

    @property
    def waiting(self) -> int:
        """Files that are not complete yet."""
        return len(self._waiting)

    def settle(self, arrival: Arrival) -> None:
        """Never report this file again unless it changes."""
        self._done[printable(arrival.path.name)] = arrival.mark
        self._waiting.pop(arrival.path.name, None)

    def unreadable(self, arrival: Arrival, fault: str) -> None:
        """This file could not be read: report it again when it has changed, or when patience is out."""
        waiting = self._waiting.get(arrival.path.name)
        if waiting is not None:
            waiting.fault = fault

    def look(self) -> Look:
        """One look at the folder (``OSError`` where it cannot be listed)."""
        moment = self.now()
        present = self._marks()
        for name in self._waiting.keys() - present.keys():
            del self._waiting[name]
        ready: list[Arrival] = []
        hopeless: list[tuple[Arrival, str]] = []
        fresh = 0
        for name, mark in present.items():
            waiting = self._waiting.get(name)
            if waiting is None or waiting.arrival.mark != mark:
                first = moment if waiting is None else waiting.arrival.first
                self._waiting[name] = _Waiting(Arrival(self.folder / name, mark, first), moment)
                fresh += 1
                continue
            fault = waiting.fault or ("" if mark.size else EMPTY)
            if not fault:
                ready.append(waiting.arrival)
            elif moment - waiting.since >= self.patience_s:
                hopeless.append((waiting.arrival, fault))
        ready.sort(key=lambda one: (one.mark.mtime_ns, one.path.name))
        return Look(ready, hopeless, fresh)

    def _marks(self) -> dict[str, Mark]:
        """Size and time of every file that is not done, by name."""
        found: dict[str, Mark] = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if is_litter(entry.name) or not entry.name.lower().endswith(self._suffixes):
                    continue
                try:
                    facts = entry.stat()
                except OSError:  # gone since it was listed
                    continue
                mark = Mark(facts.st_size, facts.st_mtime_ns)
                if stat.S_ISREG(facts.st_mode) and self._done.get(printable(entry.name)) != mark:
                    found[entry.name] = mark
        return found
