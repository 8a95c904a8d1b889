"""Faults at the n-th write of a process: a kill, a full disk, a folder that cannot be written. Only for children.

What counts as a write below ``root``: a file opened for writing, renamed or removed, a folder made or removed, a link,
an ``fsync``, a ``write`` to a descriptor, a reservation of blocks, a statement or a commit of sqlite.
"""

import errno
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.rename": 2, "os.remove": 1, "os.mkdir": 1, "os.rmdir": 1, "os.symlink": 2, "os.link": 2}
FREES_ROOM = ("os.remove", "os.rmdir", "os.rename")
KILL, FULL, DENIED, SHORT, TORN, COUNT = "kill", "full", "denied", "short", "torn", "count"
WORKER_KILLED = "a worker was killed"  # what its coordinator notes among its writes


@dataclass
class Injector:
    """``kind`` of fault at write number ``at`` (from 0); a full disk or a locked folder stays so afterwards.

    ``short`` and ``torn`` let no file grow beyond ``at`` bytes: a write is cut short, and told or deadly.
    """

    kind: str
    at: int
    root: str
    events: list[str] = field(default_factory=list)
    busy: bool = False
    used: bool = False

    def arm(self) -> None:
        """From here on."""
        if self.kind in (SHORT, TORN):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN if self.kind == SHORT else signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.at, self.at))
            return
        sys.addaudithook(self._audit)
        for name in ("fsync", "write", "posix_fallocate"):
            setattr(os, name, self._counted(getattr(os, name), name))
        for module in (sqlite3, sqlite3.dbapi2):
            module.connect = self._connecting(sqlite3.connect)  # type: ignore[attr-defined]

    def happens(self, event: str, where: str = "") -> None:
        """One write: note it, or let it fail."""
        number, label = len(self.events), f"{event} {where}"
        self.events.append(label)
        if self.kind == KILL and number == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == FULL and number >= self.at and event not in FREES_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), where or None)
        if self.kind == DENIED and number >= self.at:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), where or None)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.busy:
            return
        if event == "open":
            path, _, flags = arguments
            written = isinstance(flags, int) and flags & WRITING
            if not written or not isinstance(path, str | bytes | os.PathLike):
                return
        elif event in CHANGES:
            path = arguments[CHANGES[event] - 1]
        else:
            return
        place = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - no link is followed
        if place.startswith(self.root):
            self.busy = True
            try:
                self.happens(event, os.path.relpath(place, self.root))
            finally:
                self.busy = False

    def _counted(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def counted(descriptor: int, *rest: Any) -> Any:
            place = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            if place.startswith(self.root):
                self.happens(name, os.path.relpath(place, self.root))
            return function(descriptor, *rest)

        return counted

    def _connecting(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        injector = self

        class Connection(sqlite3.Connection):
            def commit(self) -> None:
                injector.happens("commit")
                super().commit()

        def connecting(*arguments: Any, **options: Any) -> Any:
            return connect(*arguments, **{"factory": Connection, **options})

        return connecting


def of_job(fault: dict[str, Any] | None, root: Path) -> Injector:
    """The injector that a job asks for."""
    found = fault or {"kind": COUNT, "at": -1}
    return Injector(found["kind"], found["at"], str(root.resolve()))
