"""File names: normalised letters, natural order, and no leftovers of other programs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

from pairvae.errors import InputError
from pairvae.modalities import MODALITIES

LEFTOVERS = (".", "~$")  # hidden files, macOS's ._NAME, and Office's ~$NAME
COMPRESSED = (".gz", ".bz2")


def composed(text: str) -> str:
    """``text`` with composed letters (NFC): macOS and Linux may write the same name with different bytes."""
    return unicodedata.normalize("NFC", text)


def natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts ``sem_2`` before ``sem_10``."""
    parts = re.split(r"(\d+)", composed(text))
    return [(int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in parts]


def is_leftover(name: str) -> bool:
    """Whether another program left the file behind: hidden, ``._NAME`` of macOS, ``~$NAME`` of Office."""
    return name.startswith(LEFTOVERS)


def is_utf8(path: Path) -> bool:
    """Whether the name can be written into a table: some systems allow bytes that are no UTF-8."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def not_utf8(path: Path) -> InputError:
    """The error for a file whose name is not UTF-8."""
    return InputError(
        expected="file names in UTF-8", found="other bytes", where=str(path), remedy="rename the file"
    )


def stem_of(path: Path) -> str:
    """The composed name without its suffix, and without ``.gz`` before that."""
    name = Path(path.name)
    inner = Path(name.stem) if name.suffix.lower() in COMPRESSED else name
    return composed(inner.stem)


def has_suffix(path: Path, suffixes: Collection[str]) -> bool:
    """Whether a name has one of several suffixes.

    Parameters
    ----------
    path : Path
        In any case.
    suffixes : collection of str
        Lower case, without the dot.

    Returns
    -------
    bool
        Whether it ends with one.
    """
    return path.name.lower().endswith(tuple(f".{suffix}" for suffix in suffixes))


def modality_folders(folder: Path, name: str, called: str | None = None) -> list[Path]:
    """The sub-folders of a modality, by name in any case.

    Parameters
    ----------
    folder : Path
        The folder of all.
    name : str
        The modality.
    called : str, optional
        What its folder is called, where not ``SAXS``, ``SEM`` or ``IQ``.

    Returns
    -------
    list of Path
        Sorted; none where ``folder`` is no folder.
    """
    folder_name = composed(called or MODALITIES[name].folder).casefold()
    if not folder.is_dir():
        return []
    return sorted(
        sub for sub in folder.iterdir() if composed(sub.name).casefold() == folder_name and sub.is_dir()
    )


def modality_files(folder: Path, name: str, called: str | None = None) -> list[Path]:
    """Readable files anywhere below the sub-folders of a modality; leftovers are left out.

    Parameters
    ----------
    folder, name, called
        As for :func:`modality_folders`.

    Returns
    -------
    list of Path
        In natural order.
    """
    suffixes = MODALITIES[name].suffixes
    files = [
        path
        for sub in modality_folders(folder, name, called)
        for path in sub.rglob("*")
        if has_suffix(path, suffixes)
        and not any(is_leftover(part) for part in path.relative_to(sub).parts)
        and not path.is_dir()
    ]
    return sorted(files, key=lambda path: (natural(path.relative_to(folder).as_posix()), str(path)))
