"""CSV tables that are written row by row: a table of any length needs the memory of one row."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pairvae.errors import InputError, printable
from pairvae.store.files import atomic_path

Row = Mapping[str, str | int | float | bool]
FORMULA = re.compile(r"'*[=+\-@\t\r]")
FORMULA_KEPT = re.compile(r"'+[=+\-@\t\r]")


def plain_cell(value: object) -> object:
    """A cell that spreadsheets take for text: what they would run as a formula begins with an apostrophe.

    Numbers stay as they are, also as text. :func:`cell_text` gives the text back.
    """
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) and not _is_number(value) else value


def cell_text(cell: str) -> str:
    """The text that :func:`plain_cell` made a cell of."""
    return cell[1:] if FORMULA_KEPT.match(cell) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class TableWriter:
    """Rows with ``columns`` as CSV into ``stream``, text as :func:`printable` shows it; what a row lacks is empty."""

    def __init__(self, stream: TextIO, columns: Sequence[str]) -> None:
        self._writer = csv.DictWriter(stream, list(columns), restval="", lineterminator="\n")

    def writeheader(self) -> None:
        """Write the names of the columns."""
        self._writer.writeheader()

    def writerow(self, row: Row) -> None:
        """Write one row."""
        shown = {name: printable(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
        self._writer.writerow({name: plain_cell(value) for name, value in shown.items()})

    def writerows(self, rows: Iterable[Row]) -> None:
        """Write rows."""
        for row in rows:
            self.writerow(row)


@contextmanager
def table(path: Path, columns: Sequence[str]) -> Iterator[TableWriter]:
    """A writer of rows with ``columns``; the file appears when the block succeeds."""
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = TableWriter(stream, columns)
        writer.writeheader()
        yield writer


def write_table(path: Path, rows: Iterable[Row], columns: Sequence[str] | None = None) -> None:
    """Write rows as CSV, atomically; the columns are those of the first row unless given."""
    given = list(rows)
    with table(path, list(given[0]) if columns is None else columns) as writer:
        writer.writerows(given)


def read_table(
    path: Path, needed: Sequence[str], numbers: Sequence[str], remedy: str
) -> list[dict[str, str]]:
    """Rows of a CSV table, as text: it has the columns ``needed``, those of ``numbers`` can be read as floats.

    ``InputError`` with the ``remedy`` where that is not so.
    """
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            found = ", ".join(reader.fieldnames or ("nothing",))
            raise InputError(expected=f"a column {missing[0]}", found=found, where=str(path), remedy=remedy)
        rows = []
        for row in reader:
            for name in numbers:
                _require_number(row[name], name, f"{path}, line {reader.line_num}", remedy)
            rows.append(
                {name: cell_text(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
            )
    return rows


def _require_number(text: str | None, column: str, where: str, remedy: str) -> None:
    try:
        float(text or "")
    except ValueError as error:
        raise InputError(
            expected=f"a number in column {column}", found=repr(text), where=where, remedy=remedy
        ) from error
