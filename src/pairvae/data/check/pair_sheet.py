"""A contact sheet of pairs with the names of their files, so that a person sees a wrong pairing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pairvae.data.pairs.file_names import natural
from pairvae.data.pairs.manifest import Pair, read_samples
from pairvae.data.pairs.sample import Unpaired
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers.image import RawImage, file_part, scale_counts
from pairvae.modalities.sem import image_area, to_8_bit
from pairvae.progress import track
from pairvae.settings import SemPrepare, resolve
from pairvae.store import atomic_path
from pairvae.store.picture_files import write_caption

TILE = 192  # px
GAP = 8
LINE = 22
CAPTION = 2 * LINE  # the id, then the file names
PAIRS_PER_ROW = 4
PAPER = 255
INK = (0, 0, 160)


def pair_sheet(
    folder: Path,
    out: Path,
    limit: int = 24,
    *,
    unpaired: Unpaired = "error",
    prepare: SemPrepare | None = None,
) -> None:
    """Write a PNG of the first pairs in natural order: pattern, curve and micrograph, or a cross.

    Parameters
    ----------
    folder : Path
        In the data layout.
    out : Path
        The PNG.
    limit : int
        Pairs at most, at least 1.
    unpaired : {"error", "use"}
        Whether samples without a partner are faults.
    prepare : SemPrepare, optional
        Gives the image area of micrographs; without it the whole image above a detected data bar.

    Raises
    ------
    InputError
        For a folder without sound pairs, or a sheet that is too large for a PNG.
    """
    if limit < 1:
        raise InputError(expected="a sheet of at least 1 pair", found=str(limit), where="--sheet")
    whole = {"rows": None, "columns": None}
    area = prepare or resolve({}).sem.prepare.model_copy(update=whole)
    pairs = sorted(read_samples(folder, unpaired)[0], key=lambda pair: natural(pair.id))[:limit]
    if not pairs:
        raise InputError(expected="pairs", found="samples without a partner only", where=str(folder))
    order = [name for name in sorted(MODALITIES, key=_rank) if any(name in pair.files for pair in pairs)]
    cells = [_cell(pair, order, area) for pair in track(pairs, len(pairs), "sheet")]
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


def _rank(name: str) -> bool:
    """Patterns and curves before images."""
    return MODALITIES[name].cropped


def _cell(pair: Pair, order: Sequence[str], area: SemPrepare) -> np.ndarray:
    """``(CAPTION + TILE, n (TILE + 2) - 2, 3)`` uint8 RGB: id, names, a tile for each of ``order``."""
    cell = np.full((CAPTION + TILE, len(order) * (TILE + 2) - 2, 3), PAPER, np.uint8)
    parts = [pair.id, pair.morphology or "", pair.split or "", f"group {pair.group}" if pair.group else ""]
    write_caption(cell, "  ".join(part for part in parts if part), LINE)
    for number, name in enumerate(order):
        left = number * (TILE + 2)
        file = pair.files.get(name)
        if file is not None:
            named = file_part(file).name + str(file).removeprefix(str(file_part(file)))
            write_caption(cell[LINE:CAPTION, left : left + TILE - GAP], named, LINE)
        cell[CAPTION:, left : left + TILE] = _tile(file, name, area)
    return cell


def _tile(source: Path | str | None, name: str, area: SemPrepare) -> np.ndarray:
    if source is None:
        return np.full((TILE, TILE, 3), PAPER, np.uint8)
    try:
        raw = MODALITIES[name].read(source)
        if raw.format == "curve":
            return _curve(raw.pixels)
        return _picture(raw, name, area)
    except InputError:
        return _crossed()


def _picture(raw: RawImage, name: str, area: SemPrepare) -> np.ndarray:
    if not MODALITIES[name].cropped:
        return _square(_as_8_bit(raw.pixels, counts=True), max(raw.pixels.shape[:2]))
    # A whole micrograph would alias at this size; its middle shows the morphology.
    return _square(_as_8_bit(image_area(raw, area), counts=False), 2 * TILE)


def _curve(columns: np.ndarray) -> np.ndarray:
    """The curve ``(points, 3)`` in logarithmic axes; crossed where no intensity is positive."""
    q, intensity = columns[:, 0], columns[:, 1]
    shown = np.isfinite(intensity) & (q > 0) & (intensity > 0)
    if shown.sum() < 2:
        return _crossed()
    tile = np.full((TILE, TILE, 3), PAPER, np.uint8)
    cv2.rectangle(tile, (0, 0), (TILE - 1, TILE - 1), (200, 200, 200), 1)
    coordinates = []
    for values, sign in ((np.log(q[shown]), 1.0), (np.log(intensity[shown]), -1.0)):
        span = max(float(np.ptp(values)), 1e-12)
        share = (values - values.min()) / span if sign > 0 else (values.max() - values) / span
        coordinates.append(GAP + share * (TILE - 1 - 2 * GAP))
    points = np.round(np.stack(coordinates, axis=1)).astype(np.int32)
    cv2.polylines(tile, [points], False, INK, 1, cv2.LINE_AA)
    return tile


def _crossed() -> np.ndarray:
    tile = np.full((TILE, TILE, 3), 235, np.uint8)
    cv2.line(tile, (0, 0), (TILE, TILE), (200, 0, 0), 2)
    cv2.line(tile, (TILE, 0), (0, TILE), (200, 0, 0), 2)
    return tile


def _as_8_bit(pixels: np.ndarray, *, counts: bool) -> np.ndarray:
    """``(H, W, 3)`` uint8; deeper images as detector counts are scaled, or between two percentiles of a micrograph."""
    if pixels.dtype == np.uint8:
        values = pixels
    elif counts:
        values = (scale_counts(pixels) * 255 + 0.5).astype(np.uint8)
    else:
        values = to_8_bit(np.nan_to_num(pixels))
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
