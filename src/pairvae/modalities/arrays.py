"""Measurements as people hold them in Python: arrays, files, and lists of either, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.errors import InputError
from pairvae.modalities.base import Modality
from pairvae.modalities.readers.curve import MOST_POINTS, curve_image
from pairvae.modalities.readers.raw_image import RawImage, checked_shape, normalised, unreadable

Item = str | Path | np.ndarray
MOST_PIXELS = 200_000_000
COLOURS, COLUMNS = (3, 4), (2, 3)


def separate(inputs: Any, modality: Modality, shape: Sequence[int]) -> list[Item]:
    """Each measurement of ``inputs``: one file or array, an array of several, or a list of files and arrays.

    ``shape`` is that of one prepared array, ``(channels, H, W)``. ``InputError`` for arrays of another layout.
    """
    if isinstance(inputs, str | Path):
        return [inputs]
    if not hasattr(inputs, "__array__"):
        if not isinstance(inputs, Iterable):
            raise _no_layout(modality, shape, type(inputs).__name__)
        return [_one(item, modality, shape) for item in inputs]
    array = np.asarray(inputs)
    if array.ndim == 1 and array.dtype.kind in "UO":
        return [_one(item, modality, shape) for item in array]
    if _is_one(array, modality, shape):
        return [array]
    if array.ndim in (3, 4) and _is_one_shape(array.shape[1:], modality, shape):
        return list(array)
    raise _no_layout(modality, shape, str(array.shape))


def prepared_already(
    item: Item, modality: Modality, shape: Sequence[int], *, two_phases: bool
) -> np.ndarray | None:
    """``item`` as a prepared array ``(channels, H, W)``, where it is one: of that shape; of images with ``two_phases``,
    a binary one; of grey levels, floating-point numbers in [0, 1] with a channel axis, which raw images lack."""
    if isinstance(item, str | Path):
        return None
    if not two_phases:
        prepared = _is_prepared_shape(item.shape, modality, shape)
        grey = not modality.cropped or (item.dtype.kind == "f" and item.min() >= 0 and item.max() <= 1)
        return item if prepared and grey else None
    image = _single(item, modality, shape)
    return image[None] if image.ndim == 2 and _has_two_values(image) else None


def _single(item: np.ndarray, modality: Modality, shape: Sequence[int]) -> np.ndarray:
    """``(H, W)`` of one channel ``(1, H, W)``; other arrays as they are."""
    one_channel = _is_prepared_shape(item.shape, modality, shape) and shape[0] == 1 and modality.cropped
    return item[0] if one_channel else item


def _has_two_values(image: np.ndarray) -> bool:
    if image.dtype.kind in "bui":  # of a memory-mapped image no copy is made
        return image.size == 0 or (int(image.min()) >= 0 and int(image.max()) <= 1)
    return image.dtype.kind == "f" and bool(((image == 0) | (image == 1)).all())


def raw_of(item: Item, modality: Modality, shape: Sequence[int], where: str) -> RawImage:
    """A file, or an array as a ``.npy`` file of it would be read (``InputError``); ``where`` names an array.

    Colours may be numbers in [0, 1], too.
    """
    if isinstance(item, str | Path):
        return modality.read(item)
    if item.dtype.kind not in "biuf":
        raise unreadable(where, "numbers", f"dtype {item.dtype}")
    if _is_curve(modality):
        if len(item) > MOST_POINTS:
            raise unreadable(where, "at most a million points", str(len(item)), "average them")
        return curve_image(np.asarray(item, dtype=float), where)
    pixels = _single(item, modality, shape)
    checked_shape(pixels.shape, pixels.dtype.itemsize, MOST_PIXELS, where)
    if pixels.ndim == 3:
        pixels = _colours(pixels, where)
    return normalised(RawImage(pixels, None, None, "npy", where))


def _one(item: Any, modality: Modality, shape: Sequence[int]) -> Item:
    if isinstance(item, str | Path):
        return item
    array = np.asarray(item)
    if not _is_one(array, modality, shape):
        raise _no_layout(modality, shape, f"one of {array.shape or type(item).__name__} in a list")
    return array


def _is_one(array: np.ndarray, modality: Modality, shape: Sequence[int]) -> bool:
    return _is_one_shape(array.shape, modality, shape)


def _is_one_shape(given: Sequence[int], modality: Modality, shape: Sequence[int]) -> bool:
    """Whether an array of shape ``given`` is one measurement, prepared or raw."""
    if _is_prepared_shape(given, modality, shape):
        return True
    if _is_curve(modality):
        return len(given) == 2 and given[1] in COLUMNS
    return len(given) == 2 or (len(given) == 3 and given[2] in COLOURS)


def _is_prepared_shape(given: Sequence[int], modality: Modality, shape: Sequence[int]) -> bool:
    if modality.cropped:
        return len(given) == 3 and given[0] == shape[0] and given[2] not in COLOURS
    return tuple(given) == tuple(shape)


def _is_curve(modality: Modality) -> bool:
    return len(modality.axes) == 1


def _colours(item: np.ndarray, where: str) -> np.ndarray:
    """Colours as uint8 (or uint16, as a file may hold)."""
    if item.dtype in (np.uint8, np.uint16):
        return item
    low, high = (float(item.min()), float(item.max())) if item.size else (0.0, 0.0)
    if item.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.asarray(np.rint(item * 255), np.uint8)
    if item.dtype.kind in "iu" and low >= 0 and high <= 255:
        return item.astype(np.uint8)
    raise unreadable(where, "colours in [0, 1], or whole numbers to 255", f"{low:.3g} to {high:.3g}")


def _no_layout(modality: Modality, shape: Sequence[int], found: str) -> InputError:
    channels, rows, columns = shape
    if _is_curve(modality):
        raw = "tables (points, 2) of q and I"
    elif modality.cropped:
        raw = "images (H, W)"
    else:
        raw = "patterns (H, W) or (H, W, 3)"
    return InputError(
        expected=f"arrays of shape (N, {channels}, {rows}, {columns})",
        found=found,
        where=modality.name,
        remedy=f"or give raw {raw}, several as one array or as a list, or files",
    )
