"""Figure S2 of the paper: one measured micrograph binarised in several ways."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from pairvae.reports.captions import readable
from pairvae.reports.report_data import Row, Thresholded
from pairvae.reports.style import LengthScale, draw_scale_bar, panels, show_image, styled

COLUMNS = 4


@styled
def thresholds(views: Sequence[Thresholded]) -> Figure:
    """Per micrograph: a part in grey, and the same part by each method with the whole image's bright share."""
    most = max(len(view.binary) for view in views) + 1
    lines = -(-most // COLUMNS)
    drawing, grid = panels(lines * len(views), COLUMNS, (1.9, 2.05))
    for number, view in enumerate(views):
        all_axes = [axes for line in grid[number * lines : (number + 1) * lines] for axes in line]
        show_image(all_axes[0], view.grey / 255.0)
        draw_scale_bar(all_axes[0], view.grey.shape[1], LengthScale.of(view.nm_per_px))
        all_axes[0].set_title(f"{readable(view.title)}, as measured", loc="left")
        for (method, image), axes in zip(view.binary.items(), all_axes[1:], strict=False):
            show_image(axes, image)
            axes.set_title(f"{readable(method)}, bright {view.fractions[method]:.0%}", loc="left")
        for axes in all_axes[1 + len(view.binary) :]:
            axes.set_axis_off()
    return drawing


def threshold_rows(views: Sequence[Thresholded]) -> list[Row]:
    """Tidy data: image, rows, columns, method, share of bright pixels of the whole image."""
    return [
        {
            "image": view.title,
            "rows": view.size[0],
            "columns": view.size[1],
            "method": method,
            "phase_fraction": round(fraction, 6),
        }
        for view in views
        for method, fraction in view.fractions.items()
    ]
