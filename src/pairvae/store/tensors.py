"""Named tensors with a JSON card, in one safetensors file; nothing is ever pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pairvae.errors import InputError
from pairvae.store.files import atomic_path


def save_tensors(path: Path, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> None:
    """Write named tensors and a JSON card as one safetensors file, atomically (``OSError`` on a full disk)."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(contiguous, temporary, metadata={"card": json.dumps(card, allow_nan=False)})
        except SafetensorError as error:  # how it tells of a full disk
            raise OSError(None, str(error), str(path)) from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`save_tensors` wrote (``InputError`` when the file is damaged)."""
    try:
        with safe_open(path, framework="pt") as stream:
            card = json.loads((stream.metadata() or {}).get("card", "{}"))
            return {name: stream.get_tensor(name) for name in stream.keys()}, card  # noqa: SIM118 - no mapping
    except (SafetensorError, ValueError, OSError) as error:
        raise InputError(
            expected="a whole safetensors file",
            found=str(error),
            where=str(path),
            remedy="delete it and run again",
        ) from error
