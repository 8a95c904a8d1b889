"""Small-angle X-ray scattering: 2D patterns, colour-mapped as published or raw detector counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from pairvae.modalities.base import Axis, Modality
from pairvae.modalities.pattern import (
    centre_of,
    centred_square,
    describe_centre,
    picture_levels,
    require_side,
)
from pairvae.modalities.raw import RawImage
from pairvae.numerics.images import resize
from pairvae.settings import SaxsPrepare

CENTRE_KEY, COLORMAP_KEY = "saxs.prepare.beam_centre", "saxs.prepare.colormap"


def prepare(raw: RawImage, settings: SaxsPrepare) -> np.ndarray:
    """Pattern as ``(3, size, size)`` float32 in [0, 1] (paper, Method: decode RGB, bilinear resize).

    Detector counts (one channel, more than 8 bits) are masked and log-scaled first, and repeated on three channels, as
    are the intensities where ``settings.colormap`` is undone. With a beam centre the pattern is moved so that
    the beam hits the middle. ``InputError`` for small pictures, other colours, or a beam that cannot be found.
    """
    require_side(raw)
    centre = centre_of(raw, settings.beam_centre, CENTRE_KEY)
    pixels = raw.pixels if centre is None else centred_square(raw.pixels, centre)
    values = picture_levels(raw, pixels, settings.colormap, COLORMAP_KEY)
    colours = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
    resized = resize(np.ascontiguousarray(colours), settings.size)
    return np.ascontiguousarray(np.clip(resized, 0.0, 1.0).transpose(2, 0, 1), dtype=np.float32)


def describe(raw: RawImage, settings: SaxsPrepare) -> dict[str, Any]:
    """The file's size, the beam, the colour map that was undone, and q per prepared pixel (1/nm)."""
    height, width = raw.pixels.shape[:2]
    centre = centre_of(raw, settings.beam_centre, CENTRE_KEY)
    side = min(height, width) if centre is not None or height == width else None
    q_per_px = None if raw.q_per_px is None or side is None else raw.q_per_px * side / settings.size
    return {
        "pixels": [height, width],
        **describe_centre(raw, centre),
        "colormap_undone": settings.colormap if raw.pixels.ndim == 3 else None,
        "q_per_px_inv_nm_of_file": raw.q_per_px,
        "q_per_px_inv_nm": q_per_px,
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
