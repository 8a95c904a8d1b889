"""Captions above pictures on contact sheets."""

from __future__ import annotations

import cv2
import numpy as np

FONT, SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42
INK = (30, 30, 30)
MARGIN, DESCENT = 2, 6  # px at the left, and below the letters' feet


def write_caption(canvas: np.ndarray, text: str, height: int, colour: tuple[int, int, int] = INK) -> None:
    """Write one line into the first ``height`` rows of ``canvas`` ``(h, w, 3)`` uint8.

    Of a text that is wider than the canvas the end is kept, which tells files of one folder apart. Characters that
    the font does not have become question marks.
    """
    shown = fitting(text.encode("ascii", "replace").decode(), canvas.shape[1] - 2 * MARGIN)
    cv2.putText(canvas, shown, (MARGIN, height - DESCENT), FONT, SCALE, colour, 1, cv2.LINE_AA)


def fitting(text: str, width: int) -> str:
    """As much of the end of ``text`` as is no wider than ``width`` px, after dots where something is left out."""
    for start in range(len(text)):
        kept = f"...{text[start:]}" if start else text
        if cv2.getTextSize(kept, FONT, SCALE, 1)[0][0] <= width:
            return kept
    return ""
