"""The pair's latent map, coloured by what is known of the samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairvae.reports.latent_figures import COLOURS, MARKERS
from pairvae.reports.report_data import Array, Maps
from pairvae.reports.style import GREY, panels, styled

PANEL_IN = 3.0
MOST = 6
SIZE = 14.0


@styled
def condition_maps(maps: Maps) -> Figure:
    """A panel for each of the first six conditions: a number as a shade, a word as a colour, grey: not known."""
    (joint,) = [latent_map for latent_map in maps.maps if latent_map.joint]
    names = list(maps.conditions)[:MOST]
    columns = min(2, len(names))
    drawing, grid = panels(-(-len(names) // columns), columns, (PANEL_IN + 0.6, PANEL_IN))
    all_axes = [axes for line in grid for axes in line]
    for axes in all_axes[len(names) :]:
        axes.set_axis_off()
    for name, axes in zip(names, all_axes, strict=False):
        _draw(drawing, axes, joint.points, name, maps.conditions[name])
        axes.set_title(_title(name, maps.correlations), loc="left")
    return drawing


def _title(name: str, correlations: Mapping[str, Mapping[str, float]]) -> str:
    scores = correlations.get(name, {})
    text = ", ".join(f"{key.upper()} {value:.2f}" for key, value in scores.items() if key != "n")
    return f"{name} (R²: {text})" if text else name


def _draw(
    drawing: Figure,
    axes: Axes,
    points: Mapping[str, Array],
    name: str,
    values: tuple[float | str | None, ...],
) -> None:
    numbers = not any(isinstance(value, str) for value in values)
    known = np.array([value is not None for value in values])
    words = sorted({str(value) for value in values if value is not None})
    for modality, coordinates in points.items():
        look: dict[str, Any] = {"marker": MARKERS.get(modality, "o"), "s": SIZE}
        x, y = coordinates.T
        axes.scatter(x[~known], y[~known], facecolors="none", edgecolors=GREY, linewidths=0.6, **look)
        if numbers:
            shades = np.array([value for value in values if value is not None], float)
            drawn = axes.scatter(x[known], y[known], c=shades, cmap="viridis", **look)
            continue
        for word, colour in zip(words, COLOURS, strict=False):
            rows = [row for row, value in enumerate(values) if value == word]
            axes.scatter(x[rows], y[rows], color=colour, label=word, **look)
    if numbers and known.any():
        drawing.colorbar(drawn, ax=axes, shrink=0.8, label=name)
    elif words:
        handles, labels = axes.get_legend_handles_labels()
        shown = dict(zip(labels, handles, strict=True))
        axes.legend(shown.values(), shown.keys(), loc="best")
    axes.set(xticks=[], yticks=[])
