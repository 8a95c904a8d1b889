"""Files for DVC: data in the shape that the templates of `dvc plots` draw, numbers that `dvc metrics diff` compares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.modalities import MODALITIES
from pairvae.reports.captions import crosses, image_label, target_of
from pairvae.reports.report_data import Bands, ReportData, Row
from pairvae.reports.score_entries import entries
from pairvae.reports.style import write_rows
from pairvae.reports.tables import lookup

SCORES = {"sem": "s2_mae", "saxs": "mae"}
SUMMARISED = ("pair", "retrieval")
ENSEMBLES = ("pair", "floor")


def mean_curves(bands: Bands) -> list[Row]:
    """Mean S(r) over the validation pairs: a row per distance, a column per curve, named as `dvc plots` shows it."""
    curves = bands.get("s2", {}).get("validation", {})
    columns = {
        "measured" if key == "true" else image_label(key): np.asarray(values)[0]
        for key, values in curves.items()
    }
    bins = min((len(values) for values in columns.values()), default=0)
    return [
        {"distance_px": index, **{name: float(values[index]) for name, values in columns.items()}}
        for index in range(bins)
    ]


def single_scores(distributions: Mapping[str, Any], target: str) -> list[Row]:
    """The validation pairs' single scores of one predicted modality: ``method`` and the score, a row each."""
    score = SCORES[target]
    return [
        {"method": entry.label, score: float(value)}
        for entry in entries(distributions.get("validation", {}))
        if entry.score == score and target_of(entry.direction) == target and isinstance(entry.leaf, list)
        for value in entry.leaf
    ]


def write_plots(report: ReportData, folder: Path) -> None:
    """Write ``s2_validation.csv`` and ``scores_<modality>.csv``; one row of zeros where a run has none."""
    write_rows(folder / "s2_validation.csv", mean_curves(report.bands) or [{"distance_px": 0}])
    for target, score in SCORES.items():
        empty: list[Row] = [{"method": "none", score: 0.0}]
        write_rows(folder / f"scores_{target}.csv", single_scores(report.distributions, target) or empty)


def summary_numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of the validation pairs that decide, by short keys: `dvc metrics show` prints them in one row.

    For predictions from the other modality the medians of the pair and of the nearest measured neighbour, which it
    has to beat; for images the energy scores of the pair and of the floor before them.
    """
    validation = lookup(metrics, "splits", "validation") or {}
    crossed = [entry for entry in entries(validation) if crosses(entry.direction)]
    summary: dict[str, float] = {}
    for direction in dict.fromkeys(entry.direction for entry in crossed if entry.method == "pair"):
        modality = MODALITIES[target_of(direction)]
        for method in ENSEMBLES if modality.cropped else ():
            value = lookup(validation, "ensembles", method, "energy_score")
            if value is not None:
                summary[f"{direction}.energy.{method}"] = float(value)
        for entry in crossed:
            if entry.method in SUMMARISED and (entry.direction, entry.score) == (direction, modality.score):
                name = f"{direction}.{entry.score.removesuffix('_mae')}.{entry.method}"
                summary[name] = float(entry.leaf["median"])
    return summary
