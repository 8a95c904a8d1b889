"""What an input may not do while it is read: write elsewhere, start a process, open a socket, run its own code."""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from pairvae.errors import InputError

MOST_SECONDS = 5.0
MOST_BYTES = 1_000_000_000
LONGEST_MESSAGE = 2_000
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = frozenset([
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate",
    "shutil.rmtree", "shutil.copyfile", "shutil.move",
])  # fmt: skip
NEVER = frozenset([
    "pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork",
    "pty.spawn", "socket.connect", "socket.getaddrinfo", "socket.bind", "ctypes.dlopen", "code.__new__",
])  # fmt: skip


class Misdeed(BaseException):
    """Something that no input may bring about; no `except Exception` of a parser hides it."""


@dataclass
class Watch:
    """While ``folder`` is set, writing is allowed in it alone; misdeeds are raised and remembered."""

    folder: str | None = None
    seen: list[str] = field(default_factory=list)

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        """An audit hook of the interpreter; it cannot be taken off again, so it sleeps without a folder."""
        if self.folder is None or not (event in NEVER or event in CHANGES or event in ("open", "exec")):
            return
        told = f"{event} {arguments!r}"[:200]
        if event == "open":
            path, _, flags = arguments[:3]
            if not (isinstance(flags, int) and flags & WRITING) or self._inside(path):
                return
        elif event == "exec":
            if not str(getattr(arguments[0], "co_filename", "")).startswith(self.folder):
                return
        elif event in CHANGES and self._inside(arguments[0]):
            return
        self.seen.append(told)
        raise Misdeed(told)

    def _inside(self, path: object) -> bool:
        if isinstance(path, int) or path == os.devnull:
            return True
        name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        return str(Path(name).resolve()).startswith(str(self.folder))


WATCH = Watch()
sys.addaudithook(WATCH.hook)


def _late(number: int, frame: FrameType | None) -> None:
    raise Misdeed(f"more than {MOST_SECONDS:g} s of processor time")


def memory() -> int:
    """The most memory that this process has ever held, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def told(read: Callable[[Path], object], path: Path) -> str | None:
    """Read ``path`` under watch: None where it can be read, else the line that says why not.

    ``AssertionError`` for anything else than an ``InputError`` of one line, for a hang, for memory and misdeeds.
    """
    before, start = memory(), time.process_time()
    WATCH.folder, WATCH.seen[:] = str(path.parent.resolve()), []
    old = signal.signal(signal.SIGPROF, _late)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    line: str | None = None
    try:
        read(path)
    except InputError as error:
        line = str(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)
        WATCH.folder = None
    assert not WATCH.seen, WATCH.seen
    assert time.process_time() - start <= MOST_SECONDS, "a hang"
    assert memory() - before <= MOST_BYTES, f"{(memory() - before) / 1e6:.0f} MB"
    if line is not None:
        assert line.strip() and len(line.splitlines()) == 1 and len(line) < LONGEST_MESSAGE, line
    return line
