"""What one file of a pair holds: facts for the check of a folder. Pixels are not kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.pattern import refuse_mask
from pairvae.modalities.readers import RawImage, beam_centre, data_bar, read_image

BarSource = Literal["metadata", "settings", "detected", "none"]
COLOUR_LEVELS = 12.0  # mean difference of channels, of 255 levels, above which a picture is in colour
SAMPLED_SIDE = 512  # px; levels are counted on at most this many rows and columns


@dataclass(frozen=True)
class ImageArea:
    """The micrograph without its data bar: rows and columns in px, and what told the rows."""

    rows: int
    columns: int
    source: BarSource
    detected_bar: int


@dataclass(frozen=True)
class FileFacts:
    """One readable file. ``lowest_share``, ``highest_share``: share of the pixels at the extremes, in [0, 1].

    ``centre``: row and column of the beam as shares of the sides (SAXS), None where no symmetry is found.
    ``notes`` and ``warnings`` are the reader's.
    """

    pair: str
    side: str
    file: str
    digest: str
    shape: tuple[int, ...]
    dtype: str
    format: str
    nm_per_px: float | None
    levels: int
    lowest_share: float
    highest_share: float
    not_finite: int
    colourful: bool
    area: ImageArea | None
    centre: tuple[float, float] | None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def inspect(
    pair: str, side: str, source: Path | str, *, sem_rows: int | None, sem_columns: int | None
) -> FileFacts | InputError:
    """Read one file and tell what it holds, or the error that it raised."""
    try:
        raw = read_image(source)
        if side == "saxs":
            refuse_mask(raw, "saxs.prepare.mask")
    except InputError as error:
        return error
    area = image_area(raw, sem_rows, sem_columns) if side == "sem" else None
    seen = raw.pixels if area is None else raw.pixels[: area.rows, : area.columns]
    grey = _grey(seen)
    finite = grey[np.isfinite(grey)]
    lowest, highest = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    return FileFacts(
        pair=pair,
        side=side,
        file=str(source),
        digest=content_digest(raw.pixels),
        shape=raw.pixels.shape,
        dtype=str(raw.pixels.dtype),
        format=raw.format,
        nm_per_px=raw.nm_per_px,
        levels=_levels(finite, grey),
        lowest_share=float(np.mean(grey == lowest)),
        highest_share=float(np.mean(grey == highest)),
        not_finite=int(grey.size - finite.size),
        colourful=_colourful(raw.pixels),
        area=area,
        centre=_centre(raw) if side == "saxs" else None,
        notes=raw.notes,
        warnings=raw.warnings,
    )


def image_area(raw: RawImage, rows: int | None, columns: int | None) -> ImageArea:
    """Rows from metadata, else as set, else above a detected data bar; columns as set, at most the file's."""
    height, width = raw.pixels.shape[:2]
    bar = data_bar(raw.pixels)
    source: BarSource
    if raw.image_rows:
        found, source = raw.image_rows, "metadata"
    elif rows:
        found, source = rows, "settings"
    else:
        found, source = height - bar, "detected" if bar else "none"
    return ImageArea(min(found, height), min(columns or width, width), source, bar)


def content_digest(pixels: np.ndarray) -> str:
    """Digest of shape, type and values, so that a copy under another name or format is the same."""
    digest = hashlib.sha256(f"{pixels.shape}{pixels.dtype}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _grey(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 2:
        return pixels
    return np.asarray(np.maximum(np.maximum(pixels[..., 0], pixels[..., 1]), pixels[..., 2]))


def _levels(finite: np.ndarray, grey: np.ndarray) -> int:
    """Distinct values: 1 exactly where all pixels are equal, else counted on a sample of them."""
    if not finite.size or finite.min() == finite.max():
        return 1
    step = [max(1, side // SAMPLED_SIDE) for side in grey.shape]
    return max(2, len(np.unique(grey[:: step[0], :: step[1]])))


def _colourful(pixels: np.ndarray) -> bool:
    if pixels.ndim != 3:
        return False
    step = [max(1, side // SAMPLED_SIDE) for side in pixels.shape[:2]]
    colours = pixels[:: 2 * step[0], :: 2 * step[1], :3].astype(np.float32)
    red, green, blue = (colours[..., channel] for channel in range(3))
    highest_of, lowest_of = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    spread = float(np.mean(highest_of - lowest_of))
    highest = 255.0 if pixels.dtype == np.uint8 else max(float(np.nanmax(colours)), 1e-12)
    return spread > COLOUR_LEVELS / 255.0 * highest


def _centre(raw: RawImage) -> tuple[float, float] | None:
    pixels = raw.pixels if raw.pixels.ndim == 2 else raw.pixels[..., :3] @ np.full(3, 1 / 3, np.float32)
    if min(pixels.shape) < 8:
        return None
    found = beam_centre(pixels)
    if found.doubt:
        return None
    return (found.row + 0.5) / pixels.shape[0], (found.column + 0.5) / pixels.shape[1]
