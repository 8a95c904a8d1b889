"""Bytes that somebody sent as the prepared array of a modality."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.detector_files import HDF5_MAGIC
from pairvae.modalities.readers import HDF5_SUFFIXES, read_image
from pairvae.predictor import Predictor

MOST_PIXELS = 40_000_000
LONGEST_NAME = 200


@dataclass(frozen=True)
class Upload:
    """The content of a file, and its name as it may be shown."""

    content: bytes
    name: str


def upload_of(content: bytes, name: str) -> Upload:
    """An upload whose name fits on a line: no folder, nothing unprintable."""
    last = PurePosixPath(name.replace("\\", "/")).name
    shown = "".join(one for one in last if one.isprintable())[:LONGEST_NAME]
    return Upload(content, shown or "the file")


def prepared(upload: Upload, predictor: Predictor, source: str) -> np.ndarray:
    """The prepared array ``(channels, H, W)`` (``InputError``, in words about the upload, where there is none).

    The content passes through a private temporary folder under a name of ours, since readers open files.
    """
    modality = MODALITIES[source]
    if upload.content.startswith(HDF5_MAGIC):
        raise InputError(
            expected="one image",
            found="an HDF5 file, which may hold many",
            where=upload.name,
            remedy="export one image, or use `pairvae predict file.h5::/path`",
        )
    with tempfile.TemporaryDirectory(prefix="pairvae-") as folder:
        path = Path(folder) / f"upload{_suffix(upload.name, modality.suffixes - HDF5_SUFFIXES)}"
        path.write_bytes(upload.content)
        try:
            if modality.read is read_image:
                raw = read_image(path, max_pixels=MOST_PIXELS)
            else:
                raw = modality.read(path)
            return modality.prepare(raw, predictor.prepared_with(source))
        except InputError as error:
            raise InputError(
                expected=error.expected,
                found=error.found.replace(str(path), upload.name),
                where=upload.name,
                remedy=error.remedy.replace(str(path), upload.name),
            ) from error


def _suffix(name: str, known: frozenset[str]) -> str:
    """One of the ``known`` suffixes, which detector formats without a magic number go by; never the caller's text."""
    given = PurePosixPath(name).suffix.lower().lstrip(".")
    return next((f".{suffix}" for suffix in known if suffix == given), "")
