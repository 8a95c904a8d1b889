"""Words beside a registered version."""

from __future__ import annotations

from pathlib import Path

from pairvae.tracking.database import connect


def describe_version(root: Path, name: str, version: int, text: str) -> None:
    """Set the description of a version (Markdown; the UI shows it), at most 5,000 characters."""
    connect(root).update_model_version(name, str(version), description=text)
