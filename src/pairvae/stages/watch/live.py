"""The live page of a watched folder: one file that holds everything and reads itself anew, without a server."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from jinja2 import Environment, Template

from pairvae import store
from pairvae.modalities import MODALITIES
from pairvae.reports.encode import Picture, png_picture

SHOWN, LONGEST_PX = 24, 192


@dataclass(frozen=True)
class Card:
    """One file on the page: what was measured and predicted, or why it could not be read."""

    name: str
    moment: str
    pictures: tuple[Picture, ...] = ()
    fault: str = ""


@dataclass
class LivePage:
    """``path`` shows the newest files, each with its own pictures in it."""

    path: Path
    place: str

    def __post_init__(self) -> None:
        self.cards: deque[Card] = deque(maxlen=SHOWN)

    def write(self, status: str) -> None:
        """Write the page anew, atomically."""
        html = _template().render(status=status, place=self.place, shown=list(reversed(self.cards)))
        store.write_text(self.path, html)


def pictures(
    given: np.ndarray, predicted: np.ndarray, source: str, to: str, words: str
) -> tuple[Picture, ...]:
    """The prepared input ``(C, H, W)`` and the prediction ``(H, W)`` or ``(C, H, W)``; of a curve, none."""
    shown = []
    for image, name, label in ((given, source, "measured"), (predicted, to, "predicted")):
        if MODALITIES[name].coordinates is None:
            flat = image[0] if image.ndim == 3 and len(image) == 1 else image
            title = f"{label} {MODALITIES[name].title}"
            shown.append(png_picture(flat, f"{title}{words if name == to else ''}", title, LONGEST_PX))
    return tuple(shown)


@cache
def _template() -> Template:
    text = files("pairvae.stages.watch").joinpath("live.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True).from_string(text)
