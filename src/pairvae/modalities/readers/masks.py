"""Mask files: which pixels of a detector do not count, from edf, npy, tif, png or Fit2D's msk, and as kept in cards."""

from __future__ import annotations

import base64
import binascii
import zlib

import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.readers.raw_image import RawImage, unreadable
from pairvae.settings import MaskPixels

MOST_VALUES = 64  # a mask holds flags: of more different values it is a pattern
LEAST_FLAG = 8  # flags beyond the first few bits; fewer would be a pattern of few counts
LARGEST_SHARE = 0.67  # masked pixels; of more the mask is taken to be inverted
SAMPLED = 8  # every so many rows are looked at first


def is_mask(pixels: np.ndarray) -> bool:
    """Whether ``(H, W)`` holds a mask: two values, or the flags of a detector (0 and powers of 2)."""
    if pixels.ndim != 2:
        return False
    if len(np.unique(pixels[::SAMPLED, ::SAMPLED])) > MOST_VALUES:
        return False
    values = np.unique(pixels[np.isfinite(pixels)])
    if len(values) <= 2:
        return len(values) == 2
    whole = values[0] == 0 and bool(np.all(values == np.floor(values)))
    powers = whole and bool(np.all(np.log2(values[1:]) % 1 == 0))
    return powers and len(values) <= MOST_VALUES and float(values[-1]) >= LEAST_FLAG


def mask_of(raw: RawImage, file: str) -> MaskPixels:
    """The mask in a picture or detector file, as it is kept: non-zero pixels do not count (``InputError``: no mask)."""
    pixels = raw.pixels if raw.pixels.ndim == 2 else raw.pixels[..., 0]
    finite = np.isfinite(pixels)
    values = np.unique(pixels[finite])
    if len(values) > MOST_VALUES:
        raise unreadable(
            raw.source,
            "a mask: zero where a pixel counts, non-zero where not",
            f"{len(values)} different values",
        )
    bad = ~finite | (pixels != 0)
    share = float(bad.mean())
    if not 0 < share <= LARGEST_SHARE:
        remedy = "non-zero marks the pixels that do not count: invert it" if share else ""
        raise unreadable(raw.source, "a mask that leaves out some pixels", f"{share:.0%} of them", remedy)
    bits = base64.b64encode(zlib.compress(np.packbits(bad).tobytes(), 9)).decode()
    return MaskPixels(file=file, rows=bad.shape[0], columns=bad.shape[1], deflated=bits)


def bad_of(mask: MaskPixels, shape: tuple[int, ...], source: str) -> np.ndarray:
    """The mask as ``(H, W)`` bool, True where a pixel does not count (``InputError``: another size, or damaged)."""
    if (mask.rows, mask.columns) != tuple(shape[:2]):
        raise InputError(
            expected=f"a pattern of {mask.rows} x {mask.columns} px, as the mask {mask.file}",
            found=f"{shape[0]} x {shape[1]}",
            where=source,
            remedy="give a mask of this detector, or leave the file out",
        )
    length = -(-mask.rows * mask.columns // 8)
    engine = zlib.decompressobj()
    try:
        data = engine.decompress(base64.b64decode(mask.deflated, validate=True), length + 1)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise unreadable(source, "a sound mask in the model's card", "a damaged one") from error
    if len(data) != length or not engine.eof:
        raise unreadable(
            source, "a sound mask in the model's card", f"{len(data)} bytes where {length} belong"
        )
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=mask.rows * mask.columns)
    return bits.reshape(mask.rows, mask.columns).astype(bool)
