"""Images out of a zip or tar archive that nobody vouches for.

Names inside an archive never become paths: the caller says where each image goes. They are checked all the
same, because an honest archive has no ``..`` and no links. Sizes and counts are bounded before any reading.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from pairvae.data.published.archive_members import archive_errors, members
from pairvae.data.published.published_file import Limits, PublishedFile
from pairvae.errors import InputError

CHUNK = 1 << 20
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})
KEYWORDS = {"saxs": re.compile(r"(?<![a-z])saxs(?![a-z])"), "sem": re.compile(r"(?<![a-z])sem(?![a-z])")}


def read_images(path: Path, limits: Limits) -> list[PublishedFile]:
    """The images in an archive.

    Parameters
    ----------
    path : Path
        A zip or tar file.
    limits : Limits
        The most that it may hold.

    Returns
    -------
    list of PublishedFile
        In its order, at least one.

    Raises
    ------
    InputError
        For an archive that is broken, hostile or too large, or without images.
    """
    images = [file for file, _ in members(path, limits) if _is_image(file)]
    names = [file.name for file in images]
    if len(set(names)) != len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise InputError(expected="each name once", found=f"{double[:80]!r} again", where=str(path))
    if not images:
        raise InputError(
            expected="images", found="none", where=str(path), remedy="name the archive of the pairs"
        )
    return images


def copy_images(path: Path, targets: Mapping[str, Path], limits: Limits, done: Callable[[], None]) -> None:
    """Copy members of an archive; no cut copy stays.

    Parameters
    ----------
    path : Path
        A zip or tar file.
    targets : mapping of str to Path
        Where each goes, by its ``source``.
    limits : Limits
        The most that the archive may hold.
    done : callable
        Called after each.

    Raises
    ------
    InputError
        For an archive that is broken, hostile or too large.
    """
    for file, opener in members(path, limits):
        target = targets.get(file.source)
        if target is None:
            continue
        partial = target.with_name(f"{target.name}.partial")
        try:
            with archive_errors(path):
                stream = opener()
            if stream is None:
                raise InputError(
                    expected="a file", found=f"{file.name[:80]!r}, which is none", where=str(path)
                )
            with stream:
                _copy(stream, partial, file, path)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        done()


def choose_sets(
    files: list[PublishedFile], suffixes: Mapping[str, tuple[str, ...]], where: str
) -> dict[str, list[PublishedFile]]:
    """The files of the one folder of each modality.

    A folder belongs to a modality by its own name (``SAXS``, ``sem_images``), else by its files' suffixes.

    Parameters
    ----------
    files : list of PublishedFile
        Of all folders.
    suffixes : mapping of str to tuple of str
        Of each modality, with dots.
    where : str
        For the message.

    Returns
    -------
    dict of str to list of PublishedFile
        By modality, sorted by name.

    Raises
    ------
    InputError
        Where a modality has no folder, or several.
    """
    folders: dict[str, list[PublishedFile]] = {}
    for file in files:
        folders.setdefault(str(PurePosixPath(file.name).parent), []).append(file)
    chosen: dict[str, list[PublishedFile]] = {}
    for modality, keyword in KEYWORDS.items():
        named = [name for name in folders if keyword.search(PurePosixPath(name).name.lower())]
        if named:
            candidates = {name: folders[name] for name in named}
        else:
            fitting = {
                name: [file for file in members if file.suffix in suffixes[modality]]
                for name, members in folders.items()
            }
            candidates = {name: members for name, members in fitting.items() if members}
        if len(candidates) != 1:
            listing = ", ".join(f"{name} ({len(members)})" for name, members in sorted(folders.items())[:8])
            raise InputError(
                expected=f"one folder of {modality.upper()} images",
                found=f"{len(candidates)} among {listing}",
                where=where,
                remedy="unpack it, name the two folders SAXS and SEM, and use `pairvae data init` on them",
            )
        chosen[modality] = sorted(next(iter(candidates.values())), key=lambda file: file.name)
    return chosen


def _is_image(file: PublishedFile) -> bool:
    parts = PurePosixPath(file.name).parts
    hidden = any((part.startswith(".") and part != ".") or part == "__MACOSX" for part in parts)
    return file.suffix in IMAGE_SUFFIXES and not hidden


def _copy(stream: IO[bytes], partial: Path, file: PublishedFile, archive: Path) -> None:
    written = 0
    with partial.open("wb") as out:
        while True:
            with archive_errors(archive):
                block = stream.read(CHUNK)
            if not block:
                break
            written += len(block)
            if written > (file.size or 0):
                raise InputError(
                    expected=f"{file.size} bytes", found="more", where=f"{archive}, {file.name[:80]!r}"
                )
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
