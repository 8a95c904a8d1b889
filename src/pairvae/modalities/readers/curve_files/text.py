"""Text files of curves: any header and footer, any separator, decimal points or commas, any common encoding."""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pairvae.errors import number_of
from pairvae.modalities.readers.curve_files.columns import Curve, curve_of
from pairvae.modalities.readers.curve_files.names import (
    NO_CURVE,
    names_axis,
    names_q,
    names_two_d,
    refuse_axis,
    two_d,
)
from pairvae.modalities.readers.curve_files.units import q_unit_in
from pairvae.modalities.readers.raw_image import unreadable

LONGEST_LINE = 10_000
MOST_LINES = 1_100_000
MOST_COLUMNS = 100
MOST_HEADER_LINES = 300
LARGE_BLOCK = 8  # rows of numbers beside the table from which they are reported
SPLITS = (r"\|", r"\t", ";", ",", r"\s{2,}", r"[;,|\s]+")  # of a line of names, the likeliest first
NUMBERS_ONLY = re.compile(r"[\d.,;:'\"\s+\-*eE<>]*\d[\d.,;:'\"\s+\-*eE<>]*")
NEAR = 3  # lines
FEW_STEPS = 5.0  # within which a row above a bad line belongs to the table below it
COMMENTS = ("#", "!", "%", "//")
LINE_ENDS = re.compile(r"\r\n|\r|\n")
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+(?:[eEdD][+-]?\d+)?")
NO_NUMBER = frozenset(
    {"", "nan", "-nan", "+nan", "inf", "-inf", "+inf", "infinity", "n/a", "na", "--", "null"}
)
FORTRAN = str.maketrans("dD", "ee")
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f]")
TWO_THETA_LINE = re.compile(
    r"[\W_]*(?:(?:x|x.?axis|x.?label|abscissa|columns?)\W+)?((?:2|two)[\s_*.-]*th.*)", re.I
)
FILE_INFO_Q = re.compile(
    r'<column key="X">\s*<value key="unit">([^<]{1,40})</value>'
)  # behind Anton Paar's PDH


@dataclass(frozen=True)
class Line:
    """The numbers of a line (nan for an empty cell), and which decimal marks they have."""

    number: int
    values: tuple[float, ...]
    point: bool
    comma: bool


def decoded(data: bytes, source: str) -> str:
    """Text in UTF-8, UTF-16 with or without mark, or else Windows-1252 (``InputError``: not text)."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif len(data) > 3 and not data[1] and data[0]:
        encodings = ["utf-16-le"]
    elif len(data) > 3 and not data[0] and data[1]:
        encodings = ["utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if CONTROLS.search(text) is None:
            return text.lstrip("\ufeff")
        break
    raise unreadable(source, NO_CURVE, "neither text nor a known format", "export the curve as csv or dat")


def curve_of_text(text: str, source: str) -> Curve:
    """The longest block of rows of equal length; names and units from the lines around it (``InputError``)."""
    lines = LINE_ENDS.split(text)
    if len(lines) > MOST_LINES:
        raise unreadable(source, "at most a million points", f"{len(lines)} lines", "average them")
    blocks = list(_blocks(lines))
    if not blocks:
        raise unreadable(source, "columns of numbers q, I and error", "none")
    table = max(blocks, key=len)
    _refuse_gap(blocks, table, lines, source)
    if any(row.comma for row in table) and any(row.point for row in table):
        raise unreadable(
            source, "one kind of decimal mark", "decimal points and decimal commas", "export with one"
        )
    first, last = table[0].number, table[-1].number
    header = [line[:LONGEST_LINE] for line in lines[max(0, first - MOST_HEADER_LINES) : first]]
    inside = [line[:LONGEST_LINE] for line in lines[first:last] if line.lstrip().startswith(COMMENTS)]
    footer = [line[:LONGEST_LINE] for line in lines[last + 1 : last + 1 + MOST_HEADER_LINES]]
    values = np.array([row.values for row in table])
    if len(values) > 2 and values[0, 0] == len(values) - 1 and values[1:, 0].max() < values[0, 0]:
        values = values[1:]  # the number of points, above them
    names = column_names(header, values.shape[1])
    if names is None:
        _refuse_header(header, source)
    unit = _file_info_unit(footer) or q_unit_in([*reversed(header), *inside[:MOST_HEADER_LINES], *footer])
    curve = curve_of(values, names, source, unit=unit)
    notes, warnings = _beside(blocks, table)
    return replace(curve, notes=(*notes, *curve.notes), warnings=(*warnings, *curve.warnings))


def _blocks(lines: Sequence[str]) -> Iterator[list[Line]]:
    """Runs of rows with equally many numbers, two or more; blank lines and comments do not end one."""
    block: list[Line] = []
    for number, line in enumerate(lines):
        if not line.strip() or line.lstrip().startswith(COMMENTS):
            continue
        row = _row(number, line[:LONGEST_LINE])
        if block and (row is None or len(row.values) != len(block[0].values)):
            yield block
            block = []
        if row is not None:
            block.append(row)
    if block:
        yield block


def _row(number: int, line: str) -> Line | None:
    """The numbers of a line; None where a word stands among them or where it has less than two."""
    for cells in _splits(line.strip(" \r\f\v\x1a")):
        if not 2 <= len(cells) <= MOST_COLUMNS:
            continue
        numbers = [parsed for cell in cells if (parsed := _number(cell)) is not None]
        if len(numbers) == len(cells) and any(math.isfinite(parsed[0]) for parsed in numbers):
            values, points, commas = zip(*numbers, strict=True)
            return Line(number, values, any(points), any(commas))
    return None


def _splits(line: str) -> Iterator[list[str]]:
    """Ways to split a line into cells, the likeliest first."""
    if '"' in line:
        for mark in ";\t,":
            if mark in line:
                try:
                    yield next(csv.reader([line], delimiter=mark, skipinitialspace=True))
                except (csv.Error, StopIteration):
                    return
        return
    if ";" in line:
        yield line.split(";")
        return
    blank = re.search(r"\s", line) is not None
    if "," in line and (not blank or " ," in line or not re.search(r",\S", line)):
        yield line.split(",")
        return
    if re.search(r",\s", line):  # commas between numbers, and within them
        yield re.split(r",\s+", line)
        yield line.split(",")
        return
    if "\t" in line:
        yield line.split("\t")
    yield line.split()


def _number(cell: str) -> tuple[float, bool, bool] | None:
    """Value, decimal point, decimal comma of a cell; nan for an empty cell; None for a word."""
    cell = cell.strip()
    if NUMBER.fullmatch(cell):
        return float(cell.translate(FORTRAN)), "." in cell, False
    if COMMA_NUMBER.fullmatch(cell):
        return float(cell.translate(FORTRAN).replace(",", ".")), False, True
    return (float("nan"), False, False) if cell.lower() in NO_NUMBER else None


def column_names(header: Sequence[str], columns: int) -> list[str] | None:
    """Names of the table's columns: of the nearest line above it that has one for each, an axis or I among them."""
    labels = _fit2d_labels(header)
    if labels is not None:
        return [*labels, *[""] * columns][:columns]
    for line in reversed(header):
        stripped = line.strip().lstrip("#!%;/ \t")
        if not stripped:
            continue
        for way in SPLITS:
            cells = [cell.strip(" \"'") for cell in re.split(way, stripped)]
            cells = [cell for cell in cells if cell]
            if way == SPLITS[0] and len(cells) == columns + 1:  # NIST: "The 6 columns are | Q (1/A) | ..."
                cells = cells[1:]
            if len(cells) == columns and not any(_number(cell) for cell in cells) and names_axis(cells):
                return cells
    return None


def _fit2d_labels(header: Sequence[str]) -> list[str] | None:
    """The labels of x and y in FIT2D's ``.chi``: above them a title, below them the number of points."""
    if len(header) < 4 or not header[-1].strip().isdecimal() or not header[-3].strip():
        return None
    return [header[-3].strip(), header[-2].strip() or "I"]


def _refuse_header(header: Sequence[str], source: str) -> None:
    """``InputError`` where a line above the table says that its first column is not q."""
    for line in header:
        if names_two_d(re.split(r"[^\w]+", line)):
            raise two_d(source, "a 2D table of Qx, Qy and I")
    if any(names_q([cell]) for line in header for cell in re.split(r"[;,|\s]+", line.strip().lstrip("#!% "))):
        return
    for line in header:
        match = TWO_THETA_LINE.match(line)
        if match is not None:
            refuse_axis(match.group(1), source)


def _refuse_gap(blocks: Sequence[list[Line]], table: list[Line], lines: Sequence[str], source: str) -> None:
    """``InputError`` where the table goes on beyond a line that does not belong: a part of it would be lost."""
    first, last = table[0].number, table[-1].number
    for number in [*range(max(0, first - NEAR), first), *range(last + 1, min(len(lines), last + 1 + NEAR))]:
        line = lines[number][:LONGEST_LINE].strip()
        if (
            NUMBERS_ONLY.fullmatch(line)
            and len(line.split()) + line.count(";") > 1
            and _row(number, line) is None
        ):
            raise unreadable(source, "numbers in every line", repr(line[:40]), f"correct line {number + 1}")
    position = next(number for number, block in enumerate(blocks) if block is table)
    for other in blocks[max(0, position - 2) : position + 3]:
        if other is table or len(other[0].values) != len(table[0].values):
            continue
        upper, lower = (other, table) if other[0].number < first else (table, other)
        odd = _odd_line(upper, lower, lines)
        if odd is None or not _goes_on(upper, lower, table):
            continue
        row = _row(odd, lines[odd][:LONGEST_LINE])
        if row is not None:
            found = f"{len(row.values)} in line {odd + 1}"
            raise unreadable(
                source, f"{len(table[0].values)} columns in every line", found, f"correct line {odd + 1}"
            )
        if other is upper and len(other) < 2:
            continue  # one row above the names of the columns: of the header
        raise unreadable(
            source, "numbers below the header", repr(lines[odd].strip()[:40]), f"correct line {odd + 1}"
        )


def _odd_line(upper: list[Line], lower: list[Line], lines: Sequence[str]) -> int | None:
    """The first line between two blocks that are near each other."""
    between = range(upper[-1].number + 1, lower[0].number)
    if len(between) > NEAR:
        return None
    return next((n for n in between if lines[n].strip() and not lines[n].lstrip().startswith(COMMENTS)), None)


def _goes_on(upper: list[Line], lower: list[Line], table: list[Line]) -> bool:
    """Whether q of the lower block goes on where that of the upper ends, in the table's direction and steps."""
    q = np.array([row.values[0] for row in table])
    step = lower[0].values[0] - upper[-1].values[0]
    typical = float(np.median(np.diff(q))) if len(q) > 1 else step
    return bool(step * typical > 0 and (upper is table or abs(step) <= FEW_STEPS * abs(typical)))


def _beside(blocks: Sequence[list[Line]], table: list[Line]) -> tuple[list[str], list[str]]:
    """Note and warning about rows of numbers that are not of the table: few are a header's, many another table."""
    others = [block for block in blocks if block is not table]
    many = [block for block in others if len(block) >= LARGE_BLOCK]
    rows = sum(map(len, others))
    not_read = f"{number_of(rows, 'row')} of numbers elsewhere {'is' if rows == 1 else 'are'} not"
    where = f"read are lines {table[0].number + 1} to {table[-1].number + 1}; {not_read}"
    return ([where] if rows and not many else []), ([where] if many else [])


def _file_info_unit(footer: Sequence[str]) -> str | None:
    match = FILE_INFO_Q.search("\n".join(footer[:20]))
    return q_unit_in([f"q {match.group(1)}"]) if match else None
