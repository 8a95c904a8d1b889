"""Images: resizing, grey levels, crops and contact sheets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pairvae.errors import InputError

Bytes = NDArray[np.uint8]
CHUNK = 8  # images; more do not fit the processor's caches and take twice as long
SECOND_DIFFERENCES = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)  # blind to edges and ramps
SIDE = 512  # px; noise is measured in this part of an image
SMOOTHING = 1.5  # px
LEAST_NOISE = 2.4  # mean absolute second difference; 4.8 where pixels scatter by one grey level of 255
LEAST_PIXELS = 2000
CLIPPED = (3, 252)  # of 255; beyond, noise is cut off


def batch(images: NDArray[Any]) -> NDArray[Any]:
    """Add the batch axis to a single image.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)`` or ``(H, W)``.

    Returns
    -------
    ndarray
        ``(N, H, W)``.
    """
    return images[None] if images.ndim == 2 else images


def chunks(images: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Parts of a batch that fit the processor's caches.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)``.

    Yields
    ------
    ndarray
        Views ``(n, H, W)`` of at most ``CHUNK`` images, in order.
    """
    for start in range(0, len(images), CHUNK):
        yield images[start : start + CHUNK]


def has_grey_levels(images: NDArray[Any]) -> bool:
    """Whether images hold grey levels rather than two phases: floating-point arrays do, integers and booleans do not.

    Parameters
    ----------
    images : ndarray
        Of any shape: grey levels in [0, 1], or 0 and 1.

    Returns
    -------
    bool
    """
    return images.dtype.kind == "f"


def micrographs(decoded: NDArray[Any], *, grey: bool) -> NDArray[Any]:
    """Micrographs from a decoder's output.

    Parameters
    ----------
    decoded : ndarray
        ``(B, 1, H, W)`` float32 in [0, 1].
    grey : bool
        Whether the values are grey levels; otherwise they are probabilities of the bright phase.

    Returns
    -------
    ndarray
        ``(B, H, W)``: the grey levels, or the Bernoulli mode (uint8, 0 and 1).
    """
    return decoded[:, 0] if grey else (decoded[:, 0] >= 0.5).astype(np.uint8)


def uniform(images: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether all pixels of an image are equal.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)`` or ``(H, W)``.

    Returns
    -------
    ndarray
        ``(N,)`` bool.
    """
    flat = batch(images).reshape(len(batch(images)), -1)
    return np.asarray(flat.max(axis=1) == flat.min(axis=1))


def resize(image: NDArray[Any], size: int) -> NDArray[np.float32]:
    """Bilinear resize to a square.

    Half-pixel centres and no anti-aliasing, like TensorFlow's ``tf.image.resize``, which prepared the paper's
    patterns: a smaller pattern keeps its photon noise.

    Parameters
    ----------
    image : ndarray
        ``(H, W)`` or ``(H, W, C)``.
    size : int
        Side of the result, px.

    Returns
    -------
    ndarray
        ``(size, size[, C])`` float32.
    """
    source = np.ascontiguousarray(image, dtype=np.float32)
    resized = cv2.resize(source, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.float32).reshape(size, size, *source.shape[2:])


def grey_levels(image: Bytes) -> Bytes:
    """Luma of an image (ITU-R BT.601).

    Parameters
    ----------
    image : ndarray
        ``(H, W, 3)`` RGB or ``(H, W)`` grey, uint8. A fourth channel is ignored.

    Returns
    -------
    ndarray
        ``(H, W)`` uint8; a grey image is returned as it is.
    """
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def crop_positions(
    height: int, width: int, crop: int, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Random positions of square crops, uniform over all that lie inside the image.

    Parameters
    ----------
    height, width : int
        Size of the image, px.
    crop : int
        Side of the crops, px.
    count : int
        How many.
    rng : Generator
        Source of the random numbers.

    Returns
    -------
    ndarray
        ``(count, 2)``: upper left corners (row, column).

    Raises
    ------
    InputError
        The crop does not fit.
    """
    if crop > min(height, width):
        raise InputError(
            expected=f"an image of at least {crop} x {crop} px",
            found=f"{height} x {width}",
            remedy="choose a smaller crop",
        )
    return rng.integers(0, [height - crop + 1, width - crop + 1], size=(count, 2), dtype=np.int64)


def crops(image: NDArray[Any], positions: NDArray[np.int64], crop: int) -> NDArray[Any]:
    """Squares of an image.

    Parameters
    ----------
    image : ndarray
        ``(H, W[, C])``.
    positions : ndarray
        ``(count, 2)``: upper left corners (row, column), px.
    crop : int
        Side of the squares, px.

    Returns
    -------
    ndarray
        ``(count, crop, crop[, C])``, of the dtype of ``image``.

    Raises
    ------
    InputError
        A square extends beyond the edge.
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


def seeded_crops(image: NDArray[Any], crop: int, count: int, seed: int, index: int) -> NDArray[Any]:
    """The fixed evaluation crops of one sample: ``seed + k`` and the sample's ``index`` determine crop k.

    Parameters
    ----------
    image : ndarray
        ``(H, W)``.
    crop, count : int
        Side of the crops (px), and how many.
    seed, index : int
        Seed of the crops, index of the sample.

    Returns
    -------
    ndarray
        ``(count, crop, crop)``.
    """
    height, width = image.shape
    positions = [
        crop_positions(height, width, crop, 1, np.random.default_rng([seed + number, index]))[0]
        for number in range(count)
    ]
    return crops(image, np.array(positions), crop)


def _as_bytes(images: NDArray[Any]) -> Bytes:
    is_grey_uint8 = images.dtype == np.uint8 and images.max(initial=0) > 1
    if is_grey_uint8:
        return np.asarray(images, dtype=np.uint8)
    return np.asarray(np.clip(images.astype(np.float32), 0, 1) * 255 + 0.5, dtype=np.uint8)


def contact_sheet(images: NDArray[Any], columns: int, gap: int = 2) -> Bytes:
    """Tile images into one picture, row by row, with white gaps.

    Parameters
    ----------
    images : ndarray
        ``(N, H, W)`` or ``(N, H, W, 3)``. Grey levels where they are uint8 beyond {0, 1}; otherwise (binary or float)
        values span [0, 1].
    columns : int
        Images in a row, at most.
    gap : int
        Between neighbours, px.

    Returns
    -------
    ndarray
        uint8 ``(rows * (H + gap) - gap, columns * (W + gap) - gap[, 3])``.
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


def noise_asymmetry(grey: NDArray[Any]) -> float:
    """How much noisier the bright parts of an image are than the dark ones: tells a micrograph from its negative.

    Parameters
    ----------
    grey : ndarray
        Grey levels ``(H, W)``, 0 to 255.

    Returns
    -------
    float
        Logarithm of the ratio of the noise in the bright quarter to that in the dark one. Positive for a micrograph
        (0.05 to 0.7 for instruments of five makers), negative for its negative. nan where there is too little noise
        (a binary or smoothed image) or too few flat pixels.
    """
    levels = np.ascontiguousarray(grey[:SIDE, :SIDE], np.float32)
    smooth = cv2.GaussianBlur(levels, (0, 0), SMOOTHING)
    noise = np.abs(cv2.filter2D(levels, -1, SECOND_DIFFERENCES))
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    flat = (slope < np.median(slope)) & (levels > CLIPPED[0]) & (levels < CLIPPED[1])
    low, high = np.percentile(smooth, [25, 75])
    bright, dark = noise[flat & (smooth >= high)], noise[flat & (smooth <= low)]
    if min(len(bright), len(dark)) < LEAST_PIXELS or min(bright.mean(), dark.mean()) < LEAST_NOISE:
        return float("nan")
    return float(np.log(bright.mean() / dark.mean()))
