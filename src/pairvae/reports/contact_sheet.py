"""A contact sheet of predictions: what was given, and images of what was predicted from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pairvae.store import atomic_path
from pairvae.store.picture_files import INK, as_8_bit, png_bytes, write_caption, write_scale_bar

TILE, GAP, CAPTION = 160, 10, 20
SHOWN = 3  # images of an input
ROWS = 24
SHEET = 1400  # px, at most as wide
WARNING, PAPER = (190, 30, 0), 255


def strip(
    given: np.ndarray,
    images: np.ndarray,
    caption: str,
    *,
    warned: bool = False,
    nm_per_px: float | None = None,
) -> np.ndarray:
    """One input as ``(h, w, 3)`` uint8: its caption (red where ``warned``), itself, and up to three predictions.

    As wide as its pictures; of a caption that is wider the end is kept, which tells files of one folder apart.
    Arrays as prepared: micrographs ``(1, H, W)`` or ``(H, W)``, patterns ``(3, H, W)`` in [0, 1], curves ``(1, 1, K)``.
    Predicted micrographs of a known ``nm_per_px`` have a scale bar.
    """
    tiles = [tile(given), *(tile(image, nm_per_px) for image in images[:SHOWN])]
    row = np.full((CAPTION + TILE, len(tiles) * (TILE + GAP) - GAP, 3), PAPER, np.uint8)
    write_caption(row, caption, CAPTION, WARNING if warned else INK)
    for number, image_tile in enumerate(tiles):
        left = number * (TILE + GAP)
        row[CAPTION:, left : left + TILE] = image_tile
    return row


def tile(array: np.ndarray, nm_per_px: float | None = None) -> np.ndarray:
    """A prepared or predicted array as a square of 160 px; of large micrographs the middle, of curves a line.

    With ``nm_per_px`` of the array's pixels, a scale bar is drawn.
    """
    if array.shape[-2] == 1:
        return _line(array.ravel())
    image = array[0] if array.ndim == 3 and array.shape[0] == 1 else array
    pixels = as_8_bit(image)
    side = min(*pixels.shape[:2], 2 * TILE)
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    cut = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    small = cv2.resize(cut, (TILE, TILE), interpolation=cv2.INTER_AREA)
    shown = np.ascontiguousarray(small if small.ndim == 3 else np.repeat(small[..., None], 3, axis=2))
    if nm_per_px is not None:
        write_scale_bar(shown, nm_per_px * side / TILE)
    return shown


def _line(values: np.ndarray) -> np.ndarray:
    """A curve in [0, 1] over its bins."""
    canvas = np.full((TILE, TILE, 3), 245, np.uint8)
    columns = np.linspace(4, TILE - 5, len(values))
    points = np.stack([columns, (TILE - 5) - np.clip(values, 0, 1) * (TILE - 10)], axis=1)
    cv2.polylines(canvas, [points.round().astype(np.int32)], False, INK, 1, cv2.LINE_AA)
    return canvas


def write_contact_sheet(path: Path, strips: Sequence[np.ndarray]) -> None:
    """Write strips as one PNG, in as many columns as ``SHEET`` has room for where there are more than four."""
    height, width = strips[0].shape[0], max(row.shape[1] for row in strips)
    columns = 1 if len(strips) <= 4 else max(1, SHEET // (width + 3 * GAP))
    rows = -(-len(strips) // columns)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + 3 * GAP) + GAP, 3), PAPER, np.uint8)
    for number, row in enumerate(strips):
        top = number // columns * (height + GAP) + GAP
        left = number % columns * (width + 3 * GAP) + GAP
        sheet[top : top + height, left : left + row.shape[1]] = row
    with atomic_path(path) as temporary:
        temporary.write_bytes(png_bytes(sheet))
