"""CSV tables that are written row by row: a table of any length needs the memory of one row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

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
