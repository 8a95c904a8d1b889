"""What every reader hands on, and the limits that are held before anything is decoded."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pairvae.errors import InputError, number_of

LARGEST_FILE_BYTES = 2_000_000_000
LARGEST_DECODED_BYTES = 2_000_000_000
LARGEST_SIDE = 200_000

# What parsers of foreign formats raise on damaged input; a programming error (NameError, ...) still surfaces.
PARSER_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    AssertionError,
    RuntimeError,
    OverflowError,
    EOFError,
    ZeroDivisionError,
    MemoryError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class RawImage:
    """One picture, or one curve, as its file holds it.

    ``pixels``: ``(H, W)`` or ``(H, W, 3|4)``, uint8, uint16 or float32, in the file's own units (grey
    levels, counts); of a curve ``(points, 3)`` float64: q, I and its error (nan where unknown), with ``format``
    "curve". ``nm_per_px``: pixel size in nm, where the file has it. ``image_rows``: rows above the
    data bar, where the metadata have them. ``format``: how it was read. ``source``: the file as named.
    ``q_per_px``: q per pixel in 1/nm, where pairs.csv has it; ``header_q_per_px`` where the file's header does.
    ``q_unit``, ``intensity_unit``: of a curve, where its file has them ("1/nm", "1/angstrom", ...; "1/cm").
    ``beam``: row and column of the beam (px, pixel centres at whole numbers), where the header has them. ``mask``:
    ``(H, W)`` bool, True where a pixel does not count, where the file holds one. ``notes``: how the file was read,
    where that is not obvious (the unit of a column, which frame of how many). ``warnings``: what may make its numbers
    wrong, and what to do. Each is one line without the file's name.
    """

    pixels: np.ndarray
    nm_per_px: float | None
    image_rows: int | None
    format: str
    source: str
    q_per_px: float | None = None
    q_unit: str | None = None
    intensity_unit: str | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    header_q_per_px: float | None = None
    beam: tuple[float, float] | None = None
    mask: np.ndarray | None = None


def unreadable(source: str, expected: str, found: str, remedy: str = "") -> InputError:
    """One line about a file that cannot be read."""
    return InputError(expected=expected, found=found, where=source, remedy=remedy)


def checked_shape(shape: Sequence[int], itemsize: int, max_pixels: int, source: str) -> None:
    """Refuse a header whose image would not be an image, or would not fit (``InputError``).

    ``shape`` is ``(H, W)`` or ``(H, W, channels)``, ``itemsize`` the bytes of one value.
    """
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise unreadable(source, "a 2D image, grey or with 3 or 4 channels", f"shape {_text(shape)}")
    height, width = int(shape[0]), int(shape[1])
    if len(shape) == 3 and shape[2] not in (1, 3, 4):
        raise unreadable(source, "1, 3 or 4 channels", f"shape {_text(shape)}")
    too_many = height * width > max_pixels or max(height, width) > LARGEST_SIDE
    if too_many or math.prod(shape) * itemsize > LARGEST_DECODED_BYTES:
        raise unreadable(
            source,
            f"at most {max_pixels / 1e6:g} million pixels and {LARGEST_DECODED_BYTES / 1e9:g} GB decoded",
            f"a header that announces {height} x {width} px",
            "crop or shrink the image",
        )


def normalised(image: RawImage) -> RawImage:
    """The same image with ``(H, W)`` or ``(H, W, 3|4)`` pixels of uint8, uint16 or float32.

    Other numbers become float32; one-channel images lose the axis. ``InputError`` where no pixel is finite.
    """
    pixels = image.pixels
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.dtype.kind not in "buif":
        raise unreadable(image.source, "real numbers", f"values of type {pixels.dtype}")
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    elif pixels.dtype not in (np.uint8, np.uint16, np.float32):
        with np.errstate(over="ignore"):
            pixels = pixels.astype(np.float32)
    pixels = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
    if pixels.dtype == np.float32 and not np.isfinite(pixels).any():
        raise unreadable(
            image.source, "finite pixels", "NaN or infinite values only", "export the image again"
        )
    return replace(image, pixels=pixels)


def require_finite(image: RawImage) -> None:
    """Refuse images with NaN or infinite pixels (a micrograph has none; a detector's are masked instead)."""
    if image.pixels.dtype.kind != "f":
        return
    bad = int(image.pixels.size - np.isfinite(image.pixels).sum())
    if bad:
        raise unreadable(
            image.source, "finite pixels", number_of(bad, "NaN or infinite value"), "export the image again"
        )


def _text(shape: Sequence[int]) -> str:
    return " x ".join(str(side) for side in shape) or "()"
