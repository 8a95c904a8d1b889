"""Figures about training and scores: losses per stage and box plots of all single scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairvae.reports.captions import SCORES, part_label, readable, score_label, target_of
from pairvae.reports.report_data import Array, Row
from pairvae.reports.score_entries import Entry, entries
from pairvae.reports.style import (
    BLACK,
    BLUE,
    CYCLE,
    DASHES,
    GREY,
    SKY,
    VERMILLION,
    panels,
    styled,
)
from pairvae.reports.tables import table_rank

NOT_LOSSES = ("epoch", "learning_rate")
BOX_COLOURS = {"solo": SKY, "pair": VERMILLION}
BOX_HEIGHT = {"all": 0.78, "validation": 0.42}
BOX_PANEL_WIDTH = 3.85  # inches; the labels take a good part of it
MOST_COLUMNS = 3
PanelKey = tuple[str, str]  # predicted modality, score


def _draw_losses(axes: Axes, stage: str, history: Sequence[Mapping[str, float]]) -> None:
    parts = [part for part in dict.fromkeys(k for row in history for k in row) if part not in NOT_LOSSES]
    parts.sort(key=lambda part: part != "loss")
    epochs = [row["epoch"] for row in history]
    for part, colour, dashes in zip(parts, cycle(CYCLE), cycle(DASHES), strict=False):
        values = np.array([row.get(part, np.nan) for row in history], dtype=float)
        positive = np.where(values > 0, values, np.nan)  # a log axis has no place for the others
        if np.isfinite(positive).any():
            look: dict[str, Any] = {"color": colour, "linestyle": dashes}
            axes.plot(
                epochs, positive, label=part_label(part), marker="." if len(history) == 1 else "", **look
            )
    axes.set(xlabel="epoch", ylabel="loss", yscale="log")
    axes.set_title(readable(stage), loc="left")
    axes.legend(ncols=2)


@styled
def losses(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """One panel per training stage, every part of the loss on a log scale against the epoch."""
    drawing, grid = panels(1, len(histories), (3.4, 2.9))
    for (stage, history), axes in zip(histories.items(), grid[0], strict=True):
        _draw_losses(axes, stage, history)
    return drawing


def loss_rows(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> list[Row]:
    """The histories as one table: stage, epoch (from 1), then every part."""
    return [
        {"stage": stage, **row, "epoch": round(row["epoch"])}
        for stage, history in histories.items()
        for row in history
    ]


def score_panels(distributions: Mapping[str, Any]) -> dict[PanelKey, dict[str, list[Entry]]]:
    """(predicted modality, score) -> split -> the entries of one box plot, in reading order."""
    panels: dict[PanelKey, dict[str, list[Entry]]] = {}
    for split in ("validation", "all"):
        for entry in entries(distributions.get(split, {})):
            if isinstance(entry.leaf, list) and entry.leaf:
                panels.setdefault((target_of(entry.direction), entry.score), {}).setdefault(split, []).append(
                    entry
                )
    return dict(sorted(panels.items(), key=lambda item: table_rank(item[0])))


def notch_fits(values: Array) -> bool:
    """Whether the notch (median ± 1.57 IQR / sqrt n) lies inside the box; else it would fold over."""
    low, median, high = np.percentile(values, [25, 50, 75])
    half = 1.57 * (high - low) / np.sqrt(len(values))
    return bool(low <= median - half and median + half <= high)


def _draw_box(axes: Axes, entry: Entry, position: float, split: str) -> None:
    values = np.asarray(entry.leaf, dtype=float)
    colour = BOX_COLOURS.get(entry.method, GREY)
    front = split == "validation"
    ink = {"color": BLACK if front else GREY, "linewidth": 0.8 if front else 0.6}
    axes.boxplot(
        [values],
        positions=[position],
        widths=BOX_HEIGHT[split],
        orientation="horizontal",
        notch=front and notch_fits(values),
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": colour, "alpha": 0.9 if front else 0.22, **ink},
        medianprops={**ink, "linewidth": 1.6 if front else 0.8},
        whiskerprops=ink,
        capprops=ink,
        flierprops={"marker": ".", "markersize": 2.5, "markeredgecolor": ink["color"], "alpha": 0.6},
        zorder=3 if front else 2,
    )


def _draw_floor(axes: Axes, entry: Entry) -> None:
    low, median, high = np.percentile(np.asarray(entry.leaf, dtype=float), [25, 50, 75])
    axes.axvspan(low, high, color=BLUE, alpha=0.12, lw=0, zorder=0)
    axes.axvline(median, color=BLUE, linestyle=(0, (4, 2)), linewidth=1, zorder=1)


def _draw_scores(axes: Axes, key: PanelKey, splits: Mapping[str, Sequence[Entry]]) -> None:
    boxed = {
        split: [entry for entry in entries if entry.kind != "floor"] for split, entries in splits.items()
    }
    labels = list(dict.fromkeys(entry.label for entries in boxed.values() for entry in entries))
    for split in ("all", "validation"):
        for entry in boxed.get(split, []):
            _draw_box(axes, entry, labels.index(entry.label), split)
    floors = [entry for entry in splits.get("validation", splits.get("all", [])) if entry.kind == "floor"]
    for entry in floors[:1]:
        _draw_floor(axes, entry)
    target, score = key
    unit = f" ({SCORES[score].unit})" if score in SCORES else ""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"{score_label(score)}{unit}")
    axes.set_title(f"{target.upper()}{' (dashed: floor)' if floors else ''}", loc="left")


@styled
def scores(panels_of_scores: Mapping[PanelKey, Mapping[str, Sequence[Entry]]]) -> Figure:
    """Box plots per predicted modality and score: validation before all pairs (pale), floor as a band."""
    columns = min(len(panels_of_scores), MOST_COLUMNS)
    rows = -(-len(panels_of_scores) // columns)
    most = max(
        len({entry.label for entries in splits.values() for entry in entries})
        for splits in panels_of_scores.values()
    )
    drawing, grid = panels(rows, columns, (BOX_PANEL_WIDTH, 0.8 + 0.27 * most))
    all_axes = [axes for line in grid for axes in line]
    for axes in all_axes[len(panels_of_scores) :]:
        axes.set_axis_off()
    for (key, splits), axes in zip(panels_of_scores.items(), all_axes, strict=False):
        _draw_scores(axes, key, splits)
    return drawing


def score_rows(distributions: Mapping[str, Any]) -> list[Row]:
    """Tidy data: split, kind, method, direction, score, value."""
    return [
        {
            "split": split,
            "kind": entry.kind,
            "method": entry.method,
            "direction": entry.direction,
            "score": entry.score,
            "value": float(value),
        }
        for split, tree in distributions.items()
        for entry in entries(tree)
        if isinstance(entry.leaf, list)
        for value in entry.leaf
    ]
