"""One line that says how a watch stands: renewed in place on a terminal, now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

LINE_INTERVAL_S = 15.0


class Status:
    """``last`` is what was done last; lines go to ``stream`` (stderr)."""

    def __init__(
        self, place: str, stream: TextIO | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.place, self.stream, self.now = place, stream or sys.stderr, now
        self.last = self.paged = self._shown = ""
        self._when = -LINE_INTERVAL_S
        self._terminal = self.stream.isatty()

    def line(self, predicted: int, bad: int, waiting: int) -> str:
        """How the watch stands."""
        parts = [f"{predicted} predicted"]
        parts += [f"{bad} left out"] if bad else []
        parts += [f"{waiting} waiting"] if waiting else []
        return f"watching {self.place}: {', '.join(parts)}{f'; last {self.last}' if self.last else ''}"

    def show(self, line: str) -> None:
        """Show the line where it has changed."""
        moment = self.now()
        if line == self._shown or (not self._terminal and moment - self._when < LINE_INTERVAL_S):
            return
        self._shown, self._when = line, moment
        self.stream.write(f"\r\x1b[K{line[:200]}" if self._terminal else f"{line}\n")
        self.stream.flush()

    def clear(self) -> None:
        """Make room for another line on a terminal."""
        if self._terminal and self._shown:
            self.stream.write("\r\x1b[K")
            self._shown = ""

    def end(self) -> None:
        """Leave the last line standing."""
        if self._terminal and self._shown:
            self.stream.write("\n")
            self.stream.flush()
