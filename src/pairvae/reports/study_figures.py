"""Figures 6A and 6B and Table S2 of the paper, drawn from the tables of the repetition study alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairvae.errors import InputError
from pairvae.reports.captions import METHODS, SPLITS, direction_label
from pairvae.reports.plots import notch_fits
from pairvae.reports.report_data import Array, Row, Study, StudyKey
from pairvae.reports.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    SKY,
    VERMILLION,
    panels,
    save_figure,
    styled,
    write_rows,
)
from pairvae.store.rows import read_table

SINGLE = "study_images.csv"
FIGURES = {"figure_6a": "mae", "figure_6b": "s2_mae"}
BASES = (("baseline retrieval", "retrieval", ORANGE), ("floor", "floor", BLUE))
LOOKS = {("solo",): SKY, ("pair", "same"): VERMILLION, ("pair", "cross"): "#f0c8a8"}
NEEDED = ("train_pairs", "split", "model", "direction", "score")
NOTE = "published, real data, all images, periodic S(r)"
COLUMNS = (
    ("solo", "saxs_saxs", "mae"),
    ("pair", "saxs_saxs", "mae"),
    ("pair", "sem_saxs", "mae"),
    ("solo", "sem_sem", "s2_mae"),
    ("pair", "sem_sem", "s2_mae"),
    ("pair", "saxs_sem", "s2_mae"),
)
_ROWS = {
    32: (0.034, 0.041, 0.044, 0.027, 0.035, 0.0145),
    48: (0.0275, 0.035, 0.039, 0.028, 0.0195, 0.010),
    64: (0.026, 0.034, 0.0375, 0.0215, 0.0185, 0.0075),
}
MEDIANS: dict[tuple[int, str, str], float] = {
    (train, model, direction): median
    for train, row in _ROWS.items()
    for (model, direction, _), median in zip(COLUMNS, row, strict=True)
}
"""(training pairs, model, direction) -> median error (Lu and Jayaraman, JACS Au 2023, 3, 2510, Figure 6)."""


def read_study(table: Path) -> Study | None:
    """The study beside ``table`` (``study.csv``; single scores in ``study_images.csv``); None where there is none.

    ``InputError`` where a table lacks its columns, or numbers are none.
    """
    summaries = tuple(_rows(table, "median")) if table.is_file() else ()
    single = table.with_name(SINGLE)
    values: dict[StudyKey, list[float]] = {}
    if single.is_file():
        scores = set(FIGURES.values())
        for row in _rows(single, "value"):
            if row["score"] in scores:
                values.setdefault(_key(row), []).append(float(row["value"]))
    if not summaries and not values:
        return None
    return Study(summaries, {key: np.asarray(numbers) for key, numbers in values.items()})


def _rows(path: Path, number: str) -> list[dict[str, str]]:
    """Rows of the settings themselves: those of variants are no part of the study's figures."""
    rows = read_table(path, (*NEEDED, number), (number,), "run `pairvae study` again")
    return [row for row in rows if not row.get("variant")]


def _key(row: Mapping[str, str]) -> StudyKey:
    return int(row["train_pairs"]), row["split"], row["model"], row["direction"], row["score"]


def medians(study: Study) -> dict[StudyKey, tuple[float, int]]:
    """Median and number of single scores over all seeds; without single scores the median of the seeds' medians."""
    summaries = {key: (float(np.median(values)), len(values)) for key, values in study.values.items()}
    if summaries:
        return summaries
    by_key: dict[StudyKey, list[Mapping[str, str]]] = {}
    for row in study.summaries:
        by_key.setdefault(_key(row), []).append(row)
    return {
        key: (float(np.median([float(row["median"]) for row in rows])), sum(int(row["n"]) for row in rows))
        for key, rows in by_key.items()
    }


def sizes_of(study: Study) -> list[int]:
    """The training sizes, ascending."""
    keys = list(study.values) or [_key(row) for row in study.summaries]
    return sorted({key[0] for key in keys})


def table_s2(study: Study) -> list[Row]:
    """Table S2: a row per split and training size, a column per direction, retrieval and floor; the paper's below."""
    by_key = medians(study)
    rows: list[Row] = []
    for split in ("validation", "all", "train"):
        for train in sizes_of(study):
            row: Row = {"source": SPLITS[split], "train_pairs": train}
            for model, direction, score in _columns():
                if (train, split, model, direction, score) in by_key:
                    row[_heading(model, direction)] = round(
                        by_key[train, split, model, direction, score][0], 5
                    )
            if len(row) > 2:
                rows.append(row)
    for train in sorted({key[0] for key in MEDIANS}):
        published = {_heading(m, d): MEDIANS[train, m, d] for m, d, _ in COLUMNS}
        rows.append({"source": NOTE, "train_pairs": train, **published})
    return rows


def study_table(study: Study | None) -> list[dict[str, str]]:
    """Table S2 as words, every row with the same columns; empty without a study."""
    if study is None:
        return []
    rows = table_s2(study)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: _printed(row.get(name, "")) for name in columns} for row in rows]


def _printed(value: str | int | float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _columns() -> list[tuple[str, str, str]]:
    columns = list(COLUMNS)
    for direction, score in (("sem_saxs", "mae"), ("saxs_sem", "s2_mae")):
        position = columns.index(("pair", direction, score)) + 1
        columns.insert(position, ("baseline retrieval", direction, score))
    return [*columns, ("floor", "sem_sem", "s2_mae")]


def _heading(model: str, direction: str) -> str:
    if model == "floor":
        return "floor: crop to crop"
    return f"{direction_label(direction)}, {METHODS.get(model.removeprefix('baseline '), model)}"


def _colour(model: str, direction: str) -> str:
    first, _, second = direction.partition("_")
    return LOOKS[("solo",)] if model == "solo" else LOOKS["pair", "same" if first == second else "cross"]


def _draw_box(axes: Axes, position: float, values: Array, colour: str) -> None:
    ink: dict[str, Any] = {"color": BLACK, "linewidth": 0.7}
    axes.boxplot(
        [values],
        positions=[position],
        widths=0.21,
        notch=notch_fits(values),
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": colour, **ink},
        medianprops={**ink, "linewidth": 1.5},
        whiskerprops=ink,
        capprops=ink,
        flierprops={"marker": ".", "markersize": 1.5, "markeredgecolor": GREY, "alpha": 0.5},
    )


def _draw_seeds(axes: Axes, position: float, study: Study, key: StudyKey, colour: str) -> None:
    """Where the single scores are missing: the median of each seed as a dot, over its quartiles."""
    for row in study.summaries:
        if _key(row) == key:
            axes.plot(
                [position] * 2, [float(row["q1"]), float(row["q3"])], color=colour, linewidth=3, alpha=0.5
            )
            axes.plot(position, float(row["median"]), "o", color=BLACK, markersize=2.5)


def _draw_panel(axes: Axes, study: Study, split: str, score: str) -> None:
    sizes, by_key = sizes_of(study), medians(study)
    models = [column for column in COLUMNS if column[2] == score]
    cross = next(d for m, d, _ in models if d.split("_")[0] != d.split("_")[1])
    for number, train in enumerate(sizes):
        for offset, (model, direction, _) in zip((-0.26, 0, 0.26), models, strict=True):
            key, colour = (train, split, model, direction, score), _colour(model, direction)
            if key in study.values:
                _draw_box(axes, number + offset, study.values[key], colour)
            else:
                _draw_seeds(axes, number + offset, study, key, colour)
        for base, _, colour in BASES:
            median = by_key.get((train, split, base, cross if base != "floor" else "sem_sem", score))
            if median is not None:
                dashes = (0, (4, 1.5)) if base == "floor" else "-"
                axes.plot([number - 0.42, number + 0.42], [median[0]] * 2, color=colour, linestyle=dashes)
    axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axes.set(xlabel="training pairs", xlim=(-0.6, len(sizes) - 0.4))
    axes.set_ylim(bottom=0)
    axes.set_title(
        "train + validation, as in the paper" if split == "all" else "validation alone", loc="left"
    )


def _legend(drawing: Figure, axes: Axes, score: str) -> None:
    handles, labels = [], []
    for model, direction, column_score in COLUMNS:
        if column_score == score:
            handles.append(
                axes.fill_between([], [], [], facecolor=_colour(model, direction), edgecolor=BLACK)
            )
            labels.append(_heading(model, direction))
    for base, words, colour in BASES:
        if base != "floor" or score == "s2_mae":
            dashes = (0, (4, 1.5)) if base == "floor" else "-"
            handles.append(axes.plot([], [], color=colour, linestyle=dashes)[0])  # type: ignore[arg-type]  # artists of two kinds
            labels.append(f"{words}, median")
    drawing.legend(handles, labels, loc="outside lower center", ncols=3)


@styled
def study_boxes(study: Study, score: str) -> Figure:
    """Figure 6: notched box plots over training sizes, all pairs as in the paper and validation pairs alone."""
    drawing, (line,) = panels(1, 2, (3.5, 3.1))
    for axes, split in zip(line, ("all", "validation"), strict=True):
        _draw_panel(axes, study, split, score)
    top = max(axes.get_ylim()[1] for axes in line)
    for axes in line:
        axes.set_ylim(0, top)
    label = "pixel error" if score == "mae" else "S(r) error"
    line[0].set_ylabel(f"mean absolute {label}")
    _legend(drawing, line[0], score)
    return drawing


def box_rows(study: Study, score: str) -> list[Row]:
    """The numbers behind a figure's boxes: median, quartiles, notch (95 % interval of the median), n."""
    rows: list[Row] = []
    for (train, split, model, direction, name), values in sorted(study.values.items()):
        if name != score:
            continue
        q1, median, q3 = (float(value) for value in np.percentile(values, [25, 50, 75]))
        half = 1.57 * (q3 - q1) / np.sqrt(len(values))
        row: Row = {"train_pairs": train, "split": split, "model": model, "direction": direction}
        row |= {"median": median, "q1": q1, "q3": q3, "notch_low": median - half, "notch_high": median + half}
        rows.append({**row, "n": len(values)})
    if rows:
        return rows
    return [{**row} for row in study.summaries if row["score"] == score]


def draw_study(study: Study, folder: Path) -> None:
    """Write ``figure_6a``, ``figure_6b`` and ``table_s2.csv`` into ``folder``."""
    for name, score in FIGURES.items():
        save_figure(study_boxes(study, score), folder, name, box_rows(study, score))
    write_rows(folder / "table_s2.csv", table_s2(study))


def draw(table_path: Path, folder: Path) -> None:
    """Figures 6A, 6B and Table S2 from the study's tables; ``InputError`` where there are none."""
    study = read_study(table_path)
    if study is None:
        raise InputError(
            expected="a study's table", found="none", where=str(table_path), remedy="run `pairvae study`"
        )
    draw_study(study, folder)
