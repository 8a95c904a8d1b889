"""Properties of one file of a pair, for the check of a folder. Pixels are not kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pairvae.data.pairs.sample import Pair, with_scales
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.pattern import refuse_mask
from pairvae.modalities.readers.data_bar import BarSource
from pairvae.modalities.readers.image import RawImage, beam_centre, read_image
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

COLOUR_LEVELS = 12.0  # mean difference of channels, of 255 levels, above which a picture is in colour
SCALES = {"sem": "nm_per_px", "saxs": "q_per_px_inv_nm"}  # of a prepared pixel, as the modalities describe it
TILE = 384  # px; side of the squares whose power spectra are averaged
MOST_TILES = 3  # of them along each side
SHARED = 0.75  # of them are dark where the detector is hidden
MOST_PATTERNS = 24  # that are looked at for what hides the detector in all
SAMPLED_SIDE = 512  # px; levels are counted on at most this many rows and columns


@dataclass(frozen=True)
class ImageArea:
    """The micrograph without its data bar: rows and columns in px, and the source of the rows."""

    rows: int
    columns: int
    source: BarSource
    detected_bar: int

    @property
    def keeps_a_bar(self) -> bool:
        """Whether the settings keep rows of a detected data bar, which a rule of the check reports."""
        return self.source == "settings" and self.detected_bar > 0


@dataclass(frozen=True)
class Preparation:
    """How files will be prepared: the settings by modality, and what hides the detector in all patterns.

    ``mask`` ``(H, W)`` True where patterns show nothing; ``colormap``: the known one that they are coloured by.
    """

    sections: Mapping[str, Section]
    mask: Mask | None = None
    colormap: str | None = None

    @property
    def sem(self) -> SemPrepare:
        """The settings of micrographs."""
        section = self.sections["sem"]
        assert isinstance(section, SemPrepare)
        return section


@dataclass(frozen=True)
class FileSummary:
    """One readable file. ``lowest_share``, ``highest_share``: share of the pixels at the extremes, in [0, 1].

    ``centre``: row and column of the beam as shares of the sides (SAXS), None where no symmetry is found.
    ``scale``: nm or 1/nm per prepared pixel, where known. ``scattering`` of the prepared array, of two ``parts`` of
    a large micrograph, and of a pattern ``turned`` by a quarter either way. ``noise``: :func:`noise_asymmetry` of a
    micrograph. ``refused``: why it cannot be prepared. ``notes`` and ``warnings`` are the reader's.
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
    scale: float | None = None
    noise: float = float("nan")
    scattering: RingAndArcs | None = field(default=None, compare=False)
    parts: tuple[RingAndArcs, RingAndArcs] | None = field(default=None, compare=False)
    turned: tuple[RingAndArcs, RingAndArcs] | None = field(default=None, compare=False)
    refused: InputError | None = field(default=None, compare=False)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def inspect(pair: Pair, side: str, preparation: Preparation) -> FileSummary | InputError:
    """Read one file of a pair: its properties, raw and prepared, or the error that it raised."""
    source = pair.files[side]
    try:
        raw = read_image(source)
        if side == "saxs":
            refuse_mask(raw, "saxs.prepare.mask")
    except InputError as error:
        return error
    area = image_area(raw, preparation.sem) if side == "sem" else None
    seen = raw.pixels if area is None else raw.pixels[: area.rows, : area.columns]
    grey = _grey(seen)
    finite = grey[np.isfinite(grey)]
    lowest, highest = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    summary = FileSummary(
        pair=pair.id,
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
        noise=noise_asymmetry(grey) if side == "sem" and grey.dtype == np.uint8 else float("nan"),
        notes=raw.notes,
        warnings=raw.warnings,
    )
    try:
        return _prepared(summary, with_scales(raw, pair, side), preparation)
    except InputError as error:
        return replace(summary, refused=error)


def _prepared(summary: FileSummary, raw: RawImage, preparation: Preparation) -> FileSummary:
    """Add the properties of the prepared array (``InputError`` where it cannot be prepared)."""
    modality, section = MODALITIES[summary.side], preparation.sections[summary.side]
    array = modality.prepare(raw, section)
    record = modality.record(raw, section)
    summary = replace(
        summary,
        scale=record.get(SCALES[summary.side]),
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
    """Whether a rule of the check already reports a reader's warning."""
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


def detector_look(sources: Sequence[Path | str], section: Section) -> tuple[Mask | None, str | None]:
    """What is dark in most of some patterns, evenly chosen of ``sources``, and the colour map that they share."""
    arrays = []
    for index in evenly_spread(len(sources), MOST_PATTERNS):
        try:
            arrays.append(MODALITIES["saxs"].prepare(read_image(sources[int(index)]), section))
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
    """Rows from metadata, else as set, else above a detected data bar; columns as set, at most the file's."""
    width = raw.pixels.shape[1]
    area = image_rows(raw, sem)
    return ImageArea(area.rows, min(sem.columns or width, width), area.source, area.detected_bar)


def content_digest(pixels: np.ndarray) -> str:
    """Digest of a picture's shape and of the order of its values.

    A copy has the same under another name and in another format: grey or grey as RGB, with or without transparency, 8
    or 16 bits, stretched.
    """
    values = pixels[..., :3] if pixels.ndim == 3 else pixels
    if values.ndim == 3 and bool((values == values[..., :1]).all()):
        values = values[..., 0]
    if values.dtype.kind == "u":
        held = np.zeros(np.iinfo(values.dtype).max + 1, bool)
        held[values] = True
        ranks = np.cumsum(held) - 1
        ranks = ranks.astype(np.min_scalar_type(int(ranks[-1])))[values]
    else:
        ranks = np.unique(values, return_inverse=True)[1]
        ranks = ranks.astype(np.min_scalar_type(int(ranks.max())))
    digest = hashlib.blake2b(f"{values.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(ranks).data)
    return digest.hexdigest()


def curve_digest(points: np.ndarray) -> str:
    """Digest of a curve ``(points, 2 or 3)``: equal for copies in other units of q or I, and without errors."""
    q, intensity = (points[:, column] / np.nanmax(np.abs(points[:, column])) for column in (0, 1))
    return hashlib.sha256(np.round(np.stack([q, intensity]), 5).tobytes()).hexdigest()


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
