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
ENSEMBLES = {  # short names of energy score and mean curve
    "pair": ("energy.pair", "curve.pair"),
    "three_nearest_patterns": ("energy.nearest_3",),
    "latent_crops": ("energy.latent_crops", "curve.latent_crops"),
    "floor": ("energy.floor", "curve.floor"),
}
ON_IMAGES = ("pair", "retrieval", "regression", "floor")
ON_PATTERNS = ("pair", "whole", "retrieval", "ridge_whole")


def _summarised(target: str) -> tuple[str, ...]:
    return ON_IMAGES if MODALITIES[target].cropped else ON_PATTERNS


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
    """At most twenty numbers of the validation pairs by short keys, ``saxs_sem.energy.pair``: one screen.

    For predictions from the other modality the medians of the pair, of what it has to beat, and of the floor; the
    energy scores and mean curves of ensembles; and the AUC of realism, where it was tested.
    """
    validation = lookup(metrics, "splits", "validation") or {}
    all_entries = list(entries(validation))
    directions = [
        entry.direction for entry in all_entries if entry.method == "pair" and crosses(entry.direction)
    ]
    summary: dict[str, float] = {}
    for direction in dict.fromkeys(directions):
        target = target_of(direction)
        score = MODALITIES[target].score
        if MODALITIES[target].cropped:
            for method, names in ENSEMBLES.items():
                for name, short in zip(("energy_score", "mean_curve_mae"), names, strict=False):
                    value = lookup(validation, "ensembles", method, name)
                    if value is not None:
                        summary[f"{direction}.{short}"] = float(value)
        for entry in all_entries:
            entry_direction = f"{target}_{target}" if entry.kind == "floor" else direction
            if entry.method in _summarised(target) and (entry.direction, entry.score) == (
                entry_direction,
                score,
            ):
                summary[f"{direction}.{score.removesuffix('_mae')}.{entry.method}"] = float(
                    entry.leaf["median"]
                )
    for direction, tested in (validation.get("realism") or {}).items():
        summary[f"{direction}.auc"] = float(tested["auc"])
    return summary
