"""Hide from pairvae what POSIX alone has: with this folder on ``PYTHONPATH``, Python runs the file at each start.

``PYTHONPATH=tests/without_posix python -m pytest ...`` is the suite as on Windows, with all processes that it starts.
Tests and the libraries of others keep what the machine has, but for filelock, whose lock is to be the one of a system
without ``flock``.
"""

from __future__ import annotations

import builtins
import os
import signal
import sys
from types import ModuleType
from typing import Any

MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "pty"}
# Not pthread_kill: where it lacks, Windows' raise_signal wakes a thread that sleeps, which no other call does here
NAMES = {
    "os": {
        "fork", "forkpty", "sched_getaffinity", "getuid", "geteuid", "getgid", "kill", "killpg", "getpgid", "setsid",
        "mkfifo", "statvfs", "fchmod", "O_NOFOLLOW", "posix_fadvise", "register_at_fork", "sysconf",
    },
    "signal": {"SIGKILL", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "setitimer", "alarm"},
}  # fmt: skip


class Lacking(ModuleType):
    """A module without some of its names; what is set on it is set on the module."""

    def __init__(self, module: ModuleType, hidden: set[str]) -> None:
        super().__init__(module.__name__)
        object.__setattr__(self, "_hidden", hidden)
        object.__setattr__(self, "_module", module)

    def __getattribute__(self, name: str) -> Any:
        if name in object.__getattribute__(self, "_hidden"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        return getattr(object.__getattribute__(self, "_module"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_module"), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(object.__getattribute__(self, "_module"), name)


def hide() -> None:
    """Let pairvae import the modules of a system without POSIX."""
    real = builtins.__import__
    lacking = {name: Lacking(sys.modules[name], hidden) for name, hidden in NAMES.items()}

    def guarded(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        importer = str((globals or {}).get("__name__", "")).partition(".")[0]
        ours = importer == "pairvae" or str((globals or {}).get("__package__", "")).startswith("pairvae")
        if level == 0 and name in MODULES and (ours or importer == "filelock"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        module = real(name, globals, locals, fromlist, level)
        return lacking.get(name, module) if ours and level == 0 else module

    builtins.__import__ = guarded


assert os and signal, "they are in sys.modules"
hide()
