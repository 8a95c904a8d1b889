"""Files of real instruments, where the environment names their folder (``PAIRVAE_REAL_FILES``) or one beside it."""

import os
from pathlib import Path

import pytest

NAMED = Path(os.environ.get("PAIRVAE_REAL_FILES", "nowhere"))


def real_path(name: str) -> Path:
    """Where a real file lies; it may not be there."""
    beside = sorted(NAMED.parent.glob(f"real*/{name}")) if NAMED.is_dir() else []
    return next(iter(beside), NAMED / name)


def has_real(name: str) -> pytest.MarkDecorator:
    """Skip a test where a real file is absent."""
    return pytest.mark.skipif(
        not real_path(name).is_file(), reason=f"PAIRVAE_REAL_FILES names no folder with {name}"
    )


def real_file(name: str) -> Path:
    """A real file; the test is skipped where it is absent."""
    if not real_path(name).is_file():
        pytest.skip(f"PAIRVAE_REAL_FILES names no folder with {name}")
    return real_path(name)
