"""A cache on disk of arrays and facts made from raw files, so that the next command need not make them again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.store.files import atomic_path

MOST_BYTES = 2_000_000_000
HEADER = "header"
DIGEST_BYTES = 32  # sha256 of the rest, in front of it
Entry = tuple[dict[str, np.ndarray], Any]


class FileCache:
    """Entries by key in a folder, which never holds more than ``most_bytes``.

    A key stands for everything that its entry depends on (content of the file, settings, code). The cache can be
    deleted at any time: a missing or damaged entry is made again, and one that cannot be written is skipped.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self._used: int | None = None
        self._lock = threading.Lock()

    def read(self, key: str) -> Entry | None:
        """Arrays by name and facts (as JSON) of an entry; None for a missing or damaged one."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            if hashlib.sha256(content[DIGEST_BYTES:]).digest() != content[:DIGEST_BYTES]:
                return None
            os.utime(path)  # the least recently used entries are deleted first
        except OSError:
            return None
        with np.load(io.BytesIO(content[DIGEST_BYTES:]), allow_pickle=False) as stored:
            header = json.loads(stored[HEADER].tobytes())
            arrays = {name: stored[name] for name in stored.files if name != HEADER}
        for name, shape in header["bits"].items():
            arrays[name] = np.unpackbits(arrays[name], count=int(np.prod(shape))).reshape(shape)
        return arrays, header["facts"]

    def write(self, key: str, arrays: Mapping[str, np.ndarray], facts: Any) -> None:
        """Store an entry if the disk has room. Binary images (``uint8``, 0 and 1) take one bit per pixel."""
        bits = {
            name: list(array.shape)
            for name, array in arrays.items()
            if array.dtype == np.uint8 and array.size and array.max() <= 1
        }
        header = json.dumps({"facts": facts, "bits": bits}).encode()
        stored = {name: np.packbits(array) if name in bits else array for name, array in arrays.items()}
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **stored, **{HEADER: np.frombuffer(header, np.uint8)})
        content = stream.getvalue()
        with suppress(OSError):
            self._make_room(len(content) + DIGEST_BYTES)
            with atomic_path(self._path(key)) as temporary:
                temporary.write_bytes(hashlib.sha256(content).digest() + content)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.bin"

    def _make_room(self, size: int) -> None:
        """Where one more entry exceeds the limit, delete the least recently used ones down to half of it."""
        with self._lock:
            if self._used is None:
                self._used = sum(bytes_ for _, bytes_, _ in self._entries())
            if self._used + size > self.most_bytes:
                entries = self._entries()
                self._used = sum(bytes_ for _, bytes_, _ in entries)
                for _, bytes_, path in entries:
                    if self._used + size <= self.most_bytes // 2:
                        break
                    path.unlink(missing_ok=True)
                    self._used -= bytes_
            self._used += size

    def _entries(self) -> list[tuple[int, int, Path]]:
        """Time of last use (ns), size (bytes) and path of each entry, oldest first."""
        entries = []
        for path in self.folder.glob("*.bin"):
            with suppress(OSError):  # another process has just deleted it
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        return sorted(entries)
