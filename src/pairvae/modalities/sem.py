"""Scanning electron microscopy: binarised images of a two-phase morphology, or grey levels.

What is done here to a micrograph serves other techniques that draw crops of images, too (``afm.py``, ``tem.py``): their
settings are subclasses of ``SemPrepare``, which name the technique for messages.
"""

from __future__ import annotations

from typing import Any, TypedDict

import cv2
import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.base import Axis, Modality
from pairvae.modalities.letters import letters_at
from pairvae.modalities.readers.data_bar import AGREE, ImageRows, rows_above_bar
from pairvae.modalities.readers.raw_image import RawImage, require_finite
from pairvae.numerics.contrast import clipped_share, normalised_contrast
from pairvae.numerics.images import grey_levels
from pairvae.numerics.thresholds import background, binarise_sem, flattened, noise_share
from pairvae.settings import SemPrepare

LARGEST_RESCALED = 50_000_000  # px
MOSTLY = 0.5  # share of the pixels
SATURATED = 0.02  # share of the pixels
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
BAR_LEFT = "a data bar begins at row"


def image_rows(raw: RawImage, settings: SemPrepare) -> ImageRows:
    """Rows above the data bar, and their source: the file's metadata, else the settings, else the pixels."""
    return rows_above_bar(raw.pixels, raw.image_rows, settings.rows)


def image_area(raw: RawImage, settings: SemPrepare) -> np.ndarray:
    """The micrograph without its data bar."""
    require_finite(raw)
    columns = settings.columns or raw.pixels.shape[1]
    return raw.pixels[: image_rows(raw, settings).rows, : min(columns, raw.pixels.shape[1]), ...]


def describe(raw: RawImage, settings: SemPrepare) -> dict[str, Any]:
    """Rows and columns that were used (px), their source, the rescaling, nm per prepared pixel, warnings."""
    area = image_rows(raw, settings)
    rescaled = settings.nm_per_px is not None and raw.nm_per_px is not None
    factor = raw.nm_per_px / settings.nm_per_px if rescaled else 1.0  # type: ignore[operator]  # not None here
    return {
        "rows": area.rows,
        "rows_from": "no data bar" if area.source == "none" else area.source,
        "columns": min(settings.columns or raw.pixels.shape[1], raw.pixels.shape[1]),
        "nm_per_px_of_file": raw.nm_per_px,
        "rescaled_by": round(factor, 6),
        "nm_per_px": settings.nm_per_px if rescaled else raw.nm_per_px,
        "notes": list(area.notes),
        "warnings": [
            *left_letters(raw, settings, area),
            *(saturated(raw, settings) if settings.grey else mostly_noise(raw, settings)),
        ],
    }


def left_letters(raw: RawImage, settings: SemPrepare, area: ImageRows) -> list[str]:
    """A line where a data bar or letters stay in the image area."""
    begins = len(raw.pixels) - area.detected_bar
    if area.detected_bar and begins < area.rows - AGREE:
        return [
            f"{BAR_LEFT} {begins}, and {area.rows} rows are kept - lower {settings.technique}.prepare.rows"
        ]
    row = letters_at(raw.pixels[: area.rows, : settings.columns, ...])
    if row is None:
        return []
    below = row > area.rows / 2 and raw.image_rows is None  # metadata come before the setting
    advice = f"set {settings.technique}.prepare.rows to {row - AGREE}, or " if below else ""
    return [f"letters are burned into the image at row {row} - {advice}export the image without them"]


def mostly_noise(raw: RawImage, settings: SemPrepare) -> list[str]:
    """A line where the threshold gives most pixels their phase by chance, or all of them one phase."""
    try:
        grey = prepared_grey(raw, settings)
        options = threshold_options(raw, settings)
    except InputError:
        return []  # preparing it reports the fault
    share = noise_share(grey, **options)
    if share <= MOSTLY:
        return []
    return [
        f"mostly noise: {share:.0%} of the pixels are within the noise of the threshold {settings.threshold} - "
        f"see `pairvae data preview`, and choose {settings.technique}.prepare.threshold or its window"
    ]


def saturated(raw: RawImage, settings: SemPrepare) -> list[str]:
    """A line where much of the image area lies at the lowest or the highest grey level: what was there is lost."""
    share = clipped_share(_luma(image_area(raw, settings)))
    if share <= SATURATED:
        return []
    return [
        f"saturated: {share:.0%} of the pixels have the lowest or the highest grey level, so that their contrast is "
        f"lost - record it with less contrast, or set {settings.technique}.prepare.threshold for two phases"
    ]


def prepare(raw: RawImage, settings: SemPrepare) -> np.ndarray:
    """Binarised micrograph ``(1, H, W)`` uint8, 1 in the bright phase, or the dark one where ``phase`` says so.

    The paper's recipe (Method and Figure S2) unless settings say otherwise. With the threshold ``none`` grey levels
    float32 in [0, 1], 0.5 their mean (:func:`pairvae.numerics.contrast.normalised_contrast`). ``InputError`` where
    the image area is smaller than a crop, or of a single grey level.
    """
    grey = _luma(_area_at_pixel_size(raw, settings)) if settings.grey else prepared_grey(raw, settings)
    if min(grey.shape[:2]) < settings.crop:
        raise InputError(
            expected=f"an image area of at least {settings.crop} x {settings.crop} px",
            found=f"{grey.shape[0]} x {grey.shape[1]}",
            where=raw.source,
            remedy=f"check {settings.technique}.prepare.rows, or leave the pair out of pairs.csv",
        )
    if settings.grey:
        return _grey_levels(grey, raw.source, settings)[None]
    binary = binarise_sem(grey, **threshold_options(raw, settings))
    return (binary if settings.phase == "bright" else 1 - binary)[None]


def _grey_levels(grey: np.ndarray, source: str, settings: SemPrepare) -> np.ndarray:
    """``(H, W)`` float32 in [0, 1] of grey levels in any unit: blurred, flattened, of normal contrast."""
    blurred = cv2.GaussianBlur(
        grey.astype(np.float32), (settings.blur_px, settings.blur_px), settings.blur_sigma
    )
    levels = normalised_contrast(blurred, background(blurred) if settings.shading else 0.0)
    if levels is None:
        raise InputError(
            expected="a micrograph with contrast",
            found="nearly all pixels of one grey level",
            where=source,
            remedy="leave the pair out of pairs.csv",
        )
    return levels if settings.phase == "bright" else 1 - levels


def _area_at_pixel_size(raw: RawImage, settings: SemPrepare) -> np.ndarray:
    area = image_area(raw, settings)
    return (
        area
        if settings.nm_per_px is None
        else _to_pixel_size(area, raw, settings.nm_per_px, settings.technique)
    )


def _luma(area: np.ndarray) -> np.ndarray:
    """Grey levels ``(H, W)`` of any depth; 8-bit colours by :func:`grey_levels`, deeper ones by the same weights."""
    if area.ndim == 2 or area.dtype == np.uint8:
        return grey_levels(area)
    return np.asarray(area[..., :3].astype(np.float32) @ np.array(LUMA, np.float32))


def prepared_grey(raw: RawImage, settings: SemPrepare) -> np.ndarray:
    """The image area ``(H, W)`` or RGB ``(H, W, 3)`` uint8 as it is thresholded: rescaled, stretched, flattened."""
    area = _area_at_pixel_size(raw, settings)
    grey = to_8_bit(area[..., :3] if area.ndim == 3 else area)
    return flattened(grey_levels(grey)) if settings.shading else grey


class ThresholdOptions(TypedDict):
    """Keywords of ``binarise_sem`` and ``noise_share``."""

    blur_px: int
    blur_sigma: float
    window_px: int
    offset: float
    method: str


def threshold_options(raw: RawImage, settings: SemPrepare) -> ThresholdOptions:
    """How this file is binarised; ``InputError`` where the window is given in nm and the pixel size unknown."""
    window, name = settings.window_px, settings.technique
    if settings.window_nm is not None:
        nm_per_px = settings.nm_per_px or raw.nm_per_px
        if nm_per_px is None:
            raise InputError(
                expected=f"a pixel size in nm, since {name}.prepare.window_nm is set",
                found="none in the file's metadata",
                where=raw.source,
                remedy=f"give {name}_nm_per_px in pairs.csv, or set {name}.prepare.window_nm to null",
            )
        half = round((settings.window_nm / nm_per_px - 1) / 2)
        window = 2 * min(max(half, 1), min(raw.pixels.shape[:2]) // 2) + 1
    return ThresholdOptions(
        blur_px=settings.blur_px,
        blur_sigma=settings.blur_sigma,
        window_px=window,
        offset=settings.offset,
        method=settings.threshold,
    )


def _to_pixel_size(area: np.ndarray, raw: RawImage, nm_per_px: float, technique: str) -> np.ndarray:
    if raw.nm_per_px is None:
        raise InputError(
            expected="a pixel size in nm",
            found="none in the file's metadata",
            where=raw.source,
            remedy=f"give {technique}_nm_per_px in pairs.csv, or set {technique}.prepare.nm_per_px to null",
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
            remedy=f"give {technique}_nm_per_px in pairs.csv",
        )
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(
        cv2.resize(np.ascontiguousarray(area), None, fx=factor, fy=factor, interpolation=method)
    )


def to_8_bit(grey: np.ndarray) -> np.ndarray:
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
