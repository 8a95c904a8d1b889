"""Files for DVC: data in the shape that the templates of `dvc plots` draw, numbers that `dvc metrics diff` compares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pairvae.reports.content import Bands, ReportContent, Row
from pairvae.reports.style import write_rows
from pairvae.reports.words import entries, target_of

SCORES = {"sem": "s2_mae", "saxs": "mae"}


def mean_curves(bands: Bands) -> list[Row]:
    """Mean S(r) over the validation pairs: a row per distance, a column per curve (``measured``, ``pair_saxs_sem``)."""
    found = bands.get("s2", {}).get("validation", {})
    names = {
        key: "measured" if key == "true" else key.replace("/", "_") for key in found
    }  # true is a word of YAML
    columns = {names[key]: np.asarray(values)[0] for key, values in found.items()}
    bins = min((len(values) for values in columns.values()), default=0)
    return [
        {"distance_px": place, **{name: float(values[place]) for name, values in columns.items()}}
        for place in range(bins)
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


def write_plots(content: ReportContent, folder: Path) -> None:
    """Write ``s2_validation.csv`` and ``scores_<modality>.csv``; one row of zeros where a run has none."""
    write_rows(folder / "s2_validation.csv", mean_curves(content.bands) or [{"distance_px": 0}])
    for target, score in SCORES.items():
        empty: list[Row] = [{"method": "none", score: 0.0}]
        write_rows(folder / f"scores_{target}.csv", single_scores(content.distributions, target) or empty)


def summary_numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The medians of the validation pairs that decide, by readable names: few enough to compare at a glance.

    For each predicted modality every model and baseline that predicts it from the other one, and the floor.
    """
    return {
        f"{target.upper()}: {entry.label}": float(entry.leaf["median"])
        for target, score in SCORES.items()
        for entry in entries(metrics.get("splits", {}).get("validation", {}))
        if entry.score == score and target_of(entry.direction) == target and isinstance(entry.leaf, Mapping)
        if entry.kind == "floor" or not entry.direction.startswith(f"{target}_")
    }
