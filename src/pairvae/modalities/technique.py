"""Which technique a raw file looks like: for the hint where a micrograph is given as a pattern, or the reverse."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.readers import curve as curves
from pairvae.modalities.readers import image as readers
from pairvae.modalities.readers.raw_image import RawImage

SIDE = 128  # px; a larger picture is judged by its averages
LEAST_SIDE = 16
PATTERN_SYMMETRY, PATTERN_RINGS = 0.8, 0.45  # of patterns 0.9 and 0.55 were found
MICROGRAPH_RINGS = 0.4  # of micrographs 0.01 to 0.35


def looks_like(raw: RawImage) -> str | None:
    """``iq`` for a curve, ``saxs`` or ``sem`` for a picture; None where the pixels do not decide.

    A pixel size in nm is a micrograph's. Otherwise rings decide: the share of the picture's variance that the
    distance from the point of highest inversion symmetry, or from the middle, explains.
    """
    if raw.format == "curve":
        return "iq"
    if raw.nm_per_px is not None:
        return "sem"
    picture = _small(raw.pixels)
    if picture is None:
        return None
    beam = readers.beam_centre(picture, mask=np.zeros(picture.shape, bool))
    middle = (
        (picture.shape[0] - 1) / 2,
        (picture.shape[1] - 1) / 2,
    )  # a wide halo is symmetric elsewhere, too
    rings = max(_explained_by_rings(picture, *centre) for centre in ((beam.row, beam.column), middle))
    if beam.symmetry >= PATTERN_SYMMETRY and rings >= PATTERN_RINGS:
        return "saxs"
    return "sem" if rings < MICROGRAPH_RINGS else None


def file_looks_like(path: str | Path, max_pixels: int) -> str | None:
    """The same of a file of at most ``max_pixels``; None where nothing reads it."""
    with suppress(InputError):
        return looks_like(readers.read_image(path, max_pixels=max_pixels))
    with suppress(InputError):
        return looks_like(curves.read_curve(path))
    return None


def _small(pixels: np.ndarray) -> np.ndarray | None:
    """``(h, w)`` float32 in [0, 1], at most ``SIDE`` px: the brightest channel, or counts on their log scale."""
    grey = pixels if pixels.ndim == 2 else pixels[..., :3].max(axis=2)
    if min(grey.shape) < LEAST_SIDE:
        return None
    levels = (
        grey.astype(np.float32) / np.float32(255) if grey.dtype == np.uint8 else readers.scale_counts(grey)
    )
    factor = SIDE / max(grey.shape)
    if factor < 1:
        size = (
            max(round(grey.shape[1] * factor), LEAST_SIDE),
            max(round(grey.shape[0] * factor), LEAST_SIDE),
        )
        levels = cv2.resize(levels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(levels, np.float32) if float(levels.std()) > 0 else None


def _explained_by_rings(picture: np.ndarray, row: float, column: float) -> float:
    rows, columns = np.indices(picture.shape)
    ring = np.hypot(rows - row, columns - column).astype(int)
    means = np.bincount(ring.ravel(), picture.ravel()) / np.maximum(np.bincount(ring.ravel()), 1)
    return float(1 - np.mean((picture - means[ring]) ** 2) / picture.var())
