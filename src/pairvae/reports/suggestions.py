"""The page of `pairvae suggest`: the map of all samples, and a card for each one to measure next."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure

from pairvae.reports.encode import Picture, plot_picture, png_picture
from pairvae.reports.style import BLUE, GREY, VERMILLION, panels, styled
from pairvae.store import write_text

SIDE = 192
MAP_IN = 5.2


@dataclass(frozen=True)
class Card:
    """One sample to measure: its prepared ``given`` array, ``images`` that are predicted from it, words."""

    id: str
    reason: str
    facts: tuple[str, ...]
    given: np.ndarray
    images: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Suggestions:
    """``measured`` ``(N, 2)`` and ``candidates`` ``(M, 2)`` on the map, of which ``chosen`` are to be measured in this
    order; ``errors`` and ``advice`` in words."""

    title: str
    measured: np.ndarray
    candidates: np.ndarray
    chosen: tuple[int, ...]
    ids: tuple[str, ...]
    cards: tuple[Card, ...]
    errors: tuple[str, ...]
    advice: str
    source: str
    target: str


@styled
def suggestion_map(content: Suggestions) -> Figure:
    """All samples on the principal plane of their features; the chosen ones are numbered in their order."""
    drawing, grid = panels(1, 1, (MAP_IN, 0.75 * MAP_IN))
    axes = grid[0][0]
    rest = np.setdiff1d(np.arange(len(content.candidates)), content.chosen)
    axes.plot(*content.candidates[rest].T, "o", color=GREY, markersize=3, markerfacecolor="none",
              label=f"no partner ({len(rest)})")  # fmt: skip
    axes.plot(*content.measured.T, "s", color=BLUE, markersize=4, label=f"measured ({len(content.measured)})")
    chosen = content.candidates[list(content.chosen)]
    axes.plot(*chosen.T, "o", color=VERMILLION, markersize=11, label=f"measure next ({len(chosen)})")
    for number, (x, y) in enumerate(chosen, 1):
        axes.annotate(str(number), (x, y), color="white", ha="center", va="center", fontsize=8, weight="bold")
    axes.set(
        xticks=[], yticks=[], xlabel="first principal axis of the features", ylabel="second principal axis"
    )
    drawing.legend(loc="outside lower center", ncols=3)
    return drawing


def card_pictures(card: Card, source: str, target: str) -> tuple[Picture, ...]:
    """The measurement and what is predicted from it; curves are left to the table."""
    arrays = [(card.given, f"its {source}"), *((image, f"predicted {target}") for image in card.images)]
    shown = []
    for array, words in arrays:
        image = array[0] if array.ndim == 3 and len(array) == 1 else array
        if image.shape[-2] > 1:
            side = min(image.shape[-2:], default=SIDE)
            cut = image[..., : min(side, 2 * SIDE), : min(side, 2 * SIDE)]
            shown.append(png_picture(cut, words, f"{card.id}: {words}", SIDE))
    return tuple(shown)


def render(content: Suggestions) -> str:
    """The page as HTML, one file."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = files("pairvae.reports").joinpath("suggestions.html").read_text(encoding="utf-8")
    alt = f"Map of {len(content.measured)} measured samples and {len(content.candidates)} without a partner"
    return environment.from_string(text).render(
        content=content,
        map=plot_picture(suggestion_map(content), "", alt),
        cards=[(card, card_pictures(card, content.source, content.target)) for card in content.cards],
    )


def write_suggestions(content: Suggestions, path: Path) -> Path:
    """Write the page; returns ``path``."""
    write_text(path, render(content))
    return path
