"""Inputs of `pairvae predict`: files, folders and name patterns, and the modality of each file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pairvae.errors import InputError, printable
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES, main_pair
from pairvae.modalities.readers.image import HDF5_SUFFIXES, file_part, file_stem, is_litter

BOTH = "both"
WILD = "*?["
LONGEST_STEM = 200  # bytes; a file name has at most 255, and numbers and suffixes are appended


@dataclass(frozen=True)
class Input:
    """A raw file to predict from, and further files of the same sample.

    Parameters
    ----------
    given : str
        The file as the user named it.
    source, target : str
        Its modality, and the one to predict.
    name : str
        Prefix of its output files.
    beside : tuple of modality and file
        Measurements of the same sample by other techniques.
    """

    given: str
    source: str
    target: str
    name: str
    beside: tuple[tuple[str, str], ...] = ()

    @property
    def files(self) -> dict[str, str]:
        """All files by modality."""
        return {self.source: self.given, **dict(self.beside)}

    @property
    def shown(self) -> str:
        """The file names, safe to print in a line or a table."""
        return " + ".join(map(printable, self.files.values()))

    @property
    def sources(self) -> str:
        """All its modalities, as ``saxs+iq``."""
        return "+".join(self.files)


def inputs_of(files: Sequence[str], modalities: Sequence[str], to: str, source: str | None) -> list[Input]:
    """All raw files with their directions.

    Parameters
    ----------
    files : sequence of str
        Files, folders, and name patterns.
    modalities : sequence of str
        Those of the model, two or more.
    to : str
        The modality to predict, or ``both``: from each file the other modality, of more than two one of the main pair.
    source : str or None
        The files' modality. Without it, with ``both``, their folders tell (``SAXS/``, ``SEM/``).

    Returns
    -------
    list of Input
        In the order of the files.

    Raises
    ------
    InputError
        No file is found, or a file's modality is unknown.
    """
    paths: list[tuple[str, str]] = []
    for entry in files:
        for name, part in _parts(entry, modalities, to, source):
            paths += [(path, name) for path in expand([part], MODALITIES[name].suffixes)]
    first, second = main_pair(modalities)
    targets = {name: to if to != BOTH else first if name == second else second for name in modalities}
    # A pattern and a micrograph of one id may share a name: their predictions have different suffixes.
    names = {
        name: iter(unique_names([path for path, modality in paths if modality == name]))
        for name in modalities
    }
    return [Input(path, name, targets[name], next(names[name])) for path, name in paths]


def _parts(entry: str, modalities: Sequence[str], to: str, source: str | None) -> list[tuple[str, str]]:
    """Modality and path of one entry; for a folder with one folder per technique, of each of these."""
    others = [name for name in modalities if name != to]
    if source is None and len(others) == 1:
        source = others[0]
    if source is None:
        return parts_of(entry, others)
    if source not in others:
        raise InputError(expected=f"files of {' or '.join(others)}", found=repr(source), where="--from")
    return [(source, entry)]


def source_of(files: Sequence[str], modalities: Sequence[str], to: str, source: str | None = None) -> str:
    """The one technique of some files, which are one of several that a model takes.

    Parameters
    ----------
    files : sequence of str
        Files and folders.
    modalities : sequence of str
        Those of the model, two or more.
    to : str
        The modality to predict.
    source : str, optional
        The files' modality; without it, their folders and endings tell.

    Returns
    -------
    str
        The modality.

    Raises
    ------
    InputError
        They are of several techniques, or of one that is not clear.
    """
    names = sorted({name for entry in files for name, _ in _parts(entry, modalities, to, source)})
    if len(names) != 1:
        raise InputError(
            expected="files of one technique",
            found=" and ".join(names) or "none",
            where=files[0] if files else "",
            remedy="name those of one, or say what they are with --from",
        )
    return names[0]


def direction_of(source: str, target: str) -> str:
    """What is predicted from what, in words.

    Parameters
    ----------
    source, target : str
        Modalities.

    Returns
    -------
    str
        Such as ``SEM image from SAXS pattern``.
    """
    return f"{MODALITIES[target].title} from {MODALITIES[source].title}"


def require_images(predictor: Predictor, target: str) -> None:
    """Refuse a target that is no image.

    Parameters
    ----------
    predictor : Predictor
        The model.
    target : str
        A modality.

    Raises
    ------
    InputError
        The model does not draw images of it.
    """
    predictor.shape(target)
    if not MODALITIES[target].cropped:
        drawn = [name for name in predictor.modalities if MODALITIES[name].cropped]
        raise InputError(
            expected=f"images to predict: {' or '.join(drawn) or 'the model has none'}",
            found=repr(target),
            where="--to",
        )


def parts_of(entry: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """Modality and path of one file or folder: by its folder, else by the only technique whose files end like that.

    Parameters
    ----------
    entry : str
        A file or a folder; a folder with one folder per technique is each of these.
    names : sequence of str
        The modalities that it may be of.

    Returns
    -------
    list of tuple of str
        At least one.

    Raises
    ------
    InputError
        Its technique is not clear.
    """
    path = Path(entry.partition("::")[0])
    inside = [(name, path / MODALITIES[name].folder) for name in names]
    inside = [(name, part) for name, part in inside if part.is_dir()]
    if inside:
        return [(name, str(part)) for name, part in inside]
    folder = path.name if path.is_dir() else path.absolute().parent.name
    for name in names:
        if folder.lower() == MODALITIES[name].folder.lower():
            return [(name, entry)]
    suffix = path.suffix.lower().lstrip(".")
    fitting = [name for name in names if suffix in MODALITIES[name].suffixes]
    if len(fitting) == 1:
        return [(fitting[0], entry)]
    folders = " or ".join(MODALITIES[name].folder for name in names)
    of_files = f", and files .{suffix} may be of {' or '.join(fitting) or 'none of them'}" if suffix else ""
    raise InputError(
        expected=f"a file in a folder {folders}",
        found=f"{folder!r}{of_files}",
        where=entry,
        remedy=f"say what it is with --from {'|'.join(names)}",
    )


def expand(files: Sequence[str], suffixes: frozenset[str]) -> list[str]:
    """Files as given; of folders, their files with one of the suffixes; of patterns (``*.tif``), all matches.

    Files that other programs leave beside measurements (:func:`pairvae.modalities.readers.image.is_litter`) are
    skipped, unless nothing else is given.

    Parameters
    ----------
    files : sequence of str
        Files, folders, and name patterns.
    suffixes : frozenset of str
        File name suffixes, without dots.

    Returns
    -------
    list of str
        At least one for each entry, sorted within folders and patterns.

    Raises
    ------
    InputError
        A folder or a pattern has none.
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
    """Refuse to overwrite an input.

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
    """Names for the output of each input: file stems, numbered where two inputs share one."""
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
    """Prefix of the output files of an input with this stem; a very long stem ends in a digest."""
    stem = printable(stem)
    whole = stem.encode()
    if len(whole) <= LONGEST_STEM:
        return stem
    return f"{whole[: LONGEST_STEM - 20].decode('utf-8', 'ignore')}-{hashlib.sha256(whole).hexdigest()[:12]}"
