"""A ``pairs.csv`` from file names: same stem, a pattern with a named group, or sorted order."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from pairvae.data.manifest import FOLDERS, PAIRS_FILE, Pair, other_files, write_pairs
from pairvae.data.pairs_table import checked_id
from pairvae.errors import InputError
from pairvae.modalities.readers import FORMATS, READABLE_SUFFIXES


def init_pairs(folder: Path, *, pattern: str | None = None, force: bool = False) -> list[Pair]:
    """Write ``folder/pairs.csv`` from the files below its SAXS and SEM folders, and return the pairs.

    With ``pattern`` (a regular expression with a named group ``id``, searched in each file's name) equal ids
    pair up; without, equal stems do where all have a partner, else the sorted names where equally many.
    Files of further modalities (``IQ/``) join the pair whose id, or whose SAXS file's stem, is theirs.
    An existing ``pairs.csv`` is kept unless ``force`` (``InputError``).
    """
    table = folder / PAIRS_FILE
    if not folder.is_dir():
        raise InputError(expected="a folder", found="none", where=str(folder), remedy="check the path")
    if table.exists() and not force:
        raise InputError(
            expected="no pairs.csv yet", found="one", where=str(table), remedy="--force writes it anew"
        )
    files = {side: _files(folder, name) for side, name in FOLDERS.items()}
    pairs = (
        _by_pattern(files, pattern) if pattern is not None else _by_stem(files) or _by_order(folder, files)
    )
    others = other_files(folder)
    pairs = [
        replace(pair, others=others.get(pair.id) or others.get(Path(str(pair.saxs)).stem) or {})
        for pair in pairs
    ]
    write_pairs(table, pairs)
    return pairs


def _files(folder: Path, name: str) -> list[Path]:
    """Readable files anywhere below the sub-folder ``name``, whatever its case, sorted by name."""
    found: list[Path] = []
    for sub in sorted(folder.iterdir()):
        if sub.is_dir() and sub.name.lower() == name.lower():
            found += [path for path in sub.rglob("*") if _readable(path, sub)]
    if not found:
        raise InputError(
            expected=f"files in {name}/ ({FORMATS})",
            found="none",
            where=str(folder),
            remedy=f"put them into {folder / name}",
        )
    return sorted(found, key=lambda path: _natural(path.relative_to(folder).as_posix()))


def _readable(path: Path, sub: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(sub).parts)
    return path.is_file() and not hidden and path.suffix.lower().lstrip(".") in READABLE_SUFFIXES


def _natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts ``s2`` before ``s10``."""
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"(\d+)", text)]


def _by_pattern(files: dict[str, list[Path]], pattern: str) -> list[Pair]:
    where = "--pattern"
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(expected="a regular expression", found=str(error), where=where) from error
    if "id" not in expression.groupindex:
        raise InputError(
            expected="a named group id", found=pattern, where=where, remedy=r"for instance (?P<id>\d+)"
        )
    sides: dict[str, dict[str, Path]] = {}
    for side, paths in files.items():
        named = [(_match(expression, path), path) for path in paths]
        repeated = [identity for identity, count in Counter(name for name, _ in named).items() if count > 1]
        if repeated:
            both = " and ".join(path.name for name, path in named if name == repeated[0])
            raise InputError(
                expected="one file for each id", found=f"{both} for id {repeated[0]}", where=where
            )
        sides[side] = dict(named)
    alone = sorted(set(sides["saxs"]) ^ set(sides["sem"]))
    if alone:
        path = (sides["saxs"] | sides["sem"])[alone[0]]
        raise InputError(
            expected=f"a partner of {path.parent.name}/{path.name}",
            found=f"none with id {alone[0]}, and {len(alone) - 1} more without",
            where=where,
        )
    return [
        Pair(identity, sides["saxs"][identity], sides["sem"][identity]) for identity in sorted(sides["saxs"])
    ]


def _match(expression: re.Pattern[str], path: Path) -> str:
    match = expression.search(path.name)
    if match is None or not match["id"]:
        raise InputError(
            expected=f"names that {expression.pattern} matches", found=path.name, where="--pattern"
        )
    return checked_id(match["id"], f"--pattern, file {path.name}")


def _by_stem(files: dict[str, list[Path]]) -> list[Pair]:
    """Pairs of equal stems; nothing unless every file has exactly one partner."""
    stems = {side: {path.stem: path for path in paths} for side, paths in files.items()}
    unique = all(len(stems[side]) == len(paths) for side, paths in files.items())
    if not unique or set(stems["saxs"]) != set(stems["sem"]):
        return []
    return [
        Pair(checked_id(stem, str(path)), path, stems["sem"][stem]) for stem, path in stems["saxs"].items()
    ]


def _by_order(folder: Path, files: dict[str, list[Path]]) -> list[Pair]:
    """The n-th SAXS file with the n-th SEM file, named by the SAXS file."""
    if len(files["saxs"]) != len(files["sem"]):
        raise InputError(
            expected="equally many SAXS and SEM files, or equal names",
            found=f"{len(files['saxs'])} and {len(files['sem'])}{_odd_ones(files)}",
            where=str(folder),
            remedy="add the missing ones, or give --pattern with a named group id",
        )
    count = Counter(path.stem for path in files["saxs"])
    names = [
        path.stem if count[path.stem] == 1 else f"{path.stem}-{number:04d}"
        for number, path in enumerate(files["saxs"], 1)
    ]
    return [
        Pair(checked_id(name, str(saxs)), saxs, sem)
        for name, saxs, sem in zip(names, files["saxs"], files["sem"], strict=True)
    ]


def _odd_ones(files: dict[str, list[Path]]) -> str:
    stems = [{path.stem for path in paths} for paths in files.values()]
    odd = sorted(stems[0] ^ stems[1])
    return f" ({', '.join(odd[:3])} without partner)" if stems[0] & stems[1] and odd else ""
