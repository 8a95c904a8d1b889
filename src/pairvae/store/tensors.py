"""Named tensors with a JSON card, in one safetensors file; nothing is ever pickled."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pairvae.errors import InputError
from pairvae.store.files import atomic_path, parse_json, scratch_folder

CHECKSUM = "crc32"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> None:
    """Write named tensors and a JSON card as one safetensors file, atomically (``OSError`` on a full disk)."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # The scratch folder goes before the file gets its name: what a kill leaves of it is cleared by the next writer, and
    # nobody writes here again after the last file.
    with atomic_path(path) as temporary, scratch_folder(path) as scratch:
        whole = scratch / path.name
        try:
            # One entry only: safetensors writes several in an order that changes, and equal weights have equal bytes
            facts = json.dumps({**card, CHECKSUM: _checksum(contiguous)}, allow_nan=False)
            save_file(contiguous, whole, metadata={"card": facts})
        except SafetensorError as error:  # raised for a full disk, too
            raise OSError(None, str(error), str(path)) from error
        whole.replace(temporary)


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """8 hexadecimal digits of all bytes: a damaged weight still is a number, and would be trained on."""
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(
            tensors[name].reshape(-1).view(torch.uint8).numpy().data, zlib.crc32(name.encode(), value)
        )
    return f"{value:08x}"


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`save_tensors` wrote (``InputError`` when the file is damaged)."""
    try:
        with safe_open(path, framework="pt") as stream:
            card = parse_json((stream.metadata() or {}).get("card", "{}"))
            if not isinstance(card, dict):
                raise ValueError("the card is no JSON object")
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - no mapping
            expected = card.pop(CHECKSUM, None)
            if expected not in (None, _checksum(tensors)):
                raise ValueError("other numbers than were written")
            return tensors, card
    except (SafetensorError, ValueError, OSError, TypeError, RuntimeError) as error:
        raise InputError(
            expected="a whole safetensors file",
            found=str(error)[:160],
            where=str(path),
            remedy="delete it and run again",
        ) from error
