"""Ways to binarise a micrograph, side by side (paper, Figure S2)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pairvae.numerics.thresholds import THRESHOLDS, threshold


@dataclass(frozen=True)
class Comparison:
    """A part of a micrograph ``(h, w)`` uint8, binarised by method, and each method's share of bright pixels of all."""

    grey: np.ndarray
    binary: dict[str, np.ndarray]
    fractions: dict[str, float]


def compare(grey: np.ndarray, blur_px: int, blur_sigma: float, crop: int) -> Comparison:
    """Every method on a whole micrograph ``(H, W)`` uint8, blurred before and after as the paper's recipe does.

    The part that is shown is the central square of ``crop`` px (smaller where the image is).
    """
    blurred = _blur(grey, blur_px, blur_sigma)
    found = {method: _blur(threshold(blurred, method), blur_px, blur_sigma) for method in THRESHOLDS}
    side = min(crop, *grey.shape)
    top, left = ((length - side) // 2 for length in grey.shape)
    part = np.s_[top : top + side, left : left + side]
    return Comparison(
        grey=grey[part],
        binary={method: image[part] for method, image in found.items()},
        fractions={method: float(image.mean()) for method, image in found.items()},
    )


def _blur(image: np.ndarray, blur_px: int, sigma: float) -> np.ndarray:
    source = np.ascontiguousarray(image)
    return np.asarray(cv2.GaussianBlur(source, (blur_px, blur_px), sigma), dtype=np.uint8)
