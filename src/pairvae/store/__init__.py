"""Every file that pairvae owns: atomic writes, prepared arrays, model folders, checkpoints (level 1)."""

from __future__ import annotations

from pairvae.store.files import (
    PARTIAL,
    atomic_folder,
    atomic_path,
    digest,
    file_digest,
    observed,
    read_json,
    replace_folder,
    write_json,
    write_text,
)

__all__ = [
    "PARTIAL",
    "atomic_folder",
    "atomic_path",
    "digest",
    "file_digest",
    "observed",
    "read_json",
    "replace_folder",
    "write_json",
    "write_text",
]
