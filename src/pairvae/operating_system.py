"""What differs between Linux, macOS and Windows, each with what is done where a system lacks it.

The rest of the package calls nothing that POSIX alone has; locks are :mod:`pairvae.store.locks`.
"""

from __future__ import annotations

import getpass
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any


def cores() -> int:
    """CPU cores that this process may use; where the system does not tell, all of the machine."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def user() -> str:
    """The login name; the user id of a container may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"


def process_lives(process: int) -> bool:
    """Whether there is a process of this number (``os.kill(pid, 0)`` would end it on Windows)."""
    import psutil  # 20 ms that most commands do without

    try:
        return bool(psutil.pid_exists(process))
    except OverflowError:
        return True


def process_began(process: int) -> str:
    """When a process began, in the system's own unit; ``0`` where there is none.

    With the number it names a process for good.
    """
    try:  # Linux: ticks since the machine started, which setting the clock does not change
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    import psutil

    try:
        return f"{psutil.Process(process).create_time():.3f}"
    except (psutil.Error, OverflowError, ValueError):
        return "0"


def interrupt_main_thread() -> None:
    """Let the main thread of this process end as after Ctrl-C."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)  # to the thread itself: it may be asleep
    else:
        signal.raise_signal(signal.SIGINT)


def apart() -> dict[str, Any]:
    """Options of ``subprocess.Popen`` for a child that Ctrl-C on the terminal does not reach."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C for a child that was started :func:`apart`."""
    if sys.platform == "win32":
        process.send_signal(signal.CTRL_BREAK_EVENT)
    else:
        process.send_signal(signal.SIGINT)


def take_interrupts() -> None:
    """In such a child: let what :func:`interrupt` sends raise ``KeyboardInterrupt``."""
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, signal.default_int_handler)


def end_with_parent() -> None:
    """In a process that ``multiprocessing`` started: let it end with its parent, however that ends.

    It would wait for ever for the next task of one that was killed.
    """
    parent = multiprocessing.parent_process()

    def wait(process: BaseProcess) -> None:
        process.join()
        os._exit(1)

    if parent is not None:
        threading.Thread(target=wait, args=(parent,), daemon=True).start()


def flush_to_disk(path: Path) -> None:
    """fsync a file, so that a power cut after a rename cannot leave an empty file under the final name."""
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_folder(link: Path, target: Path) -> None:
    """A symbolic link to a folder (``FileExistsError`` where there is something); a copy where users may make none."""
    try:
        link.symlink_to(target, target_is_directory=True)
    except (NotImplementedError, PermissionError):
        if sys.platform == "win32":  # without developer mode
            shutil.copytree(target, link)
        else:
            raise
