"""What `pairvae predict` is given: files, folders and patterns of names, and which modality each file is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers import HDF5_SUFFIXES, file_part, file_stem

BOTH = "both"
WILD = "*?["


@dataclass(frozen=True)
class Input:
    """A raw file as the user named it, the modality it is of, the one to predict, and a name for what comes out."""

    given: str
    source: str
    target: str
    name: str


def inputs_of(files: Sequence[str], modalities: Sequence[str], to: str, source: str | None) -> list[Input]:
    """All raw files among ``files`` with their directions; ``to`` is a modality or ``both`` (each the other way).

    ``source`` says what the files are; otherwise, with ``both``, their folders do (``SAXS/``, ``SEM/``).
    ``InputError`` where there is nothing, or where a file's modality is not known.
    """
    found: list[tuple[str, str]] = []
    for entry in files:
        for name, part in _parts(entry, modalities, to, source):
            found += [(path, name) for path in expand([part], MODALITIES[name].suffixes)]
    targets = {name: next(one for one in modalities if one != name) for name in modalities}
    # An id that is both a pattern and a micrograph keeps its name: what is predicted differs.
    names = {name: iter(unique_names([path for path, own in found if own == name])) for name in modalities}
    return [Input(path, name, targets[name], next(names[name])) for path, name in found]


def _parts(entry: str, modalities: Sequence[str], to: str, source: str | None) -> list[tuple[str, str]]:
    """Modality and files of one entry: of a folder with one folder a technique, each of these."""
    if source is not None or to != BOTH:
        own = source or next(name for name in modalities if name != to)
        if own not in modalities or own == to:
            raise InputError(
                expected=f"files of {' or '.join(name for name in modalities if name != to)}",
                found=repr(own),
                where="--from",
            )
        return [(own, entry)]
    folders = {name: MODALITIES[name].folder for name in modalities}
    inside = [(name, str(Path(entry) / folder)) for name, folder in folders.items()]
    inside = [(name, part) for name, part in inside if Path(part).is_dir()]
    if inside:
        return inside
    path = Path(entry.partition("::")[0])
    place = path.name if path.is_dir() else path.absolute().parent.name
    for name, folder in folders.items():
        if place.lower() == folder.lower():
            return [(name, entry)]
    raise InputError(
        expected=f"a file in a folder {' or '.join(folders.values())}",
        found=repr(place),
        where=entry,
        remedy=f"say what it is with --from {'|'.join(modalities)}",
    )


def expand(files: Sequence[str], suffixes: frozenset[str]) -> list[str]:
    """Files as given; of folders, the files of a kind in them by name; of patterns (``*.tif``), what they match.

    ``InputError`` where there is nothing.
    """
    kinds = {f".{suffix}" for suffix in suffixes - HDF5_SUFFIXES}  # an HDF5 file needs its ::/path
    found: list[str] = []
    for entry in files:
        path = Path(entry)
        if path.is_dir():
            inside = sorted(str(one) for one in path.iterdir() if one.suffix.lower() in kinds)
            if not inside:
                raise InputError(expected="readable files in the folder", found="none", where=entry)
            found += inside
        elif any(mark in entry for mark in WILD) and not path.exists() and "::" not in entry:
            pattern = str(path.relative_to(path.anchor))
            matching = sorted(str(one) for one in Path(path.anchor).glob(pattern))
            if not matching:
                raise InputError(expected="files of that pattern", found="none", where=entry)
            found += matching
        else:
            found.append(entry)
    return found


def unique_names(inputs: Sequence[str]) -> list[str]:
    """File stems, numbered where two inputs share one."""
    seen: dict[str, int] = {}
    taken: set[str] = set()
    names = []
    for entry in inputs:
        stem = file_stem(file_part(entry))
        name = stem
        while name in taken:
            seen[stem] = seen.get(stem, 1) + 1
            name = f"{stem}-{seen[stem]}"
        taken.add(name)
        names.append(name)
    return names
