"""CSV tables that are written row by row: a table of any length needs the memory of one row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pairvae.errors import InputError
from pairvae.store.files import atomic_path

Row = Mapping[str, str | int | float | bool]


@contextmanager
def table(path: Path, columns: Sequence[str]) -> Iterator[csv.DictWriter[str]]:
    """A writer of rows with ``columns``; the file appears when the block succeeds. What a row lacks is empty."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        yield writer


def write_table(path: Path, rows: Iterable[Row], columns: Sequence[str] | None = None) -> None:
    """Write rows as CSV, atomically; the columns are those of the first row unless given."""
    given = list(rows)
    with table(path, columns or list(given[0])) as writer:
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
            rows.append(row)
    return rows


def _require_number(text: str | None, column: str, where: str, remedy: str) -> None:
    try:
        float(text or "")
    except ValueError as error:
        raise InputError(
            expected=f"a number in column {column}", found=repr(text), where=where, remedy=remedy
        ) from error
