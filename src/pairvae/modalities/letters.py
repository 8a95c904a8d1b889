"""Letters burned into a micrograph: glyphs of one level, with sharp edges, in lines."""

from __future__ import annotations

import cv2
import numpy as np

LEAST_GLYPHS = 5  # in one line
SMALLEST, TALLEST_SHARE = 6, 0.08  # px, and of the picture's height: the height of a glyph
BASELINE = 2  # px by which the feet of a line's glyphs differ at most
LIKE_HEIGHT = 0.08  # and at least one pixel
SHARP = 50.0  # grey levels between a glyph and what lies two pixels from it
LINE_SHARE = 0.4  # of such shapes that begin or end within a line belong to it
TOP, BOTTOM = 0.2, 0.7  # letters stand above and below these shares of the rows
MOST_SHAPES = 500
FULLEST = 0.7  # median share of its box that a glyph fills; a dot fills 0.79
FEWEST_LEVELS = 8  # with fewer a picture is binarised, or drawn
RING = cv2.getStructuringElement(cv2.MORPH_RECT, (5, 5))


def letters_at(pixels: np.ndarray) -> int | None:
    """First row of the topmost line of letters in an image area ``(H, W[, 3|4])``, None where there are none."""
    grey = _levels(pixels)
    if min(grey.shape) < 4 * SMALLEST or len(np.unique(grey[::3, ::3])) < FEWEST_LEVELS:
        return None
    tallest = max(3 * SMALLEST, int(TALLEST_SHARE * len(grey)))
    rows = []
    for first, last in ((0, int(TOP * len(grey))), (int(BOTTOM * len(grey)), len(grey))):
        for level in (int(grey.max()), int(grey.min())):
            row = _lines_of(grey[first:last], level, tallest)
            rows += [] if row is None else [first + row]
    return min(rows, default=None)


def _levels(pixels: np.ndarray) -> np.ndarray:
    """``(H, W)`` uint8; of colours the channel that differs most from grey, deeper images stretched whole."""
    grey = pixels if pixels.ndim == 2 else pixels[..., :3].max(axis=2)
    if grey.dtype == np.uint8:
        return np.ascontiguousarray(grey)
    values = np.nan_to_num(grey.astype(np.float32))
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) * (255.0 / max(high - low, 1e-12)), np.uint8)


def _lines_of(grey: np.ndarray, level: int, tallest: int) -> int | None:
    """First row of the lines of glyphs of ``level``."""
    mask = (np.abs(grey.astype(np.int16) - level) <= 2).astype(np.uint8)
    if mask.mean() > 0.25:
        return None
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    top, height, width = (
        stats[:, column] for column in (cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH)
    )
    filled = stats[:, cv2.CC_STAT_AREA] / np.maximum(height * width, 1)
    sized = (height >= SMALLEST) & (height <= tallest)
    sized &= (width <= 2 * height) & (filled >= 0.12)
    candidates = [int(number) for number in np.flatnonzero(sized) if number]
    if not LEAST_GLYPHS <= len(candidates) <= MOST_SHAPES:
        return None
    glyphs = [number for number in candidates if _sharp(grey, labels, stats[number], number, level)]
    lines = [
        line
        for line in _lines(np.array(glyphs, int), top, height)
        if np.median(filled[line]) <= FULLEST and len(line) >= LINE_SHARE * _beside(glyphs, line, top, height)
    ]
    return min((int(top[line].min()) for line in lines), default=None)


def _beside(glyphs: list[int], line: np.ndarray, top: np.ndarray, height: np.ndarray) -> int:
    """How many of ``glyphs`` have their middle within the rows of a line."""
    first, last = top[line].min(), (top[line] + height[line]).max()
    middle = top[glyphs] + height[glyphs] / 2
    return int(np.sum((middle >= first) & (middle <= last)))


def _sharp(grey: np.ndarray, labels: np.ndarray, box: np.ndarray, number: int, level: int) -> bool:
    left, top, width, height = (int(value) for value in box[:4])
    rows, columns = slice(max(0, top - 2), top + height + 2), slice(max(0, left - 2), left + width + 2)
    inside = (labels[rows, columns] == number).astype(np.uint8)
    ring = (cv2.dilate(inside, RING) > 0) & (cv2.dilate(inside, RING[:3, :3]) == 0)
    around = grey[rows, columns][ring]
    return bool(around.size) and abs(float(np.median(around)) - level) >= SHARP


def _lines(glyphs: np.ndarray, top: np.ndarray, height: np.ndarray) -> list[np.ndarray]:
    """Groups of glyphs that stand on one line and are equally tall."""
    lines: list[np.ndarray] = []
    left = glyphs
    while len(left) >= LEAST_GLYPHS:
        foot, tall = top[left] + height[left], height[left]
        same_line = np.abs(foot[:, None] - foot) <= BASELINE
        same_line &= np.abs(tall[:, None] - tall) <= np.maximum(1, LIKE_HEIGHT * tall)
        line = left[same_line[same_line.sum(axis=1).argmax()]]
        if len(line) < LEAST_GLYPHS:
            break
        lines.append(line)
        left = np.setdiff1d(left, line)
    return lines
