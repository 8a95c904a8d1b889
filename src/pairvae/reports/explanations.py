"""An explanation drawn over its measurement: what moved each predicted descriptor, with a q axis on patterns."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairvae.reports.style import panels, styled

PANEL_IN = 2.5
COLUMNS = 3


@dataclass(frozen=True)
class Panel:
    """One descriptor: its ``title``, ``words``, and the ``changes`` ``(H, W)`` by the part of each pixel."""

    title: str
    words: str
    changes: np.ndarray


@styled
def explanation_figure(
    given: np.ndarray, polar: bool, shown: Sequence[Panel], q_per_px: float | None
) -> Figure:
    """The measurement ``(C, H, W)`` and, over it in grey, red where a part raises it, blue where it lowers it."""
    columns = min(COLUMNS, len(shown) + 1)
    rows = -(-(len(shown) + 1) // columns)
    drawing, grid = panels(rows, columns, (PANEL_IN, PANEL_IN + 0.5))
    all_axes = [axes for line in grid for axes in line]
    height, width = given.shape[-2:]
    scale = (q_per_px or 1.0) if polar else 1.0
    extent = (-width / 2 * scale, width / 2 * scale, -height / 2 * scale, height / 2 * scale)
    picture = given[0] if len(given) == 1 else given.transpose(1, 2, 0).clip(0, 1)
    all_axes[0].imshow(picture, cmap="gray", extent=extent, interpolation="nearest")
    all_axes[0].set_title("the measurement", loc="left")
    for axes, panel in zip(all_axes[1:], shown, strict=False):
        axes.imshow(given.mean(0), cmap="gray", extent=extent, interpolation="nearest", vmin=0, vmax=1)
        reach = max(float(np.nanmax(np.abs(panel.changes))), 1e-12)
        strength = np.nan_to_num(np.abs(panel.changes) / reach) * 0.85
        axes.imshow(panel.changes, cmap="coolwarm", vmin=-reach, vmax=reach, alpha=strength, extent=extent,
                    interpolation="nearest")  # fmt: skip
        axes.set_title(panel.title, loc="left")
    for axes in all_axes[: len(shown) + 1]:
        _label(axes, polar, q_per_px)
    for axes in all_axes[len(shown) + 1 :]:
        axes.set_axis_off()
    return drawing


@styled
def explanation_png(drawing: Figure, dpi: int = 150) -> bytes:
    """The drawing as PNG."""
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def _label(axes: Axes, polar: bool, q_per_px: float | None) -> None:
    if not polar:
        axes.set(xticks=[], yticks=[])
        return
    unit = "1/nm" if q_per_px else "px"
    axes.set(xlabel=f"q across ({unit})", ylabel=f"q up ({unit})")
