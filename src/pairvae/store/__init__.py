"""Every file that pairvae owns: atomic writes, prepared arrays, model folders, checkpoints (level 1)."""

from __future__ import annotations

from pairvae.store.files import (
    atomic_folder,
    atomic_path,
    digest,
    file_digest,
    read_json,
    write_json,
    write_text,
)

__all__ = ["atomic_folder", "atomic_path", "digest", "file_digest", "read_json", "write_json", "write_text"]
