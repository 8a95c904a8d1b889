"""Run pairvae as on a system without POSIX: ``python without_posix.py ARGUMENTS`` of its command line.

``--everything`` in place of arguments imports every module. What is hidden here is what Windows lacks; modules are
hidden from pairvae alone, since packages of others choose by the name of the system.
"""

from __future__ import annotations

import builtins
import os
import pkgutil
import signal
import sys
from importlib import import_module
from typing import Any

MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "pty"}
CALLS = {
    os: ("fork", "forkpty", "sched_getaffinity", "getuid", "geteuid", "getgid", "killpg", "setsid", "mkfifo"),
    signal: ("SIGKILL", "SIGHUP", "SIGUSR1", "pthread_kill"),
}


def hide() -> None:
    """Take all of it away, for good."""
    real = builtins.__import__

    def guarded(name: str, *rest: Any, **named: Any) -> Any:
        outer = rest[0] if rest else named.get("globals")
        if name in MODULES and str((outer or {}).get("__name__", "")).startswith("pairvae"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **named)

    builtins.__import__ = guarded
    for module, names in CALLS.items():
        for name in names:
            delattr(module, name)


def import_everything() -> None:
    """Every module of the package but the entry points that run at once."""
    import pairvae

    for found in pkgutil.walk_packages(pairvae.__path__, "pairvae."):
        if not found.name.endswith("__main__"):
            import_module(found.name)


if __name__ == "__main__":
    hide()
    if sys.argv[1:] == ["--everything"]:
        import_everything()
    else:
        from pairvae.cli import main

        sys.exit(main())
