"""Orientation tags: one rule for all formats. Pixels are as stored, and a tag that would turn them is reported.

Data bars, beam centres and masks are given in the file's own rows and columns, and ImageJ, tifffile and
scikit-image read them so too; what applies the tag are viewers of photographs.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pairvae.modalities.readers.raw_image import PARSER_ERRORS

EXIF_ORIENTATION = 274
TURNS = {
    2: "mirrored",
    3: "turned by 180 degrees",
    4: "mirrored upside down",
    5: "transposed",
    6: "turned by 90 degrees",
    7: "transposed and turned by 180 degrees",
    8: "turned by 270 degrees",
}


def orientation_note(orientation: int) -> tuple[str, ...]:
    """The line about a tag other than 1 (upright)."""
    if orientation not in TURNS:
        return ()
    return (f"orientation tag {orientation} ({TURNS[orientation]}) is not applied: pixels are as stored",)


def exif_note(data: bytes) -> tuple[str, ...]:
    """:func:`orientation_note` of the Exif part of a JPEG or PNG file."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return orientation_note(int(image.getexif().get(EXIF_ORIENTATION, 1)))
    except (*PARSER_ERRORS, SyntaxError, Image.DecompressionBombError):
        return ()


def as_stored(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """``(H, W[, C])`` as the file holds them, of pixels that a library has turned for ``orientation``."""
    if orientation in (5, 7):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 4):
        return np.flip(pixels, 1 if orientation == 2 else 0)
    return np.rot90(pixels, {3: 2, 6: 1, 7: 2, 8: -1}.get(orientation, 0))
