"""Small-angle X-ray scattering: 2D patterns, colour-mapped as published or raw detector counts."""

from __future__ import annotations

import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.base import Axis, Modality
from pairvae.modalities.counts import scale_counts
from pairvae.modalities.raw import RawImage
from pairvae.numerics.images import resize
from pairvae.settings import SaxsPrepare

LEAST_SIDE = 32


def prepare(raw: RawImage, settings: SaxsPrepare) -> np.ndarray:
    """Pattern as ``(3, size, size)`` float32 in [0, 1] (paper, Method: decode RGB, bilinear resize).

    Detector counts (one channel, more than 8 bits) are masked and log-scaled first, and repeated on three channels.
    """
    pixels = raw.pixels
    if min(pixels.shape[:2]) < LEAST_SIDE:
        raise InputError(
            expected=f"a pattern of at least {LEAST_SIDE} x {LEAST_SIDE} px",
            found=f"{pixels.shape[0]} x {pixels.shape[1]}",
            where=raw.source,
        )
    if pixels.dtype == np.uint8:
        values = pixels.astype(np.float32) / np.float32(255)
    else:
        values = scale_counts(pixels)
    colours = values[..., :3] if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
    resized = resize(np.ascontiguousarray(colours), settings.size)
    return np.ascontiguousarray(np.clip(resized, 0.0, 1.0).transpose(2, 0, 1), dtype=np.float32)


SAXS = Modality(
    name="saxs",
    title="SAXS pattern",
    folder="SAXS",
    axes=(Axis("q_y", "1/nm"), Axis("q_x", "1/nm")),
    binary=False,
    cropped=False,
    score="mae",
    prepare=prepare,
    prepared_shape=lambda settings: (3, settings.size, settings.size),
)
