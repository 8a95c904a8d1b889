"""What instruments write beside the pixels of a micrograph: pixel size and image rows, by instrument."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pairvae.modalities.readers.instruments.facts import ImageFacts
from pairvae.modalities.readers.instruments.sidecars import sidecar_facts, sidecars
from pairvae.modalities.readers.raw_image import RawImage

__all__ = ["ImageFacts", "sidecars", "with_facts"]


def with_facts(raw: RawImage, path: Path, facts: ImageFacts, plain: ImageFacts | None = None) -> RawImage:
    """``raw`` of file ``path`` with ``facts`` of its metadata, then of files beside it, then of ``plain`` tags."""
    facts = facts.over(sidecar_facts(path, raw.pixels))
    if facts.nm_per_px is None and plain is not None:
        facts = facts.over(plain)
    return replace(
        raw,
        nm_per_px=facts.nm_per_px,
        image_rows=facts.rows,
        notes=(*raw.notes, *facts.notes),
        warnings=(*raw.warnings, *facts.warnings),
    )
