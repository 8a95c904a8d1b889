"""What instruments write beside the pixels of a micrograph: pixel size and image rows, by instrument."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pairvae.modalities.readers.instruments.metadata import ImageMetadata
from pairvae.modalities.readers.instruments.sidecars import sidecar_metadata, sidecars
from pairvae.modalities.readers.raw_image import RawImage

__all__ = ["ImageMetadata", "sidecars", "with_metadata"]


def with_metadata(
    raw: RawImage, path: Path, metadata: ImageMetadata, plain: ImageMetadata | None = None
) -> RawImage:
    """``raw`` with the ``metadata`` of its file, then those of files beside it, then those of ``plain`` tags."""
    metadata = metadata.over(sidecar_metadata(path, raw.pixels))
    if metadata.nm_per_px is None and plain is not None:
        metadata = metadata.over(plain)
    return replace(
        raw,
        nm_per_px=metadata.nm_per_px,
        image_rows=metadata.rows,
        notes=(*raw.notes, *metadata.notes),
        warnings=(*raw.warnings, *metadata.warnings),
    )
