"""Captions and scale bars of pictures."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT, SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42
INK = (30, 30, 30)
MARGIN, DESCENT = 2, 6  # px at the left, and below the letters' feet
BAR_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
BAR_SHARE = 0.35  # longest scale bar, of the image's width
BAR_PX, BAR_BOX, BAR_SCALE = 3, 22, 0.36  # thickness, height with its label, size of the label's letters
LETTER_PX = 13  # height of the letters that OpenCV's font does not have


def write_caption(canvas: np.ndarray, text: str, height: int, colour: tuple[int, int, int] = INK) -> None:
    """Write one line into the first ``height`` rows of ``canvas`` ``(h, w, 3)`` uint8.

    Of a text that is wider than the canvas the end is kept, which tells files of one folder apart. Letters that no
    font has are written as their numbers (``\\u4e00``).
    """
    known = "".join(char if _drawable(char) else ascii(char)[1:-1] for char in text)
    shown = fitting(known, canvas.shape[1] - 2 * MARGIN)
    if shown.isascii():
        cv2.putText(canvas, shown, (MARGIN, height - DESCENT), FONT, SCALE, colour, 1, cv2.LINE_AA)
        return
    picture = Image.fromarray(canvas[:height])
    foot = (MARGIN, height - DESCENT)
    ImageDraw.Draw(picture).text(foot, shown, fill=colour, font=_wide_font(), anchor="ls")
    canvas[:height] = np.asarray(picture)


def fitting(text: str, width: int) -> str:
    """As much of the end of ``text`` as is no wider than ``width`` px, after dots where something is left out."""
    for start in range(len(text)):
        kept = f"...{text[start:]}" if start else text
        if _width(kept) <= width:
            return kept
    return ""


def _width(text: str) -> float:
    if text.isascii():
        return float(cv2.getTextSize(text, FONT, SCALE, 1)[0][0])
    return _wide_font().getlength(text)


@cache
def _wide_font() -> ImageFont.FreeTypeFont:
    """The font that Matplotlib brings along: Latin, Greek, Cyrillic and more."""
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None  # a dependency
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), LETTER_PX)


@cache
def _drawable(char: str) -> bool:
    """Whether a font has the letter: one that it lacks is drawn as the box of any other that it lacks."""
    if char.isascii():
        return char.isprintable()
    font = _wide_font()
    return char.isprintable() and bytes(font.getmask(char)) != bytes(font.getmask("\ufffe"))


def bar_length(width: float) -> float:
    """The longest round length, in the unit of ``width``, that fits the scale bar of an image so wide."""
    return max((length for length in BAR_LENGTHS if length <= BAR_SHARE * width), default=BAR_SHARE * width)


def write_scale_bar(canvas: np.ndarray, nm_per_px: float) -> None:
    """Draw a white bar on black with its length into the lower left corner of ``canvas`` ``(h, w, 3)`` uint8."""
    length = bar_length(canvas.shape[1] * nm_per_px)
    bar, text = max(round(length / nm_per_px), 1), f"{length:.3g} nm"
    words = cv2.getTextSize(text, FONT, BAR_SCALE, 1)[0][0]
    top = canvas.shape[0] - BAR_BOX
    canvas[top:, : max(bar, words) + 2 * DESCENT] = 0
    canvas[-DESCENT - BAR_PX : -DESCENT, DESCENT : DESCENT + bar] = 255
    foot = (DESCENT, canvas.shape[0] - DESCENT - BAR_PX - 3)
    cv2.putText(canvas, text, foot, FONT, BAR_SCALE, (255, 255, 255), 1, cv2.LINE_AA)
