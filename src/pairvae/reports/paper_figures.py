"""Figures 1, 3, 4, S4 and S5 of the paper: examples of each morphology, annotated and reconstructed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairvae.reports.captions import readable
from pairvae.reports.curves import draw_curves, line_of
from pairvae.reports.pictures import four_way
from pairvae.reports.report_data import Array, Example, Row
from pairvae.reports.style import BLACK, YELLOW, LengthScale, draw_scale_bar, panels, show_image, styled

TILE_IN, PLOT_IN = 1.2, 1.9  # widths of an image and of a plot
BESIDE_IMAGES = ("s2", "lineal_vertical")


def _annotate(axes: Axes, example: Example, scale: LengthScale) -> None:
    height, width = example.sem.shape
    draw_scale_bar(axes, width, scale)
    words = []
    if example.spacing_px:
        words.append(f"spacing {example.spacing_px * scale.per_px:.3g} {scale.unit}")
        centre, half = width / 2, 5 * example.spacing_px / 2
        ink: dict[str, Any] = {"color": YELLOW, "linewidth": 1.0}
        axes.fill_betweenx([0, 0.115 * height], centre - half - 5, centre + half + 5, color=BLACK, lw=0)
        axes.plot([centre - half, centre + half], [0.06 * height] * 2, **ink)
        for period in np.linspace(centre - half, centre + half, 6):
            axes.plot([period, period], [0.03 * height, 0.09 * height], **ink)
    if example.phase_fraction is not None:
        words.append(f"bright {example.phase_fraction:.0%}")
    axes.set_xlabel("\n".join(words), fontsize=7, labelpad=2)


def _show_pattern(axes: Axes, pattern: Array, q_per_px: float | None) -> None:
    show_image(axes, pattern)
    if q_per_px:
        side = pattern.shape[-1]
        reach = side / 2 * q_per_px
        axes.images[0].set_extent((-reach, reach, -reach, reach))
        tick = float(f"{reach * 0.6:.1g}")
        axes.set(xticks=[-tick, 0, tick], yticks=[-tick, 0, tick], xlim=(-reach, reach), ylim=(-reach, reach))
        axes.tick_params(labelsize=6, length=2, pad=1)
        axes.set_xlabel("q (1/nm)", fontsize=7, labelpad=1)


@styled
def figure_1(examples: Sequence[Example], nm_per_px: float | None, q_per_px: float | None) -> Figure:
    """Per morphology: the measured pattern, a crop, and the crop with scale bar, five spacings, bright share."""
    scale = LengthScale.of(nm_per_px)
    drawing, grid = panels(len(examples), 3, (1.75, 1.95))
    for example, line in zip(examples, grid, strict=True):
        _show_pattern(line[0], example.saxs, q_per_px)
        for axes in line[1:]:
            show_image(axes, example.sem)
        _annotate(line[2], example, scale)
        line[0].set_ylabel(readable(example.title), fontsize=9)
    name = examples[0].technique.upper()
    for axes, title in zip(grid[0], ("A  SAXS pattern", f"B  {name} crop", "C  annotated"), strict=True):
        axes.set_title(title, loc="left")
    return drawing


def figure_1_rows(examples: Sequence[Example], nm_per_px: float | None) -> list[Row]:
    """Which pair stands for each morphology, with its phase fraction and domain spacing."""
    scale = LengthScale.of(nm_per_px)
    rows: list[Row] = []
    for example in examples:
        row: Row = {"id": example.id, "morphology": example.morphology or "", "split": example.split}
        if example.phase_fraction is not None:
            row["phase_fraction"] = round(example.phase_fraction, 5)
        if example.spacing_px:
            row[f"spacing_{scale.unit}"] = round(example.spacing_px * scale.per_px, 4)
        rows.append(row)
    return rows


def _lines(plan: str) -> tuple[str, ...]:
    return ("true", f"{plan}/same", f"{plan}/other")


@styled
def reconstructions_and_curves(examples: Sequence[Example], plan: str, nm_per_px: float | None) -> Figure:
    """The paper's Figure 3 (``plan`` "solo") or 4 ("pair"): images, S(r) and vertical lineal path by example."""
    tiles = [four_way(example, plan) for example in examples]
    columns = max(len(row) for row in tiles)
    kinds = [kind for kind in BESIDE_IMAGES if all(example.curves.get(kind) for example in examples)]
    width = columns * TILE_IN + len(kinds) * PLOT_IN
    drawing = Figure(figsize=(width, 1.45 * len(examples) + 0.3), layout="constrained")
    ratios = [TILE_IN] * columns + [PLOT_IN] * len(kinds)
    grid = drawing.subplots(len(examples), columns + len(kinds), squeeze=False, width_ratios=ratios)
    for number, (example, row, line) in enumerate(zip(examples, tiles, grid, strict=True)):
        for axes in line[len(row) : columns]:
            axes.set_axis_off()
        for (caption, image), axes in zip(row, line, strict=False):
            show_image(axes, image)
            if number == 0:
                axes.set_title(caption)
        line[0].set_ylabel(readable(example.title))
        for kind, axes in zip(kinds, line[columns:], strict=True):
            draw_curves(axes, kind, example.curves[kind], LengthScale.of(nm_per_px), _lines(plan))
            if example is not examples[-1]:
                axes.set_xlabel("")
    if kinds:
        handles, labels = grid[0][-1].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside lower right", ncols=len(labels))
    return drawing


@styled
def horizontal_paths(examples: Sequence[Example], plan: str, nm_per_px: float | None) -> Figure:
    """The paper's Figure S4 (``plan`` "solo") or S5 ("pair"): horizontal lineal path of each example."""
    drawing, grid = panels(1, len(examples), (2.3, 2.1))
    for example, axes in zip(examples, grid[0], strict=True):
        curves = example.curves.get("lineal_horizontal")
        if curves:
            draw_curves(axes, "lineal_horizontal", curves, LengthScale.of(nm_per_px), _lines(plan))
        axes.set_title(readable(example.title), loc="left")
        if axes is not grid[0][0]:
            axes.set_ylabel("")
    handles, labels = grid[0][0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=max(len(labels), 1))
    return drawing


def plan_rows(rows: Sequence[Row], plan: str, kinds: Sequence[str]) -> list[Row]:
    """Of ``curve_rows`` what a figure of ``plan`` shows."""
    lines = (*_lines(plan), "floor_low", "floor_high")
    return [row for row in rows if line_of(str(row["curve"])) in lines and row["kind"] in kinds]
