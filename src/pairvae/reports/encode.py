"""Pictures as data URIs, so that the page is one file."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from matplotlib.figure import Figure

from pairvae.reports.content import Array
from pairvae.reports.style import svg_bytes


@dataclass(frozen=True)
class Picture:
    """An image on the page: its data URI, its size in CSS pixels, and the words for it."""

    uri: str
    width: int
    height: int
    caption: str
    alt: str


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _reduced(image: Array, longest: int) -> Array:
    height, width = image.shape[:2]
    ratio = longest / max(height, width)
    if ratio >= 1:
        return image
    size = (max(round(width * ratio), 1), max(round(height * ratio), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def png_picture(image: Array, caption: str, alt: str, longest: int) -> Picture:
    """(h, w) or (3, H, W) in [0, 1] as a PNG whose longer side has at most ``longest`` pixels."""
    levels = np.asarray(np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if levels.ndim == 3:
        levels = np.ascontiguousarray(levels.transpose(1, 2, 0)[..., ::-1])  # OpenCV writes blue, green, red
    small = _reduced(levels, longest)
    black_and_white = small.ndim == 2 and bool(np.isin(small, (0, 255)).all())
    flags = [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_BILEVEL, int(black_and_white)]
    _, encoded = cv2.imencode(".png", small, flags)
    return Picture(_uri("png", encoded.tobytes()), small.shape[1], small.shape[0], caption, alt)


def plot_picture(drawing: Figure, caption: str, alt: str) -> Picture:
    """A figure as an SVG with a transparent ground, at its natural size (96 CSS pixels an inch)."""
    width, height = (round(96 * inches) for inches in drawing.get_size_inches())
    return Picture(_uri("svg+xml", svg_bytes(drawing)), width, height, caption, alt)
