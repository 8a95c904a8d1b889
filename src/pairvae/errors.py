"""What the platform says when the input, the data or the settings are at fault."""

from __future__ import annotations

LONGEST = 500  # characters of a part: a file may hold a word of any length


class InputError(ValueError):
    """A mistake that the user can mend, told in one line: expected, found, where, what to do.

    The command line prints ``str(error)`` and exits with code 1; ``--debug`` shows the traceback.
    """

    def __init__(self, *, expected: str, found: str, where: str = "", remedy: str = "") -> None:
        self.expected, self.found, self.where, self.remedy = expected, found, where, remedy
        place = f"{_short(where)}: " if where else ""
        advice = f" - {_short(remedy)}" if remedy else ""
        line = f"{place}expected {_short(expected)}, found {_short(found)}{advice}"
        super().__init__(printable(" ".join(line.split())))


def reason(error: BaseException, lines: int = 1) -> str:
    """The first ``lines`` of another library's message, at most 160 characters each; its kind where it has none."""
    found = [line.strip()[:160] for line in str(error).splitlines() if line.strip()]
    return "; ".join(found[:lines]) or type(error).__name__


def number_of(number: int, thing: str, things: str = "") -> str:
    """``1 error``, ``2 errors``; ``things`` where the plural has more than an s."""
    return f"{number} {thing if number == 1 else things or f'{thing}s'}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}...{text[-LONGEST // 2 :]}"


def printable(text: str) -> str:
    """``text`` on one line of a terminal or table: what would steer it, or cannot be encoded, is shown escaped."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
