"""Which files make pairs: those that ``pairs.csv`` names, else those of equal names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pairvae.data.pairs import FOLDERS, OTHER_FOLDERS, PAIRS_FILE, Fault, Pair
from pairvae.data.pairs_table import read_table, write_pairs
from pairvae.data.split import Split, split_pairs
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers import READABLE_SUFFIXES, file_part, file_stem
from pairvae.modalities.roots import is_declared

__all__ = [
    "FOLDERS",
    "OTHER_FOLDERS",
    "PAIRS_FILE",
    "Fault",
    "Pair",
    "Split",
    "collect",
    "read_pairs",
    "split_pairs",
    "write_pairs",
]

CHECK = "pairvae data check lists every problem"


def read_pairs(folder: Path) -> list[Pair]:
    """The pairs of a folder, sorted by id: from ``pairs.csv`` where there is one, else from equal file names.

    Files are named, not opened. ``InputError`` tells the first fault, and how many there are.
    """
    pairs, faults = collect(folder)
    if faults:
        first = faults[0].error
        more = f"{len(faults) - 1} more like it; {CHECK}" if len(faults) > 1 else CHECK
        raise InputError(
            expected=first.expected,
            found=first.found,
            where=first.where,
            remedy="; ".join(part for part in (first.remedy, more) if part),
        )
    return pairs


def collect(folder: Path) -> tuple[list[Pair], list[Fault]]:
    """The sound pairs of a folder, sorted by id, and every fault of the others."""
    if not folder.is_dir():
        found = "a file" if folder.exists() else "none"
        error = InputError(
            expected="a folder of pairs", found=found, where=str(folder), remedy="check the path"
        )
        return [], [Fault("", str(folder), "no folder", error)]
    table = folder / PAIRS_FILE
    pairs, faults = read_table(table) if table.exists() else _from_names(folder)
    sound: list[Pair] = []
    for pair in sorted(pairs, key=lambda pair: pair.id):
        wrong = [fault for name in pair.files if (fault := _file_fault(folder, pair, name)) is not None]
        faults += wrong
        if not wrong:
            sound.append(pair)
    faults += _reused_files(sound)
    if not sound and not faults:
        error = InputError(
            expected="pairs as SAXS/<id>.<ext> and SEM/<id>.<ext>, or a pairs.csv",
            found=_contents(folder),
            where=str(folder),
            remedy="pairvae data init writes a pairs.csv from file names",
        )
        faults.append(Fault("", str(folder), "no pairs", error))
    return sound, faults


def readable_files(folder: Path, suffixes: frozenset[str] = READABLE_SUFFIXES) -> list[Path]:
    """Files of a folder with one of ``suffixes``, sorted by name; hidden files are left out."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower().lstrip(".") in suffixes and not path.name.startswith(".") and not path.is_dir()
    )


def _from_names(folder: Path) -> tuple[list[Pair], list[Fault]]:
    """Pairs of ``SAXS/<id>.<ext>`` and ``SEM/<id>.<ext>``."""
    faults: list[Fault] = []
    sides: dict[str, dict[str, Path]] = {}
    for name, sub in FOLDERS.items():
        by_id: dict[str, list[Path]] = defaultdict(list)
        for path in readable_files(folder / sub):
            by_id[file_stem(path)].append(path)
        faults += [_twice(identity, paths) for identity, paths in sorted(by_id.items()) if len(paths) > 1]
        sides[name] = {identity: paths[0] for identity, paths in by_id.items()}
    others = other_files(folder)
    empty = [name for name in FOLDERS if not sides[name]]
    if len(empty) == 1 and others:
        (name,) = set(FOLDERS) - set(empty)
        found, alone = _with_others(folder, name, sides[name], others)
        return found, faults + alone
    everywhere = sorted(set(sides["saxs"]) | set(sides["sem"]))
    faults += [fault for identity in everywhere if (fault := _alone(folder, identity, sides)) is not None]
    both = [identity for identity in everywhere if identity in sides["saxs"] and identity in sides["sem"]]
    return [
        Pair(identity, sides["saxs"][identity], sides["sem"][identity], others=others.get(identity, {}))
        for identity in both
    ], faults


def _with_others(
    folder: Path, name: str, side: dict[str, Path], others: dict[str, dict[str, Path | str]]
) -> tuple[list[Pair], list[Fault]]:
    """Pairs of the only one of SAXS and SEM that is there, ``name``, with the files of further modalities."""
    instead = next(iter(next(iter(others.values()))))
    pairs, faults = [], []
    for identity in sorted(set(side) | set(others)):
        if identity in side and identity in others:
            named = {"saxs": None, "sem": None, name: side[identity]}
            pairs.append(Pair(identity, named["saxs"], named["sem"], others=others[identity]))
        else:
            present = side.get(identity) or Path(str(next(iter(others[identity].values()))))
            faults.append(_partner(folder, identity, present, instead if identity in side else name))
    return pairs, faults


def other_files(folder: Path) -> dict[str, dict[str, Path | str]]:
    """Files of further modalities, ``<FOLDER>/<id>.<ext>``, by id and modality."""
    found: dict[str, dict[str, Path | str]] = defaultdict(dict)
    for name, sub in OTHER_FOLDERS.items():
        for path in readable_files(folder / sub, MODALITIES[name].suffixes):
            found[path.stem].setdefault(name, path)
    return found


def _twice(identity: str, paths: Sequence[Path]) -> Fault:
    found = " and ".join(path.name for path in paths)
    error = InputError(
        expected=f"one file for id {identity}",
        found=found,
        where=str(paths[0].parent),
        remedy="keep one of them",
    )
    return Fault(identity, str(paths[1]), "duplicate id", error)


def _alone(folder: Path, identity: str, sides: dict[str, dict[str, Path]]) -> Fault | None:
    missing = [name for name in FOLDERS if identity not in sides[name]]
    if not missing:
        return None
    return _partner(folder, identity, sides["sem" if missing == ["saxs"] else "saxs"][identity], missing[0])


def _partner(folder: Path, identity: str, present: Path, missing: str) -> Fault:
    error = InputError(
        expected=f"a partner {MODALITIES[missing].folder}/{identity}.<ext> of {present.parent.name}/{present.name}",
        found="none",
        where=str(folder),
        remedy="add it, take its partner out, or pair other names with pairvae data init",
    )
    return Fault(identity, str(present), "missing partner", error)


def _file_fault(folder: Path, pair: Pair, name: str) -> Fault | None:
    """A file that is absent, is no file, or leaves the folder through a link."""
    path = file_part(pair.files[name])
    expected, found, kind = f"the {MODALITIES[name].folder} file of pair {pair.id}", "none", "missing file"
    if path.is_file():
        if path.resolve().is_relative_to(folder.resolve()) or is_declared(path):
            return None
        expected, found, kind = "files inside the folder", f"a link to {path.resolve()}", "outside the folder"
    elif path.exists():
        found = "a folder" if path.is_dir() else "a device or pipe"
    elif path.is_symlink():
        found = "a broken link"
    advice = "copy the file there" + (
        ", or name its folder in data.roots" if kind.startswith("outside") else ""
    )
    error = InputError(expected=expected, found=found, where=str(path), remedy=advice)
    return Fault(pair.id, str(path), kind, error)


def _reused_files(pairs: Sequence[Pair]) -> list[Fault]:
    """One file in two pairs is sound only within a group: else it could train and validate at once."""
    faults: list[Fault] = []
    for name in (*FOLDERS, *OTHER_FOLDERS):
        first: dict[str, Pair] = {}
        for pair in pairs:
            if name not in pair.files:
                continue
            key = str(pair.files[name])
            other = first.setdefault(key, pair)
            if other is pair or (pair.group is not None and pair.group == other.group):
                continue
            error = InputError(
                expected="a file in one pair only",
                found=f"it in the pairs {other.id} and {pair.id}",
                where=key,
                remedy="give both rows of pairs.csv the same group",
            )
            faults.append(Fault(pair.id, key, "file used twice", error))
    return faults


def _contents(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if not names:
        return "an empty folder"
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
