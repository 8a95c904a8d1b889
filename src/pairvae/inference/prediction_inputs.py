"""What `pairvae predict` is given: files, folders and patterns of names, and which modality each file is of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pairvae.data.pairs.manifest import read_manifest
from pairvae.errors import InputError, printable
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.image import HDF5_SUFFIXES, file_part, file_stem, is_litter

BOTH = "both"
WILD = "*?["
LONGEST_STEM = 200  # bytes: numbers and endings follow, and a file's name has at most 255


@dataclass(frozen=True)
class Input:
    """A raw file to predict from.

    Parameters
    ----------
    given : str
        The file as the user named it.
    source, target : str
        The modality that it is of, and the one to predict.
    name : str
        What the files that come out of it begin with.
    """

    given: str
    source: str
    target: str
    name: str

    @property
    def shown(self) -> str:
        """The name of the file as a line or a table may show it."""
        return printable(self.given)


def inputs_of(files: Sequence[str], modalities: Sequence[str], to: str, source: str | None) -> list[Input]:
    """All raw files with their directions.

    Parameters
    ----------
    files : sequence of str
        Files, folders, and patterns of names.
    modalities : sequence of str
        Two, those of the model.
    to : str
        The modality to predict, or ``both`` (each the other way).
    source : str or None
        What the files are; otherwise, with ``both``, their folders say so (``SAXS/``, ``SEM/``).

    Returns
    -------
    list of Input
        In the order of the files.

    Raises
    ------
    InputError
        Where there is nothing, or where a file's modality is not known.
    """
    paths: list[tuple[str, str]] = []
    for entry in files:
        for name, part in _parts(entry, modalities, to, source):
            paths += [(path, name) for path in expand([part], MODALITIES[name].suffixes)]
    targets = {name: next(modality for modality in modalities if modality != name) for name in modalities}
    # An id that is both a pattern and a micrograph keeps its name: what is predicted differs.
    names = {
        name: iter(unique_names([path for path, modality in paths if modality == name]))
        for name in modalities
    }
    return [Input(path, name, targets[name], next(names[name])) for path, name in paths]


def unpaired_inputs(folders: Sequence[str], modalities: Sequence[str], to: str) -> list[Input]:
    """The files of all samples without a partner in folders of pairs, named by their samples' ids.

    Parameters
    ----------
    folders : sequence of str
        Folders of pairs.
    modalities : sequence of str
        Two, those of the model.
    to : str
        The modality that they lack, or ``both``.

    Returns
    -------
    list of Input
        In the order of folders and samples.

    Raises
    ------
    InputError
        Where there is none, or a folder is not sound.
    """
    inputs: list[Input] = []
    for folder in folders:
        manifest = read_manifest(Path(folder), modalities)
        if manifest.faults:
            raise manifest.faults[0].error
        for sample in manifest.unpaired:
            for name in [name for name in modalities if name in sample.files and name != to]:
                target = next(other for other in modalities if other != name)
                inputs.append(Input(str(sample.files[name]), name, target, output_stem(sample.id)))
    if not inputs:
        raise InputError(
            expected=f"samples without {'a partner' if to == BOTH else MODALITIES[to].title}",
            found="none",
            where=", ".join(folders),
        )
    return inputs


def _parts(entry: str, modalities: Sequence[str], to: str, source: str | None) -> list[tuple[str, str]]:
    """Modality and files of one entry: of a folder with one folder a technique, each of these."""
    if source is not None or to != BOTH:
        default = source or next(name for name in modalities if name != to)
        if default not in modalities or default == to:
            raise InputError(
                expected=f"files of {' or '.join(name for name in modalities if name != to)}",
                found=repr(default),
                where="--from",
            )
        return [(default, entry)]
    folders = {name: MODALITIES[name].folder for name in modalities}
    inside = [(name, str(Path(entry) / folder)) for name, folder in folders.items()]
    inside = [(name, part) for name, part in inside if Path(part).is_dir()]
    if inside:
        return inside
    path = Path(entry.partition("::")[0])
    parent = path.name if path.is_dir() else path.absolute().parent.name
    for name, folder in folders.items():
        if parent.lower() == folder.lower():
            return [(name, entry)]
    raise InputError(
        expected=f"a file in a folder {' or '.join(folders.values())}",
        found=repr(parent),
        where=entry,
        remedy=f"say what it is with --from {'|'.join(modalities)}",
    )


def expand(files: Sequence[str], suffixes: frozenset[str]) -> list[str]:
    """Files as given; of folders, the files of a kind in them by name; of patterns (``*.tif``), what they match.

    What other programs leave beside measurements (:func:`pairvae.modalities.readers.image.is_litter`) counts only
    where it is all that is given.

    Parameters
    ----------
    files : sequence of str
        Files, folders, and patterns of names.
    suffixes : frozenset of str
        Endings of the kind, without dots.

    Returns
    -------
    list of str
        At least one for each that is given.

    Raises
    ------
    InputError
        Where a folder or a pattern has none.
    """
    kinds = {f".{suffix}" for suffix in suffixes - HDF5_SUFFIXES}  # an HDF5 file needs its ::/path
    paths: list[str] = []
    for entry in files:
        path = Path(entry)
        if path.is_dir():
            files_of_kind = (file for file in path.iterdir() if file.suffix.lower() in kinds)
            inside = sorted(str(file) for file in files_of_kind if not is_litter(file.name))
            if not inside:
                raise InputError(expected="readable files in the folder", found="none", where=entry)
            paths += inside
        elif any(mark in entry for mark in WILD) and not path.exists() and "::" not in entry:
            pattern = str(path.relative_to(path.anchor))
            matches = Path(path.anchor).glob(pattern)
            matching = sorted(str(match) for match in matches if not is_litter(match.name))
            if not matching:
                raise InputError(expected="files of that pattern", found="none", where=entry)
            paths += matching
        else:
            paths.append(entry)
    return [entry for entry in paths if not is_litter(file_part(entry).name)] or paths


def require_no_input(written: Iterable[Path], inputs: Iterable[str]) -> None:
    """Refuse to write what would take the place of an input.

    Parameters
    ----------
    written : iterable of Path
        The files to write.
    inputs : iterable of str
        The files that are read.

    Raises
    ------
    InputError
        It names the input.
    """
    given = {file_part(entry).resolve(): entry for entry in inputs}
    for file in written:
        if file.resolve() in given:
            reason = f"the input {printable(given[file.resolve()])}"
            raise InputError(
                expected="files that are no input", found=reason, where="--out", remedy="choose another --out"
            )


def unique_names(inputs: Sequence[str]) -> list[str]:
    """Names for what comes out of each input: file stems, numbered where two inputs share one."""
    seen: dict[str, int] = {}
    taken: set[str] = set()
    names = []
    for entry in inputs:
        stem = output_stem(file_stem(file_part(entry)))
        name = stem
        while name in taken:
            seen[stem] = seen.get(stem, 1) + 1
            name = f"{stem}-{seen[stem]}"
        taken.add(name)
        names.append(name)
    return names


def output_stem(stem: str) -> str:
    """What the files that come out of a file of this stem begin with; a very long one is cut to a digest."""
    stem = printable(stem)
    whole = stem.encode()
    if len(whole) <= LONGEST_STEM:
        return stem
    return f"{whole[: LONGEST_STEM - 20].decode('utf-8', 'ignore')}-{hashlib.sha256(whole).hexdigest()[:12]}"
