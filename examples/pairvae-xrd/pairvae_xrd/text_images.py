"""A reader: images that are exported as a matrix of numbers in text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pairvae.modalities.readers.raw_image import RawImage


def read_asc(path: Path) -> RawImage:
    """An image ``(H, W)``: a line for each row, ``#`` begins a comment."""
    return RawImage(
        np.loadtxt(path, ndmin=2), nm_per_px=None, image_rows=None, format="asc", source=str(path)
    )
