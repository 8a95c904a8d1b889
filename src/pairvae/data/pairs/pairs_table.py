"""``pairs.csv``: read strictly, written atomically."""

from __future__ import annotations

import csv
import difflib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pairvae.data.pairs.file_names import composed
from pairvae.data.pairs.sample import FOLDERS, IMAGES, OTHER_FOLDERS, Fault, Pair, SplitName
from pairvae.data.pairs.sample_ids import checked_id
from pairvae.errors import InputError
from pairvae.modalities.readers.image import INSIDE
from pairvae.store import atomic_path
from pairvae.store.rows import cell_text, plain_cell

REQUIRED = ("id", "saxs", "sem")
OPTIONAL = ("morphology", "sem_nm_per_px", "saxs_q_per_px_inv_nm", "split", "group")
FRAME = "frame"  # of the SAXS file, from 0
FILE_COLUMNS = (*FOLDERS, *OTHER_FOLDERS)
PIXEL_SIZES = {f"{name}_nm_per_px": name for name in IMAGES if name not in FOLDERS}
COLUMNS = (*REQUIRED, *OTHER_FOLDERS, *OPTIONAL, *PIXEL_SIZES, FRAME)
MISSPELT = 0.8  # similarity to a known column above which a name is taken for a slip, not for a condition
LONGEST_CONDITION, MOST_CONDITIONS = 100, 100  # characters of a name or word; columns
SPLITS = ("train", "validation")
LARGEST_TABLE_BYTES = 50_000_000
LONGEST_PATH, LONGEST_PART = 1024, 255  # characters; bytes of a file's or folder's name


@dataclass(frozen=True)
class Table:
    """What a ``pairs.csv`` says.

    Parameters
    ----------
    pairs : list of Pair
        Samples in the table's order, each with at least one file.
    lines : dict of str to int
        The line of each, by id.
    faults : list of Fault
        Rows that are not sound.
    """

    pairs: list[Pair]
    lines: dict[str, int]
    faults: list[Fault]


def read_table(table: Path) -> Table:
    """Read a ``pairs.csv``: a fault for each row (or the header) that is not sound."""
    try:
        rows = _rows(table)
        numeric = _numeric_conditions(rows)
    except InputError as error:
        return Table([], {}, [Fault("", str(table), "pairs.csv", error)])
    pairs: list[Pair] = []
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for line, row in rows:
        identity = row["id"]
        where = f"{table}, line {line}"
        try:
            if identity in seen:
                raise InputError(
                    expected="ids that differ", found=f"{identity} as in line {seen[identity]}", where=where
                )
            seen[identity] = line
            pairs.append(_pair(table.parent, row, numeric, where))
        except InputError as error:
            faults.append(Fault(identity, str(table), "pairs.csv", error))
    if not rows:
        empty = InputError(expected="a row for each pair", found="a header only", where=str(table))
        faults.append(Fault("", str(table), "pairs.csv", empty))
    return Table(pairs, seen, faults)


def _numeric_conditions(rows: Sequence[tuple[int, Mapping[str, str]]]) -> frozenset[str]:
    """Further columns that hold numbers only."""
    names = [name for name in (rows[0][1] if rows else {}) if name not in COLUMNS]
    filled = {name: [row[name] for _, row in rows if row[name]] for name in names}
    return frozenset(name for name, cells in filled.items() if cells and all(is_number(c) for c in cells))


def is_number(text: str) -> bool:
    """Whether a cell is a finite number."""
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """Line number and values of each row; the header is checked (``InputError``)."""
    where = str(table)
    if not table.is_file() or table.stat().st_size > LARGEST_TABLE_BYTES:
        raise InputError(expected="a table of at most 50 MB", found="a larger one, or no file", where=where)
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(header, where)
            rows = []
            for values in reader:
                if not any(value.strip() for value in values):
                    continue
                if len(values) != len(header):
                    raise InputError(
                        expected=f"{len(header)} values",
                        found=f"{len(values)}",
                        where=f"{where}, line {reader.line_num}",
                    )
                cells = zip(header, (cell_text(value.strip()) for value in values), strict=True)
                row = {name: cell if name in FILE_COLUMNS else composed(cell) for name, cell in cells}
                rows.append((reader.line_num, row))
            return rows
    except UnicodeDecodeError as error:
        raise InputError(
            expected="UTF-8 text", found="other bytes", where=where, remedy="save it as CSV UTF-8"
        ) from error
    except csv.Error as error:
        raise InputError(expected="comma-separated values", found=str(error), where=where) from error


def _check_header(header: Sequence[str], where: str) -> None:
    known = ", ".join(COLUMNS)
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise InputError(
            expected="columns separated by commas",
            found="semicolons or tabs",
            where=where,
            remedy="save it as CSV",
        )
    missing = [name for name in REQUIRED if name not in header]
    replaced = len(missing) == 1 and missing[0] in FOLDERS and any(name in header for name in OTHER_FOLDERS)
    if missing and not replaced:
        raise InputError(
            expected="columns id, saxs, sem", found=f"no column {', '.join(missing)}", where=where
        )
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        raise InputError(expected="each column once", found=f"{repeated[0]} twice", where=where)
    further = [name for name in header if name not in COLUMNS]
    for name in further:
        close = difflib.get_close_matches(name.casefold(), COLUMNS, n=1, cutoff=MISSPELT)
        if close:
            raise InputError(
                expected=f"columns {known}, or others for conditions",
                found=f"column {name!r}",
                where=where,
                remedy=f"did you mean {close[0]}?",
            )
    unfit = [name for name in further if not name or len(name) > LONGEST_CONDITION or not name.isprintable()]
    if unfit or len(further) > MOST_CONDITIONS:
        found = f"{unfit[0][:40]!r}" if unfit else f"{len(further)} further columns"
        raise InputError(
            expected=f"column names of 1 to {LONGEST_CONDITION} characters, at most {MOST_CONDITIONS} further ones",
            found=found,
            where=where,
        )


def _pair(folder: Path, row: dict[str, str], numeric: frozenset[str], where: str) -> Pair:
    split = row.get("split") or None
    if split is not None and split not in SPLITS:
        raise InputError(expected="split train, validation or empty", found=repr(split), where=where)
    identity = checked_id(row["id"], where)
    files = {
        name: _inside(folder, row[name], f"{where}, column {name}") for name in FILE_COLUMNS if row.get(name)
    }
    if not files:
        raise InputError(expected="a file in each row", found="none", where=where, remedy="take the row out")
    further = {name: cell for name, cell in row.items() if name not in COLUMNS and cell}
    return Pair(
        identity,
        _framed(files.pop("saxs", None), row.get(FRAME, ""), where),
        files.pop("sem", None),
        row.get("morphology") or None,
        _number(row.get("sem_nm_per_px", ""), f"{where}, column sem_nm_per_px"),
        _number(row.get("saxs_q_per_px_inv_nm", ""), f"{where}, column saxs_q_per_px_inv_nm"),
        cast(SplitName | None, split),
        row.get("group") or None,
        files,
        {
            name: float(cell) if name in numeric else cell[:LONGEST_CONDITION]
            for name, cell in further.items()
        },
        {
            name: size
            for column, name in PIXEL_SIZES.items()
            if (size := _number(row.get(column, ""), f"{where}, column {column}")) is not None
        },
    )


def _inside(folder: Path, text: str, where: str) -> Path | str:
    """A path below ``folder`` from text relative to it, with its ``::/data/set`` where there is one."""
    name, separator, dataset = text.partition(INSIDE)
    windows = "\\" in name or (len(name) > 1 and name[1] == ":")
    parts = Path(name).parts
    too_long = len(name) > LONGEST_PATH or any(
        len(part.encode("utf-8", "replace")) > LONGEST_PART for part in parts
    )
    if not name or windows or "\0" in name or Path(name).is_absolute() or ".." in parts or too_long:
        raise InputError(
            expected="a path inside the folder, with / and relative to it", found=repr(text), where=where,
            remedy="move the file into the folder",
        )  # fmt: skip
    path = _as_stored(folder, name)
    return f"{path}{separator}{dataset}" if separator else path


def _as_stored(folder: Path, name: str) -> Path:
    """The path with the letters of the file system: a table may hold composed ones, the files decomposed ones."""
    path = folder / name
    if name.isascii() or path.exists():
        return path
    path = folder
    for part in Path(name).parts:
        exact = path / part
        entries = path.iterdir() if path.is_dir() and not exact.exists() else ()
        path = next((entry for entry in entries if composed(entry.name) == composed(part)), exact)
    return path


def _framed(source: Path | str | None, text: str, where: str) -> Path | str | None:
    """A file with the frame that the column of that name gives, as ``file.h5::/path[3]`` or ``file.edf::[3]``."""
    if not text:
        return source
    fits = text.isascii() and text.isdigit() and len(text) < 10
    if source is None or not fits or str(source).endswith("]"):
        raise InputError(
            expected="the number of a frame of the SAXS file, from 0, once",
            found=repr(text[:40]),
            where=f"{where}, column {FRAME}",
        )
    return f"{source}{'' if INSIDE in str(source) else INSIDE}[{int(text)}]"


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0) or "_" in text:
        raise InputError(expected="a positive number or nothing", found=repr(text[:40]), where=where)
    return value


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Write ``pairs.csv`` atomically, optional columns and conditions where filled.

    Parameters
    ----------
    path : Path
        The table; files in it are relative to its folder.
    pairs : sequence of Pair
        A row for each.
    """
    used = [name for name in OPTIONAL if any(getattr(pair, name) is not None for pair in pairs)]
    sized = [name for name in PIXEL_SIZES if any(PIXEL_SIZES[name] in pair.pixel_sizes for pair in pairs)]
    further = list(dict.fromkeys(name for pair in pairs for name in pair.conditions))
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        columns = [name for name in FILE_COLUMNS if any(name in pair.files for pair in pairs)]
        writer.writerow(["id", *columns, *used, *sized, *further])
        for pair in pairs:
            named = [pair.files.get(name) for name in columns]
            files = ["" if file is None else _relative(file, path.parent) for file in named]
            known = [getattr(pair, name) for name in used]
            known += [pair.nm_per_px(PIXEL_SIZES[name]) for name in sized]
            known += [pair.conditions.get(name) for name in further]
            writer.writerow([plain_cell(cell) for cell in (pair.id, *files, *map(_cell, known))])


def _relative(source: Path | str, folder: Path) -> str:
    name, separator, dataset = str(source).partition(INSIDE)
    path = Path(name)
    inside = path.relative_to(folder) if path.is_relative_to(folder) else path
    return f"{inside.as_posix()}{separator}{dataset}"


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.9g}" if isinstance(value, float) else str(value)
