"""Figure S3 of the paper: losses of the pair's training protocols against the epoch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pairvae.reports.captions import part_label, readable
from pairvae.reports.report_data import Array, Row
from pairvae.reports.style import CYCLE, DASHES, GREY, panels, styled

COLUMNS = 3
NAMES = ("protocol", "epoch", "term", "split", "value")


def median_lines(rows: Sequence[Row]) -> dict[tuple[str, str, str], tuple[Array, Array]]:
    """(protocol, term, split) -> epochs and the median over repetitions at each, both (E,)."""
    scores: dict[tuple[str, str, str], dict[int, list[float]]] = {}
    for row in rows:
        key = (str(row["protocol"]), str(row["term"]), str(row["split"]))
        scores.setdefault(key, {}).setdefault(int(row["epoch"]), []).append(float(row["value"]))
    return {
        key: (
            np.array(sorted(by_epoch)),
            np.array([np.median(by_epoch[epoch]) for epoch in sorted(by_epoch)]),
        )
        for key, by_epoch in scores.items()
    }


@styled
def protocols(rows: Sequence[Row]) -> Figure:
    """One panel per part of the loss; one line per protocol: medians over repetitions, validation pale."""
    terms = sorted({str(row["term"]) for row in rows}, key=lambda term: (term != "loss", term))
    names = list(dict.fromkeys(str(row["protocol"]) for row in rows))
    columns = min(COLUMNS, len(terms))
    drawing, grid = panels(-(-len(terms) // columns), columns, (3.1, 2.3))
    all_axes = [axes for line in grid for axes in line]
    for axes in all_axes[len(terms) :]:
        axes.set_axis_off()
    lines = median_lines(rows)
    for term, axes in zip(terms, all_axes, strict=False):
        for name, colour, dashes in zip(names, cycle(CYCLE), cycle(DASHES), strict=False):
            for split in ("validation", "train"):
                if (name, term, split) in lines:
                    look: dict[str, Any] = {"color": colour, "linestyle": dashes, "label": readable(name)}
                    pale = {"label": None, "alpha": 0.35, "linewidth": 2.2} if split != "train" else {}
                    epochs, values = lines[name, term, split]
                    marker = "." if len(epochs) == 1 else ""
                    axes.plot(epochs, np.where(values > 0, values, np.nan), marker=marker, **{**look, **pale})
        axes.set(xlabel="epoch", yscale="log")
        axes.set_title(part_label(term), loc="left")
        axes.tick_params(axis="y", which="minor", labelsize=6, labelcolor=GREY)
    if any(row["split"] == "validation" for row in rows):
        all_axes[0].plot([], [], color=GREY, alpha=0.6, linewidth=2.2, label="pale: validation pairs")
    handles, labels = all_axes[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=max(1, min(3, len(labels))))
    return drawing
