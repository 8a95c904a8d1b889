"""Scanning electron microscopy: binarised images of a two-phase morphology."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.base import Axis, Modality
from pairvae.modalities.data_bar import data_bar
from pairvae.modalities.raw import RawImage, require_finite
from pairvae.numerics.images import binarise_sem
from pairvae.settings import SemPrepare

LARGEST_RESCALED = 50_000_000  # px


def image_rows(raw: RawImage, settings: SemPrepare) -> tuple[int, str]:
    """Rows above the data bar, and what told them: the file's metadata, else the settings, else the pixels."""
    height = len(raw.pixels)
    if raw.image_rows:
        return min(raw.image_rows, height), "metadata"
    if settings.rows:
        return min(settings.rows, height), "settings"
    bar = data_bar(raw.pixels)
    return height - bar, "detected" if bar else "no data bar"


def image_area(raw: RawImage, settings: SemPrepare) -> np.ndarray:
    """The micrograph without its data bar."""
    require_finite(raw)
    columns = settings.columns or raw.pixels.shape[1]
    return raw.pixels[: image_rows(raw, settings)[0], : min(columns, raw.pixels.shape[1]), ...]


def describe(raw: RawImage, settings: SemPrepare) -> dict[str, Any]:
    """Rows and columns that were used (px), what told the rows, the rescaling, nm per prepared pixel."""
    rows, told_by = image_rows(raw, settings)
    rescaled = settings.nm_per_px is not None and raw.nm_per_px is not None
    factor = raw.nm_per_px / settings.nm_per_px if rescaled else 1.0  # type: ignore[operator]  # not None here
    return {
        "rows": rows,
        "rows_from": told_by,
        "columns": min(settings.columns or raw.pixels.shape[1], raw.pixels.shape[1]),
        "nm_per_px_of_file": raw.nm_per_px,
        "rescaled_by": round(factor, 6),
        "nm_per_px": settings.nm_per_px if rescaled else raw.nm_per_px,
    }


def prepare(raw: RawImage, settings: SemPrepare) -> np.ndarray:
    """Binarised micrograph ``(1, H, W)`` uint8, 1 in the bright phase (paper, Method and Figure S2).

    ``InputError`` where the image area is smaller than a crop.
    """
    area = image_area(raw, settings)
    if settings.nm_per_px is not None:
        area = _to_pixel_size(area, raw, settings.nm_per_px)
    if min(area.shape[:2]) < settings.crop:
        raise InputError(
            expected=f"an image area of at least {settings.crop} x {settings.crop} px",
            found=f"{area.shape[0]} x {area.shape[1]}",
            where=raw.source,
            remedy="check sem.prepare.rows, or leave the pair out of pairs.csv",
        )
    grey = area[..., :3] if area.ndim == 3 else area
    binary = binarise_sem(
        _to_8_bit(grey),
        blur_px=settings.blur_px,
        blur_sigma=settings.blur_sigma,
        window_px=settings.window_px,
        offset=settings.offset,
    )
    return binary[None]


def _to_pixel_size(area: np.ndarray, raw: RawImage, nm_per_px: float) -> np.ndarray:
    if raw.nm_per_px is None:
        raise InputError(
            expected="a pixel size in nm",
            found="none in the file's metadata",
            where=raw.source,
            remedy="give sem_nm_per_px in pairs.csv, or set sem.prepare.nm_per_px to null",
        )
    factor = raw.nm_per_px / nm_per_px
    height, width = (side * factor for side in area.shape[:2])
    if (
        min(height, width) < 1 or height * width > LARGEST_RESCALED
    ):  # by metadata that are wrong, or a typing error
        raise InputError(
            expected=f"a pixel size of which images of {nm_per_px:g} nm per px can be made",
            found=f"{raw.nm_per_px:g} nm: {height:.0f} x {width:.0f} px",
            where=raw.source,
            remedy="give sem_nm_per_px in pairs.csv",
        )
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(
        cv2.resize(np.ascontiguousarray(area), None, fx=factor, fy=factor, interpolation=method)
    )


def _to_8_bit(grey: np.ndarray) -> np.ndarray:
    """Grey levels as uint8: deeper images are stretched between their 0.1 and 99.9 percentiles."""
    if grey.dtype == np.uint8:
        return np.ascontiguousarray(grey)
    low, high = np.percentile(grey, [0.1, 99.9])
    stretched = (grey.astype(np.float32) - low) / max(float(high - low), 1e-12)
    return np.ascontiguousarray(np.clip(stretched * 255 + 0.5, 0, 255).astype(np.uint8))


SEM = Modality(
    name="sem",
    title="SEM image",
    folder="SEM",
    axes=(Axis("y", "nm"), Axis("x", "nm")),
    binary=True,
    cropped=True,
    score="s2_mae",
    settings=SemPrepare,
    prepare=prepare,
    prepared_shape=lambda settings: (1, settings.crop, settings.crop),
    describe=describe,
)
