"""Tescan: lines of text in tag 50431, or in a file NAME-tif.hdr beside the image."""

from __future__ import annotations

import re

from pairvae.modalities.readers.instruments.facts import ImageFacts, pixel_nm, whole

LINE = re.compile(r"(PixelSizeX|PixelSizeY|ImageStripSize)\s*=\s*([-+0-9.eE]+)")


def tescan(text: str, shape: tuple[int, int]) -> ImageFacts:
    """``PixelSizeX`` in m and ``ImageStripSize``, the rows of the data bar (0: none)."""
    found: dict[str, str] = {}
    for key, value in LINE.findall(text):
        found.setdefault(key, value)
    strip = whole(found.get("ImageStripSize"))
    rows = shape[0] - strip if strip and strip < shape[0] else None
    return ImageFacts(pixel_nm(found.get("PixelSizeX"), 1e9), rows, "Tescan metadata")
