"""Figures 5 and S6 of the paper: mean and standard deviation of S(r) and of the lineal paths over many images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairvae.reports.captions import CURVES, METHODS, direction_label
from pairvae.reports.curves import LINES, VANISHED, in_order, line_of
from pairvae.reports.report_data import Array, Bands, Row
from pairvae.reports.style import GREY, LengthScale, panels, styled

PLANS = ("solo", "pair")
LETTERS = "ABCDEFGH"
PLACES = {"all": "all pairs", "validation": "validation pairs"}


def _shown(lines: Mapping[str, Array], plan: str) -> dict[str, Array]:
    return {key: lines[key] for key in in_order(lines) if key == "true" or key.startswith(plan)}


def _draw_bands(axes: Axes, kind: str, lines: Mapping[str, Array], scale: LengthScale) -> None:
    alive = 1
    for key, values in lines.items():
        mean, spread = np.asarray(values)
        distance = np.arange(len(mean)) * scale.per_px
        look = LINES[line_of(key)]
        if key == "true":
            axes.fill_between(distance, mean - spread, mean + spread, color=GREY, alpha=0.28, lw=0)
        else:  # edges alone, so that one band does not hide another
            for edge in (mean - spread, mean + spread):
                axes.plot(distance, edge, **{**look, "linewidth": 0.8})
        label = "true" if key == "true" else direction_label(key.partition("/")[2])
        axes.plot(distance, mean, label=label, **look)
        above = np.flatnonzero(mean + spread > VANISHED * mean.max())
        alive = max(alive, len(mean) - 1 if kind == "s2" else int(above[-1]) + 1)
    fact = CURVES[kind]
    axes.set(xlabel=f"{fact.distance} ({scale.unit})", ylabel=f"{fact.value}, mean ± s.d.")
    axes.set_xlim(0, alive * scale.per_px)
    axes.set_ylim(bottom=0)


@styled
def bands(curve_bands: Bands, kinds: Sequence[str], nm_per_px: float | None) -> Figure:
    """Columns are the models alone and the pair; rows are kinds of curve over all, then over validation pairs."""
    scale = LengthScale.of(nm_per_px)
    rows = [
        (kind, split) for kind in kinds for split in ("all", "validation") if curve_bands[kind].get(split)
    ]
    drawing, grid = panels(len(rows), len(PLANS), (3.1, 2.3))
    letters = iter(LETTERS)
    for (kind, split), line in zip(rows, grid, strict=True):
        for plan, axes in zip(PLANS, line, strict=True):
            _draw_bands(axes, kind, _shown(curve_bands[kind][split], plan), scale)
            words = "" if kind == "s2" else f", {CURVES[kind].title.rpartition(' ')[2]}"
            axes.set_title(f"{next(letters)}  {METHODS[plan]}{words}: {PLACES[split]}", loc="left")
            axes.legend(loc="upper right")
    return drawing


def band_rows(curve_bands: Bands, kinds: Sequence[str], nm_per_px: float | None) -> list[Row]:
    """Tidy data: kind, split, curve, distance, mean, standard deviation."""
    scale = LengthScale.of(nm_per_px)
    return [
        {
            "kind": kind,
            "split": split,
            "curve": key,
            f"distance_{scale.unit}": round(index * scale.per_px, 6),
            "mean": float(mean),
            "sd": float(spread),
        }
        for kind in kinds
        for split, lines in curve_bands[kind].items()
        for key, values in lines.items()
        for index, (mean, spread) in enumerate(np.asarray(values).T)
    ]
