"""The pair's scores on the validation pairs as the registry and the runs show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pairvae.modalities import MODALITIES

PREFIX = "validation."
LINEAL_PATH = "lineal_path_mae"


def medians(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Every median of the pair in ``metrics.json``, as ``validation.saxs_sem.s2_mae``."""
    directions = metrics["splits"]["validation"]["pair"]
    return {
        f"{PREFIX}{direction}.{score}": summary["median"]
        for direction, scores in directions.items()
        for score, summary in scores.items()
    }


def decisive(values: Mapping[str, float]) -> dict[str, float]:
    """Those of :func:`medians` that models are compared by: five of some thirty.

    The score of each direction's modality, and of a predicted image its lineal path, too; four digits.
    """
    return {key: float(f"{value:.4g}") for key, value in values.items() if _decides(key)}


def _decides(key: str) -> bool:
    direction, _, score = key.removeprefix(PREFIX).partition(".")
    source, _, target = direction.partition("_")
    return score == MODALITIES[target].score or (score == LINEAL_PATH and source != target)


def verdict(metrics: Mapping[str, Any]) -> str:
    """How good the predictions are, for the description of a run: each beside retrieval."""
    validation = metrics["splits"]["validation"]
    lines = []
    for direction, scores in validation["pair"].items():
        source, _, target = direction.partition("_")
        score = MODALITIES[target].score
        if source == target or score not in scores:
            continue
        retrieval = validation.get("baselines", {}).get("retrieval", {}).get(direction, {}).get(score)
        beside = f" (retrieval {retrieval['median']:.2g})" if retrieval else ""
        lines.append(
            f"{source.upper()} to {target.upper()}: median {score} {scores[score]['median']:.2g}{beside}"
        )
    return "On the validation pairs, " + "; ".join(lines) + ". Lower is better." if lines else ""
