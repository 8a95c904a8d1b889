"""The instrument's strip of text below a micrograph, and letters burned into it, found from the pixels alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

BarSource = Literal["metadata", "settings", "detected", "none"]
TALLEST_SHARE = 0.3  # of the picture's height
SHORTEST = 8  # px
LEVELS = 3.0  # grey levels of 256 that count as the strip's background (JPEG blurs them)
STRIP_SHARE = 0.55  # of a row that is background; text leaves more than that, a micrograph less
LONGEST_TEXT_ROWS = 12  # rows in sequence that large text or a separator may fill
THICKEST_LINE = 4  # px, of a separator
TOP_SHARE = (
    0.85  # of one of the strip's first rows: its edge is straight, that of a dark part of the sample is not
)
INK_LEVELS, INK_SHARE = (
    40.0,
    0.002,
)  # a strip holds text: so many pixels differ so much from its background (or it is empty)
IMAGE_SHARE, BAR_SHARE = 0.2, 0.6  # drawn rows of what is certainly no bar, and of what is one
AGREE = 2  # px; metadata and pixels that differ by less mean the same bar


@dataclass(frozen=True)
class ImageRows:
    """Rows above the data bar, their source, the height of the bar in the pixels (0: none), and remarks."""

    rows: int
    source: BarSource
    detected_bar: int
    notes: tuple[str, ...] = ()


def rows_above_bar(pixels: np.ndarray, in_metadata: int | None, in_settings: int | None) -> ImageRows:
    """Rows of ``(H, W[, 3|4])`` above the data bar: from metadata, else from settings, else detected.

    Where metadata and pixels disagree, the bar in the pixels is used, and a note says so.
    """
    height = len(pixels)
    bar = data_bar(pixels)
    begins = height - bar
    if in_metadata and in_metadata < height:
        return _judged(pixels, in_metadata, bar)
    if in_settings and not in_metadata:
        return ImageRows(min(in_settings, height), "settings", bar)
    if in_metadata and bar:
        note = f"the metadata give no data bar, but one begins at row {begins}: that row is used"
        return ImageRows(begins, "detected", bar, (note,))
    return ImageRows(begins, "metadata" if in_metadata else "detected" if bar else "none", bar)


def _judged(pixels: np.ndarray, in_metadata: int, bar: int) -> ImageRows:
    """Image rows of the metadata, or those above the bar in the pixels where the two disagree."""
    height = len(pixels)
    begins = height - bar
    if not bar and _drawn_share(pixels, in_metadata, height) < IMAGE_SHARE:
        note = f"the metadata give {in_metadata} image rows, but the pixels show no data bar: all {height} are used"
        return ImageRows(height, "none", 0, (note,))
    later = begins > in_metadata + AGREE and _drawn_share(pixels, in_metadata, begins) < BAR_SHARE
    if bar and (begins < in_metadata - AGREE or later):
        note = f"the metadata give {in_metadata} image rows, but a data bar begins at row {begins}: that row is used"
        return ImageRows(begins, "detected", bar, (note,))
    return ImageRows(in_metadata, "metadata", bar)


def data_bar(pixels: np.ndarray) -> int:
    """Height in px of the data bar at the bottom of a micrograph ``(H, W[, 3|4])``; 0 where there is none.

    A bar is a strip of one background over the full width, at most 30 % of the height, with a straight upper
    edge and with text in it, below a micrograph that does not share its background.
    """
    height = len(pixels)
    if min(pixels.shape[:2]) < 4 * SHORTEST:
        return 0
    tallest = int(TALLEST_SHARE * height)
    grey = _grey(pixels, slice(-(tallest + 4 * SHORTEST + LONGEST_TEXT_ROWS), None))
    exact = (
        0 if pixels.dtype == np.uint8 else _bar(grey, tallest, 0.0)
    )  # deep images: the strip is of one value
    return exact or _bar(grey, tallest, LEVELS)


def _bar(grey: np.ndarray, tallest: int, levels: float) -> int:
    background = _most_common(grey[-SHORTEST:])
    share = np.mean(np.abs(grey - background) <= levels, axis=1)
    flat = (np.percentile(grey, 95, axis=1) - np.percentile(grey, 5, axis=1)) <= levels
    lines = flat & (np.abs(np.median(grey, axis=1) - background) > LEVELS)
    rows = _strip_rows(share >= STRIP_SHARE)
    rows += _line_above(flat, rows)
    if rows > tallest:  # the micrograph above is of the strip's own level: a line may tell them apart
        edges = np.flatnonzero(lines[-tallest:])
        rows = tallest - int(edges[0]) if len(edges) else 0
    if rows < SHORTEST or not (lines[-rows] or share[-rows:][:THICKEST_LINE].max() >= TOP_SHARE):
        return 0
    away = np.abs(grey[-rows:] - background)
    if np.mean(away > INK_LEVELS) < INK_SHARE and away.max() > LEVELS:
        return 0
    above = grey[-(rows + 4 * SHORTEST) : -rows]
    same = float(above.max() - above.min()) <= LEVELS and abs(float(above.mean()) - background) <= LEVELS
    return 0 if same and not lines[-rows] else rows


def _strip_rows(strip: np.ndarray) -> int:
    """Rows from the bottom that are background, or text between two such rows."""
    rows = 0
    for number, background in enumerate(strip[::-1], 1):
        if background:
            rows = number
        elif number - rows > LONGEST_TEXT_ROWS:
            break
    return rows


def _line_above(flat: np.ndarray, rows: int) -> int:
    """Thickness of a separator just above the strip; 0 where a flat micrograph goes on."""
    thick = 0
    while rows + thick < len(flat) and thick <= THICKEST_LINE and flat[-(rows + thick + 1)]:
        thick += 1
    return thick if thick <= THICKEST_LINE else 0


def _drawn_share(pixels: np.ndarray, first: int, last: int) -> float:
    """Share of the rows from ``first`` to ``last`` that are drawn: half of a row's pixels have one level."""
    grey = _grey(pixels, slice(first, last))
    return float(np.mean([np.mean(np.abs(row - _most_common(row)) <= LEVELS) >= 0.5 for row in grey]))


def _grey(pixels: np.ndarray, rows: slice) -> np.ndarray:
    """``rows`` of the picture as float32 on a scale of 256 levels (deeper ones stretched by the whole picture)."""
    part = pixels[rows]
    values = part[..., :3] @ np.full(3, 1 / 3, np.float32) if part.ndim == 3 else part.astype(np.float32)
    if pixels.dtype == np.uint8:
        return np.asarray(values)
    finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scaled = (values - low) * (255.0 / max(high - low, 1e-12))
    return np.asarray(np.nan_to_num(scaled, nan=-255.0, posinf=255.0, neginf=-255.0))


def _most_common(values: np.ndarray) -> float:
    levels, counts = np.unique(np.round(values), return_counts=True)
    return float(levels[counts.argmax()])
