"""Progress of long work: a bar with the time left on a terminal, plain lines elsewhere (logs, DVC, CI)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

T = TypeVar("T")
BAR_WIDTH = 24
LINE_INTERVAL_S = 15.0
BAR_INTERVAL_S = 0.1


def clock(seconds: float) -> str:
    """Seconds (>= 0) as ``m:ss`` or ``h:mm:ss``."""
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


class Progress:
    """Counts finished steps out of ``total`` and tells how long the rest will take.

    ``start_at`` steps that an earlier, killed process had done do not count towards the speed.
    """

    def __init__(
        self,
        total: int,
        label: str,
        *,
        start_at: int = 0,
        stream: TextIO | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.label, self.done, self.first = total, label, start_at, start_at
        self.stream, self.now = stream or sys.stderr, now
        self.begun = self.shown = now()
        self.terminal = self.stream.isatty()

    def advance(self, note: str = "", steps: int = 1) -> None:
        """Count ``steps`` more as done; ``note`` is shown at the end of the line."""
        self.done += steps
        moment = self.now()
        interval = BAR_INTERVAL_S if self.terminal else LINE_INTERVAL_S
        if moment - self.shown >= interval or self.done >= self.total:
            self.shown = moment
            self._show(moment, note)

    def _show(self, moment: float, note: str) -> None:
        elapsed = moment - self.begun
        counted = max(self.done - self.first, 1)
        left = elapsed / counted * max(self.total - self.done, 0)
        time_text = (
            f"{clock(elapsed)} < {clock(left)} left" if self.done < self.total else f"took {clock(elapsed)}"
        )
        tail = f"  {note}" if note else ""
        if self.terminal:
            filled = BAR_WIDTH * self.done // max(self.total, 1)
            bar = "#" * filled + "." * (BAR_WIDTH - filled)
            end = "\n" if self.done >= self.total else ""
            self.stream.write(f"\r\x1b[K{self.label} [{bar}] {self.done}/{self.total} {time_text}{tail}{end}")
        else:
            self.stream.write(f"{self.label}: {self.done}/{self.total}, {time_text}{tail}\n")
        self.stream.flush()


def track(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """Yield ``items`` while showing the progress out of ``total``."""
    progress = Progress(total, label)
    for item in items:
        yield item
        progress.advance()
