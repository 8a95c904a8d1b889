"""Arrays by name in one npz file."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from pairvae.errors import InputError


def read_arrays(path: Path, remedy: str) -> dict[str, np.ndarray]:
    """All arrays of an npz file by name (``InputError`` with ``remedy`` where it is damaged); nothing is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise InputError(expected="an npz file", found="none", where=str(path), remedy=remedy) from error
    except (OSError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        found = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise InputError(expected="a whole npz file", found=found, where=str(path), remedy=remedy) from error
