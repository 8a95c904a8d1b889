"""Images: resizing, binarisation, crops and contact sheets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pairvae.errors import InputError

Bytes = NDArray[np.uint8]
WINDOW_PX = 15
OFFSET = 2.0


def resize(image: NDArray[Any], size: int) -> NDArray[np.float32]:
    """Bilinear resize of ``(H, W)`` or ``(H, W, C)`` floats to ``(size, size[, C])`` float32.

    Half-pixel centres and no anti-aliasing, as TensorFlow's ``tf.image.resize`` with which the paper prepared
    its patterns: a pattern that is shrunk keeps its photon noise.
    """
    source = np.ascontiguousarray(image, dtype=np.float32)
    resized = cv2.resize(source, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.float32).reshape(size, size, *source.shape[2:])


def grey_levels(image: Bytes) -> Bytes:
    """Luma (ITU-R BT.601) of ``(H, W, 3)`` RGB uint8 as ``(H, W)``; a grey image is returned as it is."""
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _blurred(image: Bytes, blur_px: int, sigma: float) -> Bytes:
    source = np.ascontiguousarray(image)
    return np.asarray(cv2.GaussianBlur(source, (blur_px, blur_px), sigma), dtype=np.uint8)


def _check_odd(name: str, pixels: int, least: int) -> None:
    if pixels < least or pixels % 2 == 0:
        raise InputError(expected=f"an odd {name} of at least {least} px", found=f"{pixels} px")


def _adaptive(grey: Bytes, window_px: int, offset: float) -> Bytes:
    method, kind = cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY
    source = np.ascontiguousarray(grey)
    return np.asarray(cv2.adaptiveThreshold(source, 1, method, kind, window_px, offset), dtype=np.uint8)


def binarise_sem(
    image: Bytes,
    *,
    blur_px: int = 5,
    blur_sigma: float = 1.0,
    window_px: int = WINDOW_PX,
    offset: float = OFFSET,
) -> Bytes:
    """Bright phase of a micrograph ``(H, W)`` or RGB ``(H, W, 3)`` uint8, as ``(H, W)`` uint8 in {0, 1}.

    The paper's recipe (Method): Gaussian blur, grey, adaptive mean threshold, and the same blur once more of
    the 0/1 image, whose rounding removes single pixels and keeps it 0/1. ``blur_px = 1`` leaves both blurs
    out. ``InputError`` for an even window or blur.
    """
    _check_odd("window", window_px, 3)
    _check_odd("blur", blur_px, 1)
    grey = grey_levels(_blurred(image, blur_px, blur_sigma))
    return _blurred(_adaptive(grey, window_px, offset), blur_px, blur_sigma)


def _skimage(name: str, window_px: int | None = None) -> Callable[[Bytes], Any]:
    def level(grey: Bytes) -> Any:
        from skimage import filters

        method = getattr(filters, f"threshold_{name}")
        return method(grey) if window_px is None else method(grey, window_size=window_px)

    return level


def _by_level(level: Callable[[Bytes], Any]) -> Callable[[Bytes], Bytes]:
    return lambda grey: np.asarray(grey > level(grey), dtype=np.uint8)


THRESHOLDS: dict[str, Callable[[Bytes], Bytes]] = {
    "adaptive": lambda grey: _adaptive(grey, WINDOW_PX, OFFSET),
    "otsu": _by_level(_skimage("otsu")),
    "li": _by_level(_skimage("li")),
    "triangle": _by_level(_skimage("triangle")),
    "mean": _by_level(np.mean),
    "niblack": _by_level(_skimage("niblack", WINDOW_PX)),
    "sauvola": _by_level(_skimage("sauvola", WINDOW_PX)),
}


def threshold(grey: Bytes, method: str) -> Bytes:
    """Bright phase of ``(H, W)`` uint8 as uint8 in {0, 1}, by one of ``THRESHOLDS`` (paper, Figure S2).

    ``adaptive``, ``niblack`` and ``sauvola`` compare a pixel with its window of 15 px, the others with one
    level for the image. ``InputError`` for an unknown method.
    """
    if method not in THRESHOLDS:
        raise InputError(expected=f"a threshold among {', '.join(THRESHOLDS)}", found=repr(method))
    return THRESHOLDS[method](grey)


def crop_positions(
    height: int, width: int, crop: int, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """``(count, 2)`` upper left corners (row, column), every position of a whole crop equally likely.

    ``InputError`` where the crop does not fit.
    """
    if crop > min(height, width):
        raise InputError(
            expected=f"an image of at least {crop} x {crop} px",
            found=f"{height} x {width}",
            remedy="choose a smaller crop",
        )
    return rng.integers(0, [height - crop + 1, width - crop + 1], size=(count, 2), dtype=np.int64)


def crops(image: NDArray[Any], positions: NDArray[np.int64], crop: int) -> NDArray[Any]:
    """Squares of ``(H, W[, C])`` at ``positions`` (row, column), as ``(count, crop, crop[, C])``.

    ``InputError`` where a square reaches over the edge.
    """
    limits = np.asarray(image.shape[:2]) - crop
    if len(positions) and (np.min(positions) < 0 or np.any(positions > limits)):
        raise InputError(
            expected=f"crop positions from 0 to {limits[0]}, {limits[1]}",
            found=f"{np.min(positions, axis=0)} to {np.max(positions, axis=0)}",
        )
    cut = np.empty((len(positions), crop, crop, *image.shape[2:]), dtype=image.dtype)
    for index, (row, column) in enumerate(positions):
        cut[index] = image[row : row + crop, column : column + crop]
    return cut


def _as_bytes(images: NDArray[Any]) -> Bytes:
    is_grey_uint8 = images.dtype == np.uint8 and images.max(initial=0) > 1
    if is_grey_uint8:
        return np.asarray(images, dtype=np.uint8)
    return np.asarray(np.clip(images.astype(np.float32), 0, 1) * 255 + 0.5, dtype=np.uint8)


def contact_sheet(images: NDArray[Any], columns: int, gap: int = 2) -> Bytes:
    """One picture of ``(N, H, W)`` or ``(N, H, W, 3)`` images, row by row, with white gaps of ``gap`` px.

    Values are grey levels where they are uint8 beyond {0, 1}; otherwise (binary or float) they span [0, 1].
    Returns uint8 ``(rows * (H + gap) - gap, columns * (W + gap) - gap[, 3])``.
    """
    count, height, width = images.shape[:3]
    columns = min(columns, count)
    rows = -(-count // columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, *images.shape[3:])
    sheet: Bytes = np.full(shape, 255, dtype=np.uint8)
    for index, image in enumerate(_as_bytes(images)):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet
