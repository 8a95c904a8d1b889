"""Uploaded measurements."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pairvae.errors import InputError
from pairvae.inference.measurement import Door, Measurement, likely_technique, measurement
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES
from pairvae.modalities.acquisition import ANY, Acquisition
from pairvae.modalities.readers.detector_files import HDF5_MAGIC
from pairvae.modalities.readers.fabio_files import CBF_MAGIC
from pairvae.modalities.readers.image import HDF5_SUFFIXES

DOOR = Door(max_pixels=40_000_000, advice="choose that (source={technique})", dashes=False)
LONGEST_HEAD = 64
BEGINNINGS = {CBF_MAGIC: "cbf", b"{": "edf"}
LONGEST_NAME = 200


class FullError(Exception):
    """The server has no disk space for an upload; the message is shown unchanged."""


@dataclass(frozen=True)
class Upload:
    """The content of a file, and its name, safe to show."""

    content: bytes
    name: str


def upload_of(content: bytes, name: str) -> Upload:
    """An upload whose name fits on a line: no folder, nothing unprintable."""
    last = PurePosixPath(name.replace("\\", "/")).name
    shown = "".join(character for character in last if character.isprintable())[:LONGEST_NAME]
    return Upload(content, shown or "the file")


def measured(
    upload: Upload, predictor: Predictor, source: str, acquisition: Acquisition = ANY
) -> Measurement:
    """The prepared array with remarks (``InputError`` for an unreadable upload)."""
    with _file_of(upload, MODALITIES[source].suffixes - HDF5_SUFFIXES) as path:
        return measurement(predictor, path, source, acquisition, DOOR)


def several(content: bytes, source: str, beside: Sequence[str]) -> dict[str, bytes]:
    """The files of one sample by modality, which follow one another; ``TECHNIQUE:BYTES`` of those after the first."""
    lengths: dict[str, int] = {}
    for entry in beside:
        name, _, count = entry.partition(":")
        if name in {source, *lengths} or not (count.isascii() and count.isdigit()):
            raise InputError(
                expected="TECHNIQUE:BYTES of another technique", found=repr(entry), where="beside"
            )
        lengths[name] = int(count)
    if sum(lengths.values()) > len(content):
        raise InputError(
            expected=f"a body of {sum(lengths.values())} bytes and more",
            found=str(len(content)),
            where="beside",
        )
    files, end = dict[str, bytes](), len(content)
    for name, count_ in reversed(lengths.items()):
        files[name], end = content[end - count_ : end], end - count_
    return {source: content[:end], **files}


def target_of(predictor: Predictor, source: str, target: str) -> str:
    """The modality to predict, by default the other one of the main pair (``InputError`` for an unknown one)."""
    chosen = target or predictor.partner(source)
    predictor.shape(chosen)
    if chosen == source:
        raise InputError(expected=f"another modality than {source}", found=repr(target), where="target")
    return chosen


def technique_of(upload: Upload, predictor: Predictor) -> str | None:
    """The modality of the model that an upload belongs to; None where that is not clear."""
    suffixes = frozenset().union(*(MODALITIES[name].suffixes for name in predictor.modalities))
    with _file_of(upload, suffixes - HDF5_SUFFIXES) as path:
        return likely_technique(predictor, path, DOOR)


@contextmanager
def _file_of(upload: Upload, suffixes: frozenset[str]) -> Iterator[Path]:
    """The content as a file in a private temporary folder, under a name of ours, since readers open files.

    ``FullError`` where there is no room for it; an ``InputError`` names the upload in place of the file.
    """
    if upload.content.startswith(HDF5_MAGIC):
        raise InputError(
            expected="one image",
            found="an HDF5 file, which may hold many",
            where=upload.name,
            remedy="export one image, or use `pairvae predict file.h5::/path`",
        )
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pairvae-"))
            path = Path(folder) / f"upload{_suffix(upload, suffixes)}"
            path.write_bytes(upload.content)
        except OSError as error:
            raise FullError(
                f"the server cannot keep the file while it reads it: {error.strerror or error}; "
                "its temporary folder ($TMPDIR) wants room"
            ) from error
        try:
            yield path
        except InputError as error:
            raise InputError(
                expected=error.expected,
                found=error.found.replace(str(path), upload.name),
                where=upload.name,
                remedy=error.remedy.replace(str(path), upload.name),
            ) from error


def _suffix(upload: Upload, known: frozenset[str]) -> str:
    """One of the ``known`` suffixes, which identify detector formats; never the caller's text.

    Without a known suffix, EDF and CBF are recognised by their first bytes.
    """
    parts = [part.lower().lstrip(".") for part in PurePosixPath(upload.name).suffixes[-2:]]
    if parts[-1:] == ["gz"] and parts[0] in known:
        return f".{parts[0]}.gz"
    if parts and parts[-1] in known:
        return f".{parts[-1]}"
    head = upload.content[:LONGEST_HEAD].lstrip()
    begins = next((kind for start, kind in BEGINNINGS.items() if head.startswith(start)), None)
    return f".{begins}" if begins in known else ""
