"""Scores on the validation pairs as the registry and the runs show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pairvae.errors import number_of
from pairvae.modalities import MODALITIES
from pairvae.reports.captions import crosses, direction_label, score_label, target_of
from pairvae.reports.tables import figure, lookup

PREFIX = "validation."
PAIR = "pair"
LINEAL_PATH, ENERGY = "lineal_path_mae", "energy_score"
# Of a run. The score comes before the direction: MLflow's table of runs shows some fifteen characters of a name
SCORE = "val/score"


def medians(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Every median of the pair in ``metrics.json``, as ``validation.saxs_sem.s2_mae``."""
    directions = metrics["splits"]["validation"][PAIR]
    return {
        f"{PREFIX}{direction}.{score}": summary["median"]
        for direction, scores in directions.items()
        for score, summary in scores.items()
    }


def decisive(values: Mapping[str, float]) -> dict[str, float]:
    """Those of :func:`medians` that models are compared by: five of some thirty.

    The score of each direction's modality, and of a predicted image its lineal path, too; four digits.
    """
    return {
        key: _rounded(value)
        for key, value in values.items()
        if _decides(*key.removeprefix(PREFIX).split("."))
    }


def validation_score(metrics: Mapping[str, Any]) -> float:
    """What champions are compared by (lower is better): both predictions' median validation errors, each relative to
    the retrieval baseline of the same pairs, averaged geometrically."""
    one = metrics["splits"]["validation"]
    ratio = 1.0
    for direction in one["baselines"]["retrieval"]:
        score = "s2_mae" if "s2_mae" in one[PAIR][direction] else "mae"
        found = one[PAIR][direction][score]["median"]
        reference = one["baselines"]["retrieval"][direction][score]["median"]
        ratio *= found / max(reference, 1e-9)
    return float(ratio**0.5)


def run_metrics(metrics: Mapping[str, Any], model: str = PAIR) -> dict[str, float]:
    """Scores as metrics of the run that trained ``model``, such as ``val/s2_mae.saxs_sem``; four digits.

    ``model`` is the pair, which has the score of :func:`validation_score`, too, or the modality of a VAE trained alone.
    """
    found = {
        f"val/{score}.{direction}": _rounded(value) for direction, score, value in _scores(metrics, model)
    }
    return found | ({SCORE: _rounded(validation_score(metrics))} if model == PAIR else {})


def verdict(metrics: Mapping[str, Any], model: str = PAIR) -> str:
    """How good ``model`` is, for the description of its run: its scores beside retrieval and floor, in Markdown."""
    rows = {
        f"{direction_label(direction)}, {score_label(score)}": (
            value,
            *_references(metrics, direction, score),
        )
        for direction, score, value in _scores(metrics, model)
        if model != PAIR or crosses(direction)
    }
    if not rows:
        return ""
    names = ("this model", "retrieval", "floor")
    columns = [at for at in range(len(names)) if any(row[at] is not None for row in rows.values())]
    lines = [f"| error | {' | '.join(names[at] for at in columns)} |", "| --- " * (1 + len(columns)) + "|"]
    for label, row in rows.items():
        cells = ["" if (value := row[at]) is None else figure(value) for at in columns]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    pairs = number_of(metrics["validation_pairs"], "validation pair")
    if model != PAIR:
        said = f"Its reconstructions of {pairs}:"
    else:
        score = validation_score(metrics)
        said = f"Its score on {pairs} is {score:.2f}: errors relative to retrieval, so below 1 is better than that."
    return "\n".join([said, "", *lines, "", "Medians, lower is better."])


def _scores(metrics: Mapping[str, Any], model: str) -> Iterator[tuple[str, str, float]]:
    """Direction, score and value of what ``model`` is judged by; predictions from the other modality first."""
    validation = metrics["splits"]["validation"]
    own = f"{model}_{model}"
    directions = validation[PAIR] if model == PAIR else {own: validation["solo"].get(own, {})}
    for direction in sorted(directions, key=lambda name: not crosses(name)):
        energy = lookup(validation, "ensembles", PAIR, ENERGY)
        if energy is not None and crosses(direction) and MODALITIES[target_of(direction)].cropped:
            yield direction, ENERGY, energy
        for score, summary in directions[direction].items():
            if _decides(direction, score):
                yield direction, score, summary["median"]


def _references(metrics: Mapping[str, Any], direction: str, score: str) -> tuple[float | None, float | None]:
    """The same score of retrieval and of the floor, where they have one."""
    validation, target = metrics["splits"]["validation"], target_of(direction)
    if score == ENERGY:
        looked_up, floor = (
            lookup(validation, "ensembles", name, ENERGY) for name in ("nearest_pattern", "floor")
        )
        return looked_up, floor
    return (
        lookup(validation, "baselines", "retrieval", direction, score, "median"),
        lookup(validation, "floor", f"{target}_{target}", score, "median"),
    )


def _decides(direction: str, score: str) -> bool:
    return score == MODALITIES[target_of(direction)].score or (score == LINEAL_PATH and crosses(direction))


def _rounded(value: float) -> float:
    """Four digits: MLflow shows all that there are."""
    return float(f"{value:.4g}")
