"""A contact sheet of pairs with their ids, so that a person sees a wrong pairing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pairvae.data.manifest import FOLDERS, Pair, read_pairs
from pairvae.errors import InputError
from pairvae.modalities.data_bar import rows_above_bar
from pairvae.modalities.readers import read_image, scale_counts
from pairvae.modalities.sem import to_8_bit
from pairvae.progress import track
from pairvae.store import atomic_path
from pairvae.store.captions import write_caption

TILE = 192  # px
GAP = 8
CAPTION = 22
PAIRS_PER_ROW = 4
PAPER = 255


def pair_sheet(folder: Path, out: Path, limit: int = 24) -> None:
    """Write a PNG of the first ``limit`` pairs, SAXS left and SEM right, under their ids.

    A file that cannot be read shows as a crossed tile. ``InputError`` for a folder without sound pairs.
    """
    if limit < 1:
        raise InputError(expected="a sheet of at least 1 pair", found=str(limit), where="--sheet")
    pairs = read_pairs(folder)[:limit]
    cells = [_cell(pair) for pair in track(pairs, len(pairs), "sheet")]
    columns = min(PAIRS_PER_ROW, len(cells))
    rows = -(-len(cells) // columns)
    height, width = cells[0].shape[:2]
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), PAPER, np.uint8)
    for number, cell in enumerate(cells):
        top, left = (number // columns) * (height + GAP) + GAP, (number % columns) * (width + GAP) + GAP
        sheet[top : top + height, left : left + width] = cell
    done, png = cv2.imencode(".png", sheet[:, :, ::-1])
    if not done:
        raise InputError(expected="a sheet that fits a PNG file", found=f"{sheet.shape}", where=str(out))
    with atomic_path(out) as temporary:
        temporary.write_bytes(png.tobytes())


def _cell(pair: Pair) -> np.ndarray:
    """``(CAPTION + TILE, 2 TILE + 2, 3)`` uint8 RGB: the caption, the pattern, the micrograph."""
    cell = np.full((CAPTION + TILE, 2 * TILE + 2, 3), PAPER, np.uint8)
    parts = [pair.id, pair.morphology or "", pair.split or ""]
    write_caption(cell, "  ".join(part for part in parts if part), CAPTION)
    for number, side in enumerate(FOLDERS):
        left = number * (TILE + 2)
        cell[CAPTION:, left : left + TILE] = _tile(pair.files.get(side), side)
    return cell


def _tile(source: Path | str | None, side: str) -> np.ndarray:
    if source is None:
        return _crossed()
    try:
        raw = read_image(source)
    except InputError:
        return _crossed()
    pixels = raw.pixels
    if side == "sem":
        pixels = pixels[: rows_above_bar(pixels, raw.image_rows, None).rows]
        if pixels.dtype != np.uint8:
            pixels = to_8_bit(
                np.nan_to_num(pixels)
            )  # as it is prepared; detector counts are masked and log-scaled
    # A whole micrograph would alias at this size; its middle shows the morphology.
    return _square(_as_8_bit(pixels), 2 * TILE if side == "sem" else max(pixels.shape[:2]))


def _crossed() -> np.ndarray:
    tile = np.full((TILE, TILE, 3), 235, np.uint8)
    cv2.line(tile, (0, 0), (TILE, TILE), (200, 0, 0), 2)
    cv2.line(tile, (TILE, 0), (0, TILE), (200, 0, 0), 2)
    return tile


def _as_8_bit(pixels: np.ndarray) -> np.ndarray:
    """``(H, W, 3)`` uint8; deeper images through the same scaling as detector counts."""
    values = pixels if pixels.dtype == np.uint8 else (scale_counts(pixels) * 255 + 0.5).astype(np.uint8)
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    if int(values.max()) == 1:  # a binary image of 0 and 1
        values = values * np.uint8(255)
    return np.ascontiguousarray(values[..., :3])


def _square(pixels: np.ndarray, most: int) -> np.ndarray:
    """The largest central square of at most ``most`` px, as a tile."""
    side = min(*pixels.shape[:2], most)
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    square = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    return np.asarray(cv2.resize(square, (TILE, TILE), interpolation=cv2.INTER_AREA))
