"""``fetch.json``: which published file became which local file, with size and sha256, checked ever after."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pairvae.data.published.published_file import PublishedFile
from pairvae.errors import InputError

RECORD = "fetch.json"
PAIRS = "pairs.csv"
FOLDERS = {"saxs": "SAXS", "sem": "SEM"}
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
TARGET = r"^(SAXS|SEM)/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(jpg|jpeg|png|tif|tiff)$"


@dataclass(frozen=True)
class Item:
    """One file of the data layout.

    Parameters
    ----------
    target : str
        Its path in the folder (``SEM/01.tif``).
    file : PublishedFile
        What was published as that.
    """

    target: str
    file: PublishedFile

    @property
    def id(self) -> str:
        """The pair's id."""
        return PurePosixPath(self.target).stem


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str = Field(pattern=TARGET)
    name: str
    source: str
    size: int = Field(gt=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    citation: str
    license: str
    archive_sha256: str | None
    files: tuple[_Row, ...] = Field(min_length=2)


@dataclass(frozen=True)
class Record:
    """What a finished fetch wrote down.

    Parameters
    ----------
    citation, license : str
        Of the data.
    archive_sha256 : str or None
        Of the archive that they came from, if from one.
    items : tuple of Item
        All files.
    """

    citation: str
    license: str
    archive_sha256: str | None
    items: tuple[Item, ...]


def pair_up(chosen: Mapping[str, Sequence[PublishedFile]], pairs: int | None, where: str) -> list[Item]:
    """Published files as items: the n-th SAXS name belongs to the n-th SEM name, both sorted.

    The ids are the common stems where all of them agree, else ``01``, ``02``, ... in that order.

    Parameters
    ----------
    chosen : mapping of str to sequence of PublishedFile
        By modality.
    pairs : int or None
        How many there must be; None: any number.
    where : str
        For the message.

    Returns
    -------
    list of Item
        Pair by pair.

    Raises
    ------
    InputError
        When the counts differ from each other or from ``pairs``.
    """
    saxs, sem = (sorted(chosen[modality], key=lambda file: file.name) for modality in FOLDERS)
    if len(saxs) != len(sem) or (pairs is not None and len(saxs) != pairs):
        raise InputError(
            expected=f"{pairs} pairs" if pairs else "as many SAXS as SEM files",
            found=f"{len(saxs)} SAXS and {len(sem)} SEM files",
            where=where,
            remedy="a part may be missing there: compare with the data set's own page",
        )
    stems = [PurePosixPath(file.name).stem for file in saxs]
    agree = stems == [PurePosixPath(file.name).stem for file in sem]
    unique = len({stem.casefold() for stem in stems}) == len(stems)
    if not (agree and unique and all(SAFE_ID.fullmatch(stem) for stem in stems)):
        digits = max(2, len(str(len(saxs))))
        stems = [f"{number:0{digits}d}" for number in range(1, len(saxs) + 1)]
    items = []
    for stem, pattern, micrograph in zip(stems, saxs, sem, strict=True):
        items.append(Item(f"SAXS/{stem}{pattern.suffix}", pattern))
        items.append(Item(f"SEM/{stem}{micrograph.suffix}", micrograph))
    return items


def parse_record(value: Mapping[str, Any], where: str) -> Record:
    """A record from JSON, strictly: no path in it can leave the data folder.

    Parameters
    ----------
    value : mapping
        As read.
    where : str
        For the message.

    Returns
    -------
    Record
        Of pairs.

    Raises
    ------
    InputError
        For what no fetch has written.
    """
    try:
        record = _Record.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(
            expected="a record that `pairvae data fetch` wrote",
            found=f"{first['msg']}: {first['input']!r}"[:120],
            where=f"{where}, key {key}",
            remedy="fetch into a new folder",
        ) from error
    items = tuple(
        Item(row.path, PublishedFile(row.name, row.source, row.size, row.sha256)) for row in record.files
    )
    ids = {
        folder: [item.id for item in items if item.target.startswith(f"{folder}/")]
        for folder in ("SAXS", "SEM")
    }
    if ids["SAXS"] != ids["SEM"] or len(set(ids["SEM"])) != len(ids["SEM"]):
        raise InputError(
            expected="pairs", found="files without partners", where=where, remedy="fetch into a new folder"
        )
    return Record(record.citation, record.license, record.archive_sha256, items)


def read_record(path: Path) -> Record | None:
    """The record at ``path``; None where there is none."""
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        value = None
    return parse_record(value if isinstance(value, dict) else {}, str(path))


def settled(item: Item, size: int, sha256: str) -> Item:
    """An item with what its file turned out to be.

    Parameters
    ----------
    item : Item
        As planned.
    size : int
        Bytes.
    sha256 : str
        64 hexadecimal digits.

    Returns
    -------
    Item
        A copy.
    """
    return replace(item, file=replace(item.file, size=size, sha256=sha256))


def record_json(record: Record) -> dict[str, Any]:
    """``record`` as JSON."""
    rows = [
        {
            "path": item.target,
            "name": item.file.name,
            "source": item.file.source,
            "size": item.file.size,
            "sha256": item.file.sha256,
        }
        for item in record.items
    ]
    return {
        "citation": record.citation,
        "license": record.license,
        "archive_sha256": record.archive_sha256,
        "files": rows,
    }


def pairs_csv(items: Sequence[Item]) -> str:
    """The text of ``pairs.csv``: id, saxs, sem (paths relative to the folder)."""
    saxs = {item.id: item.target for item in items if item.target.startswith("SAXS/")}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "saxs", "sem"])
    for item in items:
        if item.target.startswith("SEM/"):
            writer.writerow([item.id, saxs[item.id], item.target])
    return text.getvalue()
