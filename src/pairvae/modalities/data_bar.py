"""The instrument's strip of text below a micrograph, found from the pixels alone."""

from __future__ import annotations

import numpy as np

TALLEST_SHARE = 0.3  # of the picture's height
SHORTEST = 8  # px
LEVELS = 3.0  # grey levels of 256 that count as the strip's background (JPEG blurs them)
STRIP_SHARE = 0.55  # of a row that is background; text leaves more than that, a micrograph less
LONGEST_TEXT_ROWS = 12  # rows in sequence that large text or a separator may fill


def data_bar(pixels: np.ndarray) -> int:
    """Height in px of the data bar at the bottom of a micrograph ``(H, W[, 3|4])``; 0 where there is none.

    A bar is a strip of one dark or bright background over the full width, at most 30 % of the height, with a
    micrograph above that does not share it.
    """
    height = len(pixels)
    if min(pixels.shape[:2]) < 4 * SHORTEST:
        return 0
    tallest = int(TALLEST_SHARE * height)
    grey = _grey(pixels)[-(tallest + 4 * SHORTEST + LONGEST_TEXT_ROWS) :]
    rows = _strip_rows(grey)
    if rows < SHORTEST or rows > tallest:
        return 0
    above = grey[-(rows + 4 * SHORTEST) : -rows]
    return 0 if float(above.max() - above.min()) <= LEVELS else rows


def _strip_rows(grey: np.ndarray) -> int:
    """Rows from the bottom of ``(H, W)`` grey levels that are background, text or separator lines."""
    share = np.mean(np.abs(grey - _most_common(grey[-SHORTEST:])) <= LEVELS, axis=1)
    flat = (np.percentile(grey, 95, axis=1) - np.percentile(grey, 5, axis=1)) <= LEVELS  # separator lines
    strip = (share >= STRIP_SHARE) | flat
    rows = 0
    for number, background in enumerate(strip[::-1], 1):
        if background:
            rows = number
        elif number - rows > LONGEST_TEXT_ROWS:
            break
    return rows


def _grey(pixels: np.ndarray) -> np.ndarray:
    """``(H, W)`` float32 on a scale of 256 levels."""
    if pixels.ndim == 3:
        values = pixels[..., :3] @ np.full(3, 1 / 3, np.float32)
    else:
        values = pixels.astype(np.float32)
    if pixels.dtype == np.uint8:
        return np.asarray(values)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scaled = (values - low) * (255.0 / max(high - low, 1e-12))
    return np.asarray(np.nan_to_num(scaled, nan=-255.0, posinf=255.0, neginf=-255.0))


def _most_common(values: np.ndarray) -> float:
    levels, counts = np.unique(np.round(values), return_counts=True)
    return float(levels[counts.argmax()])
