"""The table of a watched folder, which is also its memory: what was predicted is not predicted again."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pairvae.commands.watch.arrivals import Mark
from pairvae.errors import InputError
from pairvae.inference.prediction_rows import MEASURED, TRUST
from pairvae.store.locks import folder_alone
from pairvae.store.rows import Row, TableWriter, cell_text

COLUMNS = (
    "input",
    "sample",
    "samples",
    "file",
    *MEASURED,
    *TRUST,
    "error",
    "bytes",
    "modified_ns",
    "sha256",
    "model",
    "predicted_at",
    "seconds",
)
BINARY = getattr(os, "O_BINARY", 0)  # Windows would write other line ends
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")


@dataclass(frozen=True)
class Entry:
    """The last that is known of one input: its mark, its hash, and why it could not be read, if so."""

    mark: Mark
    digest: str
    error: str


class Table:
    """``predictions.csv``: rows are only ever added, those of one input in one piece, and reach the disk.

    ``entries`` by input name, ``files`` all names of predicted files. At the start a torn end, as a power cut
    leaves it, is cut off. ``InputError`` where another process writes into its folder, or it is another kind of table.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        with ExitStack() as stack:
            stack.enter_context(
                folder_alone(path.parent, "stop the other `pairvae watch`, or choose another --out")
            )
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | BINARY, 0o666)
            stack.callback(os.close, self._descriptor)
            content = path.read_bytes()
            whole = content[: _whole(content, path)]
            if len(whole) < len(content):
                os.ftruncate(self._descriptor, len(whole))
            self.entries: dict[str, Entry] = {}
            self.files: set[str] = set()
            for row in _rows(whole, path):
                self._remember(row)
            if not whole:
                self._write(_text([dict(zip(COLUMNS, COLUMNS, strict=True))]))
            self._held = stack.pop_all()

    def append(self, groups: Sequence[Sequence[Row]]) -> None:
        """Add the rows of some inputs; all or nothing (``OSError`` where the disk has no room)."""
        rows = [row for group in groups for row in group]
        if rows:
            self._write(_text(rows))
        for row in rows:
            self._remember({key: str(value) for key, value in row.items()})

    def close(self) -> None:
        """Close it and let others write into its folder."""
        self._held.close()

    def _write(self, text: str) -> None:
        before = os.fstat(self._descriptor).st_size
        content = text.encode("utf-8", "backslashreplace")
        try:
            done = 0
            while done < len(content):
                done += os.write(self._descriptor, content[done:])
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, before)
            raise

    def _remember(self, row: Mapping[str, str]) -> None:
        mark = Mark(int(row["bytes"]), int(row["modified_ns"]))
        self.entries[row["input"]] = Entry(mark, row["sha256"], row.get("error", ""))
        if row.get("file"):
            self.files.add(row["file"])


def _text(rows: Sequence[Row]) -> str:
    stream = io.StringIO()
    TableWriter(stream, COLUMNS).writerows(rows)
    return stream.getvalue()


def _fields(content: bytes) -> Iterator[list[str]]:
    """The fields of each line; a single empty one, which fits no table, where they cannot be told apart."""
    reader = csv.reader(_lines(content))
    while True:
        try:
            yield next(reader)
        except csv.Error:
            yield [""]
        except StopIteration:
            return


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").split("\n")[:-1]


def _whole(content: bytes, path: Path) -> int:
    """Bytes up to the last input whose rows are all there."""
    whole = content[: content.rfind(b"\n") + 1]
    if not whole and ",".join(COLUMNS).encode().startswith(content):
        return 0
    if not whole:
        whole = content + b"\n"  # of another table, which is told below
    lines = whole.splitlines(keepends=True)
    rows = list(_rows(whole, path))
    if not rows:
        return len(whole)
    last = rows[-1]
    same = 0
    while same < len(rows) and all(
        rows[-1 - same][key] == last[key] for key in ("input", "modified_ns", "predicted_at")
    ):
        same += 1
    torn = last["samples"].isdigit() and same % max(int(last["samples"]), 1)
    return len(whole) - (sum(map(len, lines[len(lines) - torn :])) if torn else 0)


def _rows(content: bytes, path: Path) -> Iterator[dict[str, str]]:
    """The rows of whole lines (``InputError`` for another table, or a damaged line)."""
    for number, fields in enumerate(_fields(content), start=1):
        if number == 1 and fields != list(COLUMNS):
            raise InputError(
                expected="a table that `pairvae watch` wrote",
                found="other columns",
                where=str(path),
                remedy="choose another --out",
            )
        row = dict(zip(COLUMNS, map(cell_text, fields), strict=False))
        if number > 1 and not (
            len(fields) == len(COLUMNS)
            and WHOLE_NUMBER.fullmatch(row["bytes"])
            and WHOLE_NUMBER.fullmatch(row["modified_ns"])
        ):
            raise InputError(
                expected=f"{len(COLUMNS)} fields",
                found=f"a damaged line {number}",
                where=str(path),
                remedy="remove that line, or choose another --out",
            )
        if number > 1:
            yield row
