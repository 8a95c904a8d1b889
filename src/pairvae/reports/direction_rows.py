"""The table of all directions of a model of more than two techniques."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pairvae.reports.captions import ARROW, target_of
from pairvae.reports.tables import figure, lookup

COLUMNS = (
    "direction",
    "samples",
    "error",
    "retrieval",
    "mean of training",
    "energy score",
    "than the best alone",
)
P_VALUE = 0.05


def direction_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each direction.

    Parameters
    ----------
    metrics : mapping
        ``metrics.json``.

    Returns
    -------
    list of tuple
        By ``COLUMNS``; none for two techniques. The error is that of S(r) for images, else of pixels or points.
    """
    rows = []
    for direction, block in (lookup(metrics, "splits", "validation", "directions") or {}).items():
        score = "s2_mae" if "s2_mae" in block["model"] else "mae"
        errors = [figure(block[name][score]["median"]) for name in ("model", "retrieval", "mean")]
        energy = figure(block["energy_score"]) if "energy_score" in block else ""
        sources = direction.removesuffix(f"_{target_of(direction)}").replace("+", " + ").upper()
        label = f"{sources} {ARROW} {target_of(direction).upper()}"
        rows.append((label, str(block["n"]), *errors, energy, _versus(block)))
    return rows


def _versus(block: Mapping[str, Any]) -> str:
    """In words, whether several techniques predict better than the hardest of them to beat."""
    differences = block.get("minus", {}).values()
    if not differences:
        return ""
    nearest = max(differences, key=lambda one: one["median_difference"])
    gap = nearest["median_difference"]
    told_apart = nearest["p"] is not None and nearest["p"] < P_VALUE
    words = ("better" if gap < 0 else "worse") if told_apart else "not told apart"
    return f"{words} ({gap:+.2g})"
