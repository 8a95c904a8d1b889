"""What the platform says when the input, the data or the settings are at fault."""

from __future__ import annotations


class InputError(ValueError):
    """A mistake that the user can mend, told in one line: expected, found, where, what to do.

    The command line prints ``str(error)`` and exits with code 1; ``--debug`` shows the traceback.
    """

    def __init__(self, *, expected: str, found: str, where: str = "", remedy: str = "") -> None:
        self.expected, self.found, self.where, self.remedy = expected, found, where, remedy
        place = f"{where}: " if where else ""
        advice = f" - {remedy}" if remedy else ""
        super().__init__(" ".join(f"{place}expected {expected}, found {found}{advice}".split()))
