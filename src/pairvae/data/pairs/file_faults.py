"""What can be wrong with the files of samples: absent, outside the folder, used twice, or without a partner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pairvae.data.pairs.pairs_table import Table
from pairvae.data.pairs.sample import FOLDERS, OTHER_FOLDERS, PAIRS_FILE, Fault, Pair
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.image import file_part
from pairvae.modalities.readers.linked_folders import is_declared

ALLOW_LONE = "set data.unpaired to use"


def repeated_id(folder: Path, identity: str, paths: Sequence[Path]) -> Fault:
    """The fault of several files of one id.

    Parameters
    ----------
    folder : Path
        Of the pairs.
    identity : str
        The id.
    paths : sequence of Path
        Its files of one modality, at least two.

    Returns
    -------
    Fault
        It names all of them.
    """
    together = len({path.parent for path in paths}) == 1
    parent = paths[0].parent if together else folder
    error = InputError(
        expected=f"one file for id {identity}",
        found=" and ".join(path.relative_to(parent).as_posix() for path in paths),
        where=str(parent),
        remedy="keep one of them",
    )
    return Fault(identity, str(paths[1]), "duplicate id", error)


def missing_partner(folder: Path, sample: Pair, missing: str, table: Table | None) -> Fault:
    """The fault of a sample that has no file of a modality.

    Parameters
    ----------
    folder : Path
        Of the pairs.
    sample : Pair
        With a file of another modality.
    missing : str
        The modality.
    table : Table or None
        The ``pairs.csv`` that names the sample, if one does.

    Returns
    -------
    Fault
        It says where to add the file.
    """
    present = next(iter(sample.files.values()))
    if table is not None:
        error = InputError(
            expected="a file",
            found="an empty cell",
            where=f"{folder / PAIRS_FILE}, line {table.lines[sample.id]}, column {missing}",
            remedy=f"fill it in, or {ALLOW_LONE}",
        )
    else:
        file = file_part(present)
        error = InputError(
            expected=f"a partner {MODALITIES[missing].folder}/{sample.id}.<ext> of {file.parent.name}/{file.name}",
            found="none",
            where=str(folder),
            remedy=f"add it, pair other names with pairvae data init, or {ALLOW_LONE}",
        )
    return Fault(sample.id, str(present), "missing partner", error)


def file_fault(folder: Path, pair: Pair, name: str) -> Fault | None:
    """What is wrong with a file: absent, no file, or outside the folder through a link.

    Parameters
    ----------
    folder : Path
        Of the pairs.
    pair : Pair
        The sample.
    name : str
        The file's modality.

    Returns
    -------
    Fault or None
        None where it is sound.
    """
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


def reused_files(pairs: Sequence[Pair]) -> list[Fault]:
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
