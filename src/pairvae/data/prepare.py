"""From a raw file to the prepared array: read the file of a sample, prepare it, and keep the result in a cache.

The file is read by ``modalities/readers``; what happens to its pixels is the function ``prepare`` of its technique
(``modalities/saxs.py``, ``sem.py``, ``iq.py``).
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from pairvae import store
from pairvae.data.pairs.sample import Pair, with_scales
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, Modality
from pairvae.modalities.readers.image import HDF5_SUFFIXES, INSIDE, file_part
from pairvae.modalities.readers.instruments import sidecars
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.settings import Section
from pairvae.store.code import code_digest
from pairvae.store.file_cache import FileCache

LIBRARIES = ("numpy", "scipy", "opencv-python", "pillow", "tifffile", "fabio", "rosettasciio", "pyFAI")


def raw_of(pair: Pair, modality: Modality) -> RawImage:
    """Read the pair's file of a modality, or of the one that may stand in for it.

    Parameters
    ----------
    pair : Pair
        The sample.
    modality : Modality
        The modality to prepare.

    Returns
    -------
    RawImage
        With the scales of pairs.csv.

    Raises
    ------
    InputError
        Where there is no such file, or it cannot be read.
    """
    reader, file = _source(pair, modality)
    return with_scales(reader.read(file), pair, modality.name)


def prepare_file(
    pair: Pair,
    modality: Modality,
    section: Section,
    kept: FileCache | None = None,
    raw: RawImage | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Prepare one file of a sample.

    Parameters
    ----------
    pair : Pair
        The sample, with the scales that pairs.csv gives.
    modality : Modality
        The modality to prepare.
    section : Section
        Its settings ``prepare``, with the content of mask and geometry in place of their names.
    kept : FileCache, optional
        Where results are looked up and kept.
    raw : RawImage, optional
        The file as :func:`raw_of` gives it, where it was read already.

    Returns
    -------
    array : numpy.ndarray
        ``(channels, H, W)``: float32 in [0, 1], or uint8 in {0, 1} of two phases.
    record : dict
        What was done to the file (:meth:`~pairvae.modalities.Modality.record`), as JSON.

    Raises
    ------
    InputError
        The file is not there, cannot be read, or does not fit the settings.
    """
    key = None if kept is None else cache_key("data.prepare", pair, modality, section)
    entry = None if kept is None or key is None else kept.read(key)
    if entry is not None:
        return entry[0]["array"], entry[1]
    raw = raw_of(pair, modality) if raw is None else raw
    array, record = modality.prepare(raw, section), modality.record(raw, section)
    if kept is not None and key is not None:
        kept.write(key, {"array": array}, record)
    return array, record


def refuse_single_phase(image: np.ndarray, file: Path | str | None) -> None:
    """Refuse a binary image that is 0 or 1 everywhere.

    Parameters
    ----------
    image : ndarray
        ``(H, W)`` of 0 and 1.
    file : Path, str or None
        Its file, for the message.

    Raises
    ------
    InputError
        It names the file.
    """
    if image.min() == image.max():
        raise InputError(
            expected="an image of two phases",
            found="a single grey level",
            where=str(file),
            remedy="leave the pair out of pairs.csv",
        )


def cache_key(module: str, pair: Pair, modality: Modality, section: Section, *more: object) -> str | None:
    """Name of all that a result on one file depends on.

    Parameters
    ----------
    module : str
        A dotted name within the package, whose code counts.
    pair, modality, section
        As for :func:`prepare_file`.
    *more : object
        Further values that decide the result, as JSON.

    Returns
    -------
    str or None
        None where it cannot be told at little cost.

    Raises
    ------
    InputError
        Where the sample has no file of the modality.
    """
    reader, source = _source(pair, modality)
    file = file_part(source)
    # The data of an HDF5 file may lie in other files that it links to.
    if INSIDE in str(source) or HDF5_SUFFIXES & {suffix.lstrip(".") for suffix in file.suffixes}:
        return None
    try:
        contents = [[path.name, _content(path)] for path in (file, *sidecars(file))]
    except OSError:
        return None
    scales = [pair.saxs_q_per_px_inv_nm, pair.nm_per_px(modality.name)]
    settings = section.model_dump(mode="json")
    facts = [module, code_digest(module), _libraries(), modality.name, reader.name, settings, scales, more]
    return store.digest([facts, contents])


def _source(pair: Pair, modality: Modality) -> tuple[Modality, Path | str]:
    """The modality whose file is read, and the file."""
    reader = (
        modality if modality.name in pair.files or modality.instead is None else MODALITIES[modality.instead]
    )
    file = pair.files.get(reader.name)
    if file is None:
        raise InputError(
            expected=f"a file of {modality.title} for pair {pair.id}",
            found="none",
            where="pairs.csv",
            remedy=f"add {modality.folder}/{pair.id}.<ext>, or the column {modality.name}",
        )
    return reader, file


def _content(path: Path) -> str:
    status = path.stat()
    return _digest(path.absolute(), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@lru_cache(maxsize=20_000)
def _digest(path: Path, size: int, modified_ns: int, changed_ns: int) -> str:
    return store.file_digest(path)


@cache
def _libraries() -> list[str]:
    """The libraries that read and prepare files, with their versions: another version may give other arrays."""
    installed = []
    for name in LIBRARIES:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            installed.append(f"{name} absent")
    return installed
