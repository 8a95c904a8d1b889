"""Files compressed with gzip (``.edf.gz``, ``.cbf.gz``, ``.tif.gz``): unpacked into a private file, bounded."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pairvae.modalities.readers.picture import CUT_SHORT
from pairvae.modalities.readers.raw_image import unreadable

GZIP_MAGIC = b"\x1f\x8b"
LARGEST_UNPACKED_BYTES = 400_000_000  # five frames of the largest detectors
STEP = 100_000
MOST_STREAMS = 10_000  # one after the other in a file; block gzip writes one every 64 kB
AS_GZIP = 31  # zlib's number for a gzip header


@contextmanager
def unpacked(path: Path, source: str) -> Iterator[Path]:
    """The content of a gzip file as a file, for as long as it is read (``InputError``: damaged, or a bomb)."""
    # A name of ours: readers go by the last suffix only, and the file's own may be of any length.
    handle, name = tempfile.mkstemp(prefix="pairvae-", suffix=Path(path.stem).suffix.lower()[:10])
    try:
        with path.open("rb") as packed, os.fdopen(handle, "wb") as out:
            _unpack(packed, out, source)
        yield Path(name)
    finally:
        Path(name).unlink()


def _unpack(packed: BinaryIO, out: BinaryIO, source: str) -> None:
    length, streams, engine, whole = 0, 0, zlib.decompressobj(AS_GZIP), True
    while data := packed.read(STEP):
        while data:
            try:
                part = engine.decompress(data, STEP)
            except zlib.error as error:
                raise unreadable(source, "a sound gzip file", "damaged data", CUT_SHORT) from error
            length += len(part)
            if length > LARGEST_UNPACKED_BYTES or streams > MOST_STREAMS:
                most = f"at most {LARGEST_UNPACKED_BYTES / 1e6:.0f} MB unpacked"
                raise unreadable(source, most, "more", "unpack it, and give the one image")
            out.write(part)
            data, whole = engine.unconsumed_tail, engine.eof
            streams += whole
            if whole:  # files may be several gzip streams one after the other
                data, engine = engine.unused_data.lstrip(b"\0"), zlib.decompressobj(AS_GZIP)
    if not whole:
        raise unreadable(source, "a whole gzip file", f"one cut short after {length} bytes", CUT_SHORT)
