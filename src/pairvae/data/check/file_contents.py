"""Look at one file of a pair, raw and prepared, for the check of a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pairvae.data.check.file_summary import FileSummary, ImageArea, from_entry, to_entry
from pairvae.data.check.picture_digests import content_digest
from pairvae.data.pairs.sample import Pair, with_scales
from pairvae.data.prepare import cache_key, prepare_file
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.pattern import refuse_mask
from pairvae.modalities.readers.image import RawImage, beam_centre
from pairvae.modalities.sem import BAR_LEFT, image_rows
from pairvae.numerics.colormaps import known_colormap, levels
from pairvae.numerics.images import noise_asymmetry
from pairvae.numerics.scattering import (
    Mask,
    RingAndArcs,
    power_spectrum,
    scattering_of_pattern,
    scattering_of_spectrum,
    shadow,
)
from pairvae.numerics.series import evenly_spread
from pairvae.settings import Section, SemPrepare
from pairvae.store.file_cache import FileCache

COLOUR_LEVELS = 12.0  # mean difference of channels, of 255 levels, above which a picture is in colour
SCALES = {True: "nm_per_px", False: "q_per_px_inv_nm"}  # of a prepared pixel of an image and of a pattern
TILE = 384  # px; side of the squares whose power spectra are averaged
MOST_TILES = 3  # of them along each side
SHARED = 0.75  # of them are dark where the detector is hidden
MOST_PATTERNS = 24  # that are looked at for what hides the detector in all
SAMPLED_SIDE = 512  # px; levels are counted on at most this many rows and columns


@dataclass(frozen=True)
class Preparation:
    """How files will be prepared.

    Parameters
    ----------
    sections : mapping of str to Section
        The settings by modality.
    mask : ndarray of bool, optional
        ``(H, W)``, True where patterns show nothing.
    colormap : str, optional
        The known one that patterns are coloured by.
    kept : FileCache, optional
        Where prepared arrays and summaries are looked up and kept.
    """

    sections: Mapping[str, Section]
    mask: Mask | None = None
    colormap: str | None = None
    kept: FileCache | None = None

    def of_images(self, side: str) -> SemPrepare | None:
        """The settings of a technique's images; None where it has none."""
        section = self.sections.get(side)
        return section if isinstance(section, SemPrepare) else None


def inspect(pair: Pair, side: str, preparation: Preparation) -> FileSummary | InputError:
    """Read one file of a pair.

    Parameters
    ----------
    pair : Pair
        The sample.
    side : str
        The file's modality.
    preparation : Preparation
        How it will be prepared.

    Returns
    -------
    FileSummary or InputError
        Its properties, raw and prepared, or the error that reading it raised.
    """
    source, kept = pair.files[side], preparation.kept
    key = None if kept is None else _key(pair, side, preparation)
    entry = None if kept is None or key is None else kept.read(key)
    if entry is not None:
        return from_entry(pair.id, side, str(source), *entry)
    try:
        raw = MODALITIES[side].read(source)
        if side == "saxs":
            refuse_mask(raw, "saxs.prepare.mask")
    except InputError as error:
        return error
    summary = _raw_summary(pair, side, raw, preparation.of_images(side))
    try:
        summary = _with_prepared(summary, pair, with_scales(raw, pair, side), preparation)
    except InputError as error:
        return replace(summary, refused=error)
    if kept is not None and key is not None:
        kept.write(key, *to_entry(summary))
    return summary


def _key(pair: Pair, side: str, preparation: Preparation) -> str | None:
    images, mask = preparation.of_images(side), preparation.mask
    look: list[object] = [] if images is None else [images.model_dump(mode="json")]
    if side == "saxs":
        look = [preparation.colormap, None if mask is None else np.packbits(mask).tobytes().hex()]
    section = preparation.sections[side]
    return cache_key("data.check.file_contents", pair, MODALITIES[side], section, *look)


def _raw_summary(pair: Pair, side: str, raw: RawImage, images: SemPrepare | None) -> FileSummary:
    area = None if images is None else image_area(raw, images)
    seen = raw.pixels if area is None else raw.pixels[: area.rows, : area.columns]
    grey = _grey(seen)
    finite = grey[np.isfinite(grey)]
    lowest, highest = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    return FileSummary(
        pair=pair.id,
        side=side,
        file=str(pair.files[side]),
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
        noise=noise_asymmetry(grey) if images is not None and grey.dtype == np.uint8 else float("nan"),
        notes=raw.notes,
        warnings=raw.warnings,
    )


def _with_prepared(summary: FileSummary, pair: Pair, raw: RawImage, preparation: Preparation) -> FileSummary:
    """Add the properties of the prepared array (``InputError`` where it cannot be prepared)."""
    modality, section = MODALITIES[summary.side], preparation.sections[summary.side]
    array, record = prepare_file(pair, modality, section, preparation.kept, raw)
    summary = replace(
        summary,
        scale=record.get(SCALES[modality.cropped]),
        notes=tuple(record.get("notes", ())),
        warnings=tuple(line for line in record.get("warnings", ()) if not covered_by_rule(line, summary)),
    )
    if summary.side == "saxs":
        level = levels(array[None], preparation.colormap)[0]
        upright, left, right = (
            scattering_of_pattern(np.rot90(level, quarters), preparation.mask) for quarters in (0, 1, -1)
        )
        return replace(summary, scattering=upright, turned=(left, right))
    whole, parts = _of_micrograph(array[0])
    return replace(summary, scattering=whole, parts=parts)


def covered_by_rule(line: str, summary: FileSummary) -> bool:
    """Whether a rule of the check already reports a reader's warning.

    Parameters
    ----------
    line : str
        The warning.
    summary : FileSummary
        Of the file.

    Returns
    -------
    bool
        True for a data bar that the settings keep.
    """
    return summary.area is not None and summary.area.keeps_a_bar and line.startswith(BAR_LEFT)


def _of_micrograph(image: np.ndarray) -> tuple[RingAndArcs, tuple[RingAndArcs, RingAndArcs] | None]:
    """Ring and arcs of all of a binary image ``(H, W)``, and of its two ends where they do not overlap."""
    side = min(*image.shape, TILE)
    rows, columns = (
        np.linspace(0, length - side, min(length // side, MOST_TILES)).round().astype(int)
        for length in image.shape
    )
    tiles = np.stack([image[row : row + side, column : column + side] for row in rows for column in columns])
    spectra = power_spectrum(tiles).reshape(len(rows), len(columns), side, side)
    whole = scattering_of_spectrum(spectra.mean((0, 1)))
    along, last = (0, rows[-1]) if len(rows) > len(columns) else (1, columns[-1])
    if last < side:
        return whole, None
    lines = spectra.mean(1 - along)
    return whole, (scattering_of_spectrum(lines[0]), scattering_of_spectrum(lines[-1]))


def detector_look(
    pairs: Sequence[Pair], section: Section, kept: FileCache | None = None
) -> tuple[Mask | None, str | None]:
    """What hides the detector, and the colours of patterns.

    Parameters
    ----------
    pairs : sequence of Pair
        With patterns, of which at most 24 are looked at.
    section : Section
        How patterns are prepared.
    kept : FileCache, optional
        Where prepared arrays are looked up and kept.

    Returns
    -------
    mask : ndarray of bool or None
        ``(H, W)``, True where most of these patterns are dark; None where none can be read.
    colormap : str or None
        The one that they share, where it is known.
    """
    arrays = []
    for index in evenly_spread(len(pairs), MOST_PATTERNS):
        try:
            arrays.append(prepare_file(pairs[int(index)], MODALITIES["saxs"], section, kept)[0])
        except InputError:
            continue  # reported for this file already
    if not arrays:
        return None, None
    patterns = np.sort(np.stack(arrays), axis=0)
    most = patterns[
        : max(1, round(SHARED * len(patterns)))
    ]  # a few turned ones must not uncover the beamstop
    return shadow(most), known_colormap(np.stack(arrays))


def image_area(raw: RawImage, sem: SemPrepare) -> ImageArea:
    """The micrograph without its data bar: rows from metadata, else as set, else above a detected data bar.

    Parameters
    ----------
    raw : RawImage
        The micrograph.
    sem : SemPrepare
        Its settings.

    Returns
    -------
    ImageArea
        Columns as set, at most the file's.
    """
    width = raw.pixels.shape[1]
    area = image_rows(raw, sem)
    return ImageArea(area.rows, min(sem.columns or width, width), area.source, area.detected_bar)


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
    centre = beam_centre(pixels)
    if centre.doubt:
        return None
    return (centre.row + 0.5) / pixels.shape[0], (centre.column + 0.5) / pixels.shape[1]
