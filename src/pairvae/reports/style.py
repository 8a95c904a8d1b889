"""One look for all figures, and how a figure is saved: PNG, SVG and its data beside it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from pairvae.reports.report_data import Array, Row
from pairvae.store import atomic_path, write_json
from pairvae.store.picture_files import bar_length
from pairvae.store.rows import write_table

DPI = 300
PANEL = (3.4, 2.45)  # inches, width and height of one plot
# Okabe and Ito's palette, in an order whose greys differ.
BLACK, BLUE, VERMILLION, SKY, ORANGE, GREEN, PURPLE = (
    "#000000", "#0072B2", "#D55E00", "#56B4E9", "#E69F00", "#009E73", "#CC79A7",
)  # fmt: skip
GREY, YELLOW = "#8c8c8c", "#F0E442"
CYCLE = (BLACK, BLUE, VERMILLION, ORANGE, GREEN, PURPLE, SKY)
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (4, 1, 1, 1)),
    (0, (7, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)

# The one look: decorates every function that draws or saves.
styled = rc_context(
    {
        "font.family": "DejaVu Sans",
        "font.size": 8,
        "axes.titlesize": 8.5,
        "axes.labelsize": 8,
        "xtick.labelsize": 7.5,
        "ytick.labelsize": 7.5,
        "legend.fontsize": 7,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.7,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "lines.linewidth": 1.3,
        "svg.hashsalt": "pairvae",  # the same data give the same file
        "svg.fonttype": "path",
    }
)


@dataclass(frozen=True)
class LengthScale:
    """Lengths of an SEM image on an axis: nm where the pixel size is known, otherwise pixels."""

    per_px: float
    unit: str

    @classmethod
    def of(cls, nm_per_px: float | None) -> LengthScale:
        """The scale for a pixel size in nm, or None."""
        return cls(nm_per_px, "nm") if nm_per_px else cls(1.0, "px")


def panels(rows: int, columns: int, size: tuple[float, float] = PANEL) -> tuple[Figure, list[list[Axes]]]:
    """A figure of ``rows`` x ``columns`` plots of ``size`` inches each, and its axes by row and column."""
    drawing = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
    grid = drawing.subplots(rows, columns, squeeze=False)
    return drawing, [list(line) for line in grid]


def show_image(axes: Axes, image: Array, scale: LengthScale | None = None) -> None:
    """An SEM image (h, w) in {0, 1}, bright is white, or a pattern (3, H, W) in [0, 1] in its own colours.

    With a ``scale``, an SEM image has a bar.
    """
    if image.ndim == 3:
        axes.imshow(image.transpose(1, 2, 0).clip(0, 1), interpolation="none")
    else:
        axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="none")
        if scale is not None:
            draw_scale_bar(axes, image.shape[1], scale)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def draw_scale_bar(axes: Axes, width_px: int, scale: LengthScale) -> None:
    """A white bar on black in the lower left corner, with its length."""
    length = bar_length(width_px * scale.per_px)
    bar = length / scale.per_px
    transform = axes.transAxes
    axes.add_patch(Rectangle((0, 0), bar / width_px + 0.08, 0.15, transform=transform, color=BLACK, lw=0))
    axes.add_patch(Rectangle((0.04, 0.03), bar / width_px, 0.02, transform=transform, color="white", lw=0))
    words: dict[str, Any] = {
        "transform": transform,
        "color": "white",
        "fontsize": 6,
        "ha": "center",
        "va": "bottom",
    }
    axes.text(0.04 + bar / width_px / 2, 0.06, f"{length:g} {scale.unit}", **words)


def _take_labels_literally(drawing: Figure) -> None:
    """Draw a dollar sign as one: labels come from outside, and half a formula stops the drawing."""
    for text in drawing.findobj(Text):
        assert isinstance(text, Text)
        if (
            "$" in text.get_text() and "\\mathdefault" not in text.get_text()
        ):  # matplotlib's own powers of ten
            text.set_parse_math(False)


@styled
def svg_bytes(drawing: Figure) -> bytes:
    """A figure as SVG with a transparent ground; the same figure always gives the same bytes."""
    _take_labels_literally(drawing)
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="svg", transparent=True, metadata={"Date": None}, dpi=DPI)
    return buffer.getvalue()


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV, atomically; the columns are those of all rows, in order of appearance."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    write_table(path, rows, columns)


@styled
def save_figure(drawing: Figure, folder: Path, name: str, data: Sequence[Row] | Mapping[str, Any]) -> None:
    """Write ``name.png`` (300 dpi), ``name.svg`` and the data (rows: ``.csv``, a mapping: ``.json``)."""
    _take_labels_literally(drawing)
    with atomic_path(folder / f"{name}.png") as temporary:
        drawing.savefig(temporary, format="png", dpi=DPI)
    drawing.set_layout_engine(None)  # the places are found: no draw to find them again
    with atomic_path(folder / f"{name}.svg") as temporary:
        temporary.write_bytes(svg_bytes(drawing))
    if isinstance(data, Mapping):
        write_json(folder / f"{name}.json", data)
    else:
        write_rows(folder / f"{name}.csv", data)
