"""The live page of a watched folder: one file that holds everything and reads itself anew, without a server."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
from jinja2 import Environment, Template

from pairvae import store
from pairvae.modalities import MODALITIES
from pairvae.reports.encode import Picture, png_picture
from pairvae.store.rows import Row

SHOWN, LONGEST_PX = 24, 192
SIZES = {"spacing_nm": "nm", "domain_spacing_px": "px"}


@dataclass
class Card:
    """One file on the page: what was measured and predicted (as ``draw`` makes it), or why it could not be read."""

    name: str
    moment: str
    draw: Callable[[], tuple[Picture, ...]] = tuple
    fault: str = ""

    @cached_property
    def pictures(self) -> tuple[Picture, ...]:
        """Drawn when the page is written: the table does not wait for it, and most of a burst is never shown."""
        return self.draw()


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
    given: np.ndarray, predicted: np.ndarray, source: str, to: str, shows: str
) -> tuple[Picture, ...]:
    """The prepared input ``(C, H, W)`` and the prediction ``(H, W)`` or ``(C, H, W)``; of a curve, none."""
    shown = []
    for image, name, label in ((given, source, "measured"), (predicted, to, "predicted")):
        if MODALITIES[name].coordinates is None:
            flat = image[0] if image.ndim == 3 and len(image) == 1 else image
            title = f"{label} {MODALITIES[name].title}"
            shown.append(png_picture(flat, f"{title}{shows if name == to else ''}", title, LONGEST_PX))
    return tuple(shown)


def words(row: Row) -> str:
    """What the first prediction shows, for its caption, and whether the input is unlike the training data."""
    size = next((f"{row[key]} {unit}" for key, unit in SIZES.items() if row.get(key)), "")
    told = f": spacing {size}" if size else ""
    return f"{told}; unlike the training data" if row.get("unlike") is True else told


@cache
def _template() -> Template:
    text = files("pairvae.commands.watch").joinpath("live.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True).from_string(text)
