"""Binarisation of micrographs: the paper's recipe, other thresholds, and how much of the result is noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pairvae.errors import InputError
from pairvae.numerics.images import Bytes, grey_levels

WINDOW_PX = 15
OFFSET = 2.0
SHADING_SIDE, SHADING_SHARE = 128, 0.125  # px of the shrunk image; the blur's sigma over its shorter side
UNDECIDED = 1.5  # standard deviations of the noise within which a pixel could as well be of the other phase
SECOND_DIFFERENCES = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)  # of norm 6
MEDIAN_OF_NORMAL = 0.6745  # of the absolute value of a normal variable
Levels = NDArray[Any]


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


def _local_mean(grey: Bytes, window_px: int, offset: float) -> Levels:
    mean = cv2.blur(grey.astype(np.float32), (window_px, window_px), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(mean - np.float32(offset))


def _skimage(name: str, *, local: bool = False) -> Callable[[Bytes, int, float], Levels]:
    def level(grey: Bytes, window_px: int, offset: float) -> Levels:
        from skimage import filters

        method = getattr(filters, f"threshold_{name}")
        if local:
            return np.asarray(method(grey, window_size=window_px))
        return np.asarray(method(grey) if grey.min() < grey.max() else grey.min())

    return level


LEVELS: dict[str, Callable[[Bytes, int, float], Levels]] = {
    "adaptive": _local_mean,
    "otsu": _skimage("otsu"),
    "li": _skimage("li"),
    "triangle": _skimage("triangle"),
    "mean": lambda grey, window_px, offset: np.asarray(np.mean(grey)),
    "niblack": _skimage("niblack", local=True),
    "sauvola": _skimage("sauvola", local=True),
}
THRESHOLDS = tuple(LEVELS)


def threshold(grey: Bytes, method: str, window_px: int = WINDOW_PX, offset: float = OFFSET) -> Bytes:
    """Bright phase of grey levels (paper, Figure S2).

    Parameters
    ----------
    grey : ndarray
        ``(H, W)`` uint8.
    method : str
        One of ``THRESHOLDS``. ``adaptive``, ``niblack`` and ``sauvola`` compare a pixel with its window, the
        others with one level for the image.
    window_px : int
        Side of the window, px; odd.
    offset : float
        Grey levels, taken from the mean of ``adaptive``.

    Returns
    -------
    ndarray
        ``(H, W)`` uint8 in {0, 1}.

    Raises
    ------
    InputError
        An unknown method.
    """
    if method not in LEVELS:
        raise InputError(expected=f"a threshold among {', '.join(LEVELS)}", found=repr(method))
    if method == "adaptive":
        return _adaptive(grey, window_px, offset)
    return np.asarray(grey > LEVELS[method](grey, window_px, offset), dtype=np.uint8)


def binarise_sem(
    image: Bytes,
    *,
    blur_px: int = 5,
    blur_sigma: float = 1.0,
    window_px: int = WINDOW_PX,
    offset: float = OFFSET,
    method: str = "adaptive",
) -> Bytes:
    """Bright phase of a micrograph, by the paper's recipe (Method).

    Gaussian blur, grey, threshold, and the same blur once more of the 0/1 image, whose rounding removes single pixels
    and keeps it 0/1.

    Parameters
    ----------
    image : ndarray
        ``(H, W)`` grey or ``(H, W, 3)`` RGB, uint8.
    blur_px, blur_sigma : int, float
        Side (odd, px) and width (px) of the blur; a side of 1 leaves both blurs out.
    window_px : int
        Side (odd, px) of the window of local thresholds.
    offset : float
        Grey levels, taken from the mean of the adaptive threshold.
    method : str
        One of ``THRESHOLDS``; the paper's is ``adaptive``.

    Returns
    -------
    ndarray
        ``(H, W)`` uint8 in {0, 1}.

    Raises
    ------
    InputError
        An even window or blur, or an unknown method.
    """
    _check_odd("window", window_px, 3)
    _check_odd("blur", blur_px, 1)
    grey = grey_levels(_blurred(image, blur_px, blur_sigma))
    return _blurred(threshold(grey, method, window_px, offset), blur_px, blur_sigma)


def flattened(grey: Bytes) -> Bytes:
    """Grey levels without slow changes of brightness (shading correction).

    Minus their :func:`background`. The mean of the whole image stays, and so does its contrast.

    Parameters
    ----------
    grey : ndarray
        ``(H, W)`` uint8.

    Returns
    -------
    ndarray
        ``(H, W)`` uint8.
    """
    slow = background(grey)
    return np.asarray(np.clip(grey - slow + float(grey.mean()) + 0.5, 0, 255), dtype=np.uint8)


def background(grey: Levels) -> Levels:
    """Slow changes of brightness: a Gaussian mean of 1/8 of the shorter side.

    Parameters
    ----------
    grey : ndarray
        ``(H, W)`` uint8 or float32.

    Returns
    -------
    ndarray
        ``(H, W)`` float32, in the unit of ``grey``.
    """
    height, width = grey.shape
    factor = min(1.0, SHADING_SIDE / min(height, width))
    small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.float32)
    slow = cv2.GaussianBlur(small, (0, 0), SHADING_SHARE * min(small.shape), borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(slow, (width, height), interpolation=cv2.INTER_LINEAR))


def noise_level(grey: Bytes) -> float:
    """Standard deviation of the pixel noise.

    From the median of second differences along both axes, which leave out what varies smoothly (Immerkaer,
    Comput. Vis. Image Underst. 64, 300 (1996)).

    Parameters
    ----------
    grey : ndarray
        ``(H, W)``.

    Returns
    -------
    float
        In grey levels; 0 for an image of fewer than 3 rows or columns.
    """
    if min(grey.shape) < 3:
        return 0.0
    residue = np.abs(cv2.filter2D(grey.astype(np.float32), -1, SECOND_DIFFERENCES)[1:-1, 1:-1])
    return float(np.median(residue)) / (6 * MEDIAN_OF_NORMAL)


def noise_share(
    image: Bytes,
    *,
    blur_px: int = 5,
    blur_sigma: float = 1.0,
    window_px: int = WINDOW_PX,
    offset: float = OFFSET,
    method: str = "adaptive",
) -> float:
    """Share of the pixels whose phase :func:`binarise_sem` gives by chance.

    Those are closer to the threshold than 1.5 standard deviations of the noise that the blur leaves.

    Parameters
    ----------
    image, blur_px, blur_sigma, window_px, offset, method
        As of :func:`binarise_sem`.

    Returns
    -------
    float
        In [0, 1]: 0.87 for a plain noise image, about 0.2 for a published micrograph.
    """
    grey = grey_levels(image)
    kernel = cv2.getGaussianKernel(blur_px, blur_sigma)
    noise = noise_level(grey) * float(np.sum(kernel**2))
    blurred = cv2.GaussianBlur(grey.astype(np.float32), (blur_px, blur_px), blur_sigma)
    level = LEVELS[method](np.asarray(np.rint(blurred), np.uint8), window_px, offset)
    return float(np.mean(np.abs(blurred - level) < UNDECIDED * noise))


@dataclass(frozen=True)
class Comparison:
    """A part of a micrograph under every threshold.

    Parameters
    ----------
    grey : ndarray
        The part, ``(h, w)`` uint8.
    binary : dict of ndarray
        The same binarised, by method.
    fractions : dict of float
        Share of bright pixels of the whole micrograph, by method.
    """

    grey: np.ndarray
    binary: dict[str, np.ndarray]
    fractions: dict[str, float]


def compare(grey: np.ndarray, blur_px: int, blur_sigma: float, crop: int) -> Comparison:
    """Every method on a whole micrograph, blurred before and after as the paper's recipe does.

    Parameters
    ----------
    grey : ndarray
        ``(H, W)`` uint8.
    blur_px, blur_sigma : int, float
        Side (odd, px) and width (px) of the blur.
    crop : int
        Side of the central square that is shown, px; smaller where the image is.

    Returns
    -------
    Comparison
        That square under every method, and the phase fractions.
    """
    blurred = _blur(grey, blur_px, blur_sigma)
    binaries = {method: _blur(threshold(blurred, method), blur_px, blur_sigma) for method in THRESHOLDS}
    side = min(crop, *grey.shape)
    top, left = ((length - side) // 2 for length in grey.shape)
    part = np.s_[top : top + side, left : left + side]
    return Comparison(
        grey=grey[part],
        binary={method: image[part] for method, image in binaries.items()},
        fractions={method: float(image.mean()) for method, image in binaries.items()},
    )


def _blur(image: np.ndarray, blur_px: int, sigma: float) -> np.ndarray:
    source = np.ascontiguousarray(image)
    return np.asarray(cv2.GaussianBlur(source, (blur_px, blur_px), sigma), dtype=np.uint8)
