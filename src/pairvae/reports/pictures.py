"""Figures made of images: four-way reconstructions and the sheets of true beside predicted crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pairvae.reports.captions import direction_label, readable
from pairvae.reports.report_data import Array, Example, Sheet
from pairvae.reports.style import LengthScale, panels, show_image, styled

TILE = (1.25, 1.32)  # inches
GAP_PX, GAP_LEVEL = 10, 0.55


def four_way(example: Example, plan: str) -> list[tuple[str, Array]]:
    """Captions and images of one pair in the order of the paper's Figure 4A, without missing directions."""
    tiles: list[tuple[str, Array]] = []
    name_of_image = example.technique
    for truth, name, directions in (
        (example.saxs, "true SAXS", ("saxs_saxs", f"{name_of_image}_saxs")),
        (
            example.sem,
            f"true {name_of_image.upper()}",
            (f"{name_of_image}_{name_of_image}", f"saxs_{name_of_image}"),
        ),
    ):
        tiles.append((name, truth))
        for direction in directions:
            image = example.images.get(f"{plan}/{direction}")
            if image is not None:
                tiles.append((direction_label(direction), image))
    return tiles


@styled
def reconstructions(examples: Sequence[Example], plan: str, nm_per_px: float | None = None) -> Figure:
    """Rows are examples; columns are the true images and what ``plan`` ("solo" or "pair") makes of them.

    True images have a scale bar.
    """
    rows = [four_way(example, plan) for example in examples]
    drawing, grid = panels(len(rows), max(len(row) for row in rows), TILE)
    for example, tiles, line in zip(examples, rows, grid, strict=True):
        for axes in line[len(tiles) :]:
            axes.set_axis_off()
        for (caption, image), axes in zip(tiles, line, strict=False):
            show_image(axes, image, LengthScale.of(nm_per_px) if image is example.sem else None)
            if line is grid[0]:
                axes.set_title(caption)
        line[0].set_ylabel(readable(example.title))
    return drawing


def reconstruction_data(examples: Sequence[Example], plan: str) -> dict[str, Any]:
    """Which pair stands in which row and what the columns show."""
    return {
        "plan": plan,
        "rows": [
            {
                "id": example.id,
                "morphology": example.morphology,
                "split": example.split,
                "columns": [caption for caption, _ in four_way(example, plan)],
            }
            for example in examples
        ],
    }


def montage(crops: Array, columns: int = 4) -> Array:
    """(n, h, w) in [0, 1] as one image, at most ``columns`` crops wide with mid-grey gaps between them."""
    count, height, width = crops.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    shape = (rows * (height + GAP_PX) - GAP_PX, columns * (width + GAP_PX) - GAP_PX)
    sheet = np.full(shape, GAP_LEVEL, dtype=np.float32)
    for index, crop in enumerate(crops):
        top, left = (index // columns) * (height + GAP_PX), (index % columns) * (width + GAP_PX)
        sheet[top : top + height, left : left + width] = crop
    return sheet


@styled
def look_alikes(title: str, sheet: Sheet, nm_per_px: float | None = None) -> Figure:
    """Sixteen true crops on the left, sixteen predicted ones on the right, of validation pairs, with scale bars."""
    drawing, grid = panels(1, 2, (3.55, 3.75))
    for axes, side in zip(grid[0], ("true", "predicted from SAXS"), strict=True):
        crops = sheet["true"] if side == "true" else sheet["predicted"]
        show_image(axes, montage(np.asarray(crops)), LengthScale.of(nm_per_px))
        axes.set_title(f"{readable(title)}, {side}")
    return drawing


def look_alike_data(title: str, sheet: Sheet) -> dict[str, Any]:
    """How many crops of which size the sheet shows."""
    return {
        side: {"morphology": title, "shape": list(np.asarray(sheet[side]).shape)}
        for side in ("true", "predicted")
    }
