"""Small-angle X-ray scattering: 2D patterns, colour-mapped as published or raw detector counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from pairvae.modalities.base import Axis, Modality
from pairvae.modalities.pattern import (
    Placement,
    calibrated,
    centre_of,
    centred_square,
    describe_centre,
    geometry_warnings,
    is_counts,
    picture_levels,
    placement,
    require_pattern,
    untrusted,
)
from pairvae.modalities.readers.counts import scale_counts
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.numerics.images import resize
from pairvae.numerics.resampling import window
from pairvae.settings import SaxsPrepare

CENTRE_KEY, COLORMAP_KEY, MASK_KEY = (f"saxs.prepare.{name}" for name in ("beam_centre", "colormap", "mask"))
SCALE_KEY = "saxs.prepare.q_per_px"
LEAST_SEEN = 0.5  # share of a prepared pixel that must have been seen


def prepare(raw: RawImage, settings: SaxsPrepare) -> np.ndarray:
    """Pattern as ``(3, size, size)`` float32 in [0, 1] (paper, Method: decode RGB, bilinear resize).

    Detector counts (one channel, more than 8 bits) are masked, averaged over the area of each prepared pixel,
    log-scaled, and repeated on three channels, as are the intensities where ``settings.colormap`` is undone. With a
    beam centre the pattern is moved so that the beam hits the middle; one that is not square is cut to a square.
    With ``settings.q_per_px`` it is brought to that scale. ``InputError`` for small pictures, masks, other colours,
    a beam that cannot be found, or a scale that is not known.
    """
    require_pattern(raw, MASK_KEY)
    raw, placement = _placed(raw, settings)
    values = _levels(raw, placement, settings)
    colours = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
    return np.ascontiguousarray(np.clip(colours, 0.0, 1.0).transpose(2, 0, 1), dtype=np.float32)


def _placed(raw: RawImage, settings: SaxsPrepare) -> tuple[RawImage, Placement]:
    known = calibrated(raw, settings.geometry, settings.mask)
    centre = centre_of(known, settings.beam_centre, CENTRE_KEY, settings.geometry)
    return known, placement(known, centre, settings.size, settings.q_per_px, SCALE_KEY)


def _levels(raw: RawImage, placement: Placement, settings: SaxsPrepare) -> np.ndarray:
    """``(size, size[, 3])`` in [0, 1]; what was not seen is 0."""
    if is_counts(raw):
        counts, seen = window(raw.pixels, ~untrusted(raw), placement.middle, placement.side, settings.size)
        return scale_counts(counts, seen < LEAST_SEEN)
    pixels = raw.pixels
    if raw.mask is not None:
        pixels = np.where(raw.mask if pixels.ndim == 2 else raw.mask[..., None], 0, pixels).astype(
            pixels.dtype
        )
    if settings.q_per_px is not None:
        levels = picture_levels(raw, pixels, settings.colormap, COLORMAP_KEY)
        shown, seen = window(levels, None, placement.middle, placement.side, settings.size)
        return np.where((seen < LEAST_SEEN)[(..., *[None] * (shown.ndim - 2))], 0, shown)
    square = pixels if placement.as_it_is else centred_square(pixels, placement)
    return resize(picture_levels(raw, square, settings.colormap, COLORMAP_KEY), settings.size)


def describe(raw: RawImage, settings: SaxsPrepare) -> dict[str, Any]:
    """The file's size, the beam, the colour map that was undone, and q per prepared pixel (1/nm)."""
    height, width = raw.pixels.shape[:2]
    known, placement = _placed(raw, settings)
    scale = None if known.q_per_px is None else known.q_per_px * placement.side / settings.size
    return {
        "pixels": [height, width],
        **describe_centre(raw, placement.beam),
        "colormap_undone": settings.colormap if raw.pixels.ndim == 3 else None,
        "masked_share": None if known.mask is None else round(float(known.mask.mean()), 4),
        "q_per_px_inv_nm_of_file": known.q_per_px,
        "q_per_px_inv_nm": scale,
        "warnings": geometry_warnings(known, placement.beam, settings.geometry, CENTRE_KEY),
    }


SAXS = Modality(
    name="saxs",
    title="SAXS pattern",
    folder="SAXS",
    axes=(Axis("q_y", "1/nm"), Axis("q_x", "1/nm")),
    binary=False,
    cropped=False,
    score="mae",
    settings=SaxsPrepare,
    prepare=prepare,
    prepared_shape=lambda settings: (3, settings.size, settings.size),
    describe=describe,
)
