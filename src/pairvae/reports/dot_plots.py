"""The page's scores as dots: every method of a direction on one line each, with its interval and the floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairvae.reports.captions import METHODS, MODELS, direction_label, is_direction, readable, score_label
from pairvae.reports.score_entries import entries
from pairvae.reports.style import BLACK, BLUE, GREY, panels, styled
from pairvae.reports.tables import lookup

WIDTH, LINE, FRAME = 3.75, 0.21, 0.95  # inches: of a panel, of a method, of title and axis
ENERGY = "energy_score"
MAIN = ("s2_mae", "mae")  # of single predictions: the first that a direction has
KNOWING = "_morphology"  # end of the names of references that know the morphology: no methods


@dataclass(frozen=True)
class Dot:
    """One method: its median (of the energy score the mean), the 95 % ``interval`` where it is known, and whether it
    is the best or not told apart from it."""

    method: str
    value: float
    interval: tuple[float, float] | None
    best: bool

    @property
    def label(self) -> str:
        """Words for the method."""
        return METHODS.get(self.method, readable(self.method))


@dataclass(frozen=True)
class DotPanel:
    """All methods of one ``direction`` by one ``score``, the best first; ``floor``: lower end, middle, upper end."""

    direction: str
    score: str
    dots: tuple[Dot, ...]
    floor: tuple[float, float, float] | None

    @property
    def title(self) -> str:
        """Direction and score in words."""
        return f"{direction_label(self.direction)}: {score_label(self.score)}"


def dot_panels(metrics: Mapping[str, Any]) -> list[DotPanel]:
    """Of each direction between the two modalities the scores that matter most; of ensembles the energy score."""
    validation = lookup(metrics, "splits", "validation") or {}
    known = list(entries(validation))
    found = []
    for direction in dict.fromkeys(entry.direction for entry in known):
        source, target = direction.split("_") if is_direction(direction) else ("", "")
        if source == target:  # a measurement from itself, as the floor is
            continue
        if ensembles := _of_ensembles(metrics, validation, direction):
            found.append(ensembles)
        named = {entry.score for entry in known if entry.direction == direction}
        score = next((name for name in MAIN if name in named), "")
        best = _best(metrics, direction, score)
        dots = [
            Dot(entry.method, float(entry.leaf["median"]), _interval(entry.leaf), entry.method in best)
            for entry in known
            if (entry.direction, entry.score) == (direction, score) and not entry.method.endswith(KNOWING)
        ]
        floor = lookup(validation, "floor", f"{target}_{target}", score)
        band = (floor["q1"], floor["median"], floor["q3"]) if floor else None
        if len(dots) > 1:
            found.append(DotPanel(direction, score, _sorted(dots), band))
    return found


def _of_ensembles(
    metrics: Mapping[str, Any], validation: Mapping[str, Any], direction: str
) -> DotPanel | None:
    scores = {
        name: float(block[ENERGY])
        for name, block in (validation.get("ensembles") or {}).items()
        if isinstance(block, Mapping) and block.get(ENERGY) is not None
    }
    best = _best(metrics, direction, ENERGY)
    if not best or "floor" not in scores:  # the ranking tells the direction that ensembles belong to
        return None
    floor = scores.pop("floor")
    dots = [Dot(name, value, None, name in best) for name, value in scores.items()]
    return DotPanel(direction, ENERGY, _sorted(dots), (floor, floor, floor))


def _sorted(dots: list[Dot]) -> tuple[Dot, ...]:
    return tuple(sorted(dots, key=lambda dot: dot.value))


def _best(metrics: Mapping[str, Any], direction: str, score: str) -> tuple[str, ...]:
    ranking = lookup(metrics, "ranking", "validation", direction, score)
    return (ranking["best"], *ranking["not_told_apart"]) if ranking else ()


def _interval(leaf: Mapping[str, Any]) -> tuple[float, float] | None:
    interval = leaf.get("interval")
    return (float(interval[0]), float(interval[1])) if interval else None


def _draw(axes: Axes, panel: DotPanel) -> None:
    for row, dot in enumerate(panel.dots):
        colour = BLACK if dot.method in MODELS else GREY
        if dot.interval:
            axes.plot(dot.interval, (row, row), color=colour, linewidth=1.6, solid_capstyle="butt")
        face = colour if dot.best else "white"
        axes.plot(dot.value, row, "o", color=colour, markerfacecolor=face, markersize=5, zorder=3)
    if panel.floor:
        low, middle, high = panel.floor
        axes.axvspan(low, high, color=BLUE, alpha=0.12, linewidth=0, zorder=0)
        axes.axvline(middle, color=BLUE, linestyle=(0, (4, 2)), linewidth=1, zorder=1)
    axes.set_yticks(range(len(panel.dots)), [dot.label for dot in panel.dots])
    for tick, dot in zip(axes.get_yticklabels(), panel.dots, strict=True):
        tick.set_fontweight("bold" if dot.method in MODELS else "normal")
    axes.set_ylim(len(panel.dots) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.5)


@styled
def dot_plot(panel: DotPanel) -> Figure:
    """Dots and intervals, the lowest on top: filled where a method is the best or not told apart from it."""
    drawing, grid = panels(1, 1, (WIDTH, FRAME + LINE * len(panel.dots)))
    _draw(grid[0][0], panel)
    drawing.suptitle(panel.title, x=0.02, ha="left", fontsize="medium")  # over the labels too: it is long
    return drawing
