"""Pictures as data URIs, so that the page is one file."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from pairvae.reports.report_data import Array
from pairvae.reports.style import DPI, svg_bytes

CSS_DPI = 96
POINTS = 72  # an inch
SVG_SIZE = re.compile(rb'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt"')
WEBP_QUALITY = 80


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


def saved_image(path: Path, alt: str) -> Picture:
    """A saved figure that holds images, as WebP at its natural size, two pixels for one on the page."""
    levels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if levels is None:
        raise ValueError(f"{path} is no image")
    width, height = (round(side * CSS_DPI / DPI) for side in (levels.shape[1], levels.shape[0]))
    small = cv2.resize(levels, (2 * width, 2 * height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])
    return Picture(_uri("webp", encoded.tobytes()), width, height, "", alt)


def saved_plot(path: Path, alt: str) -> Picture:
    """A saved figure without images: its SVG, at its natural size."""
    content = path.read_bytes()
    size = SVG_SIZE.search(content)
    if size is None:
        raise ValueError(f"{path} has no size in points")
    width, height = (round(float(side) * CSS_DPI / POINTS) for side in size.groups())
    return Picture(_uri("svg+xml", content), width, height, "", alt)


def plot_picture(drawing: Figure, caption: str, alt: str) -> Picture:
    """A figure as an SVG with a transparent ground, at its natural size (96 CSS pixels an inch)."""
    width, height = (round(CSS_DPI * inches) for inches in drawing.get_size_inches())
    return Picture(_uri("svg+xml", svg_bytes(drawing)), width, height, caption, alt)
