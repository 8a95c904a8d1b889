"""The score table and the headline, in plain words, from ``metrics.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pairvae.reports.captions import (
    ARROW,
    SCORES,
    SPLITS,
    Entry,
    entries,
    paper_rank,
    readable,
    score_label,
    target_of,
)

FIRST_TABLES = (("sem", "s2_mae"), ("saxs", "mae"), ("sem", "lineal_path_mae"), ("sem", "s2_mean16_mae"))
SAME_WITHIN = 0.05  # medians closer than this share are called the same in the headline


@dataclass(frozen=True)
class Cell:
    """A summary as it is printed; ``best`` marks the best median of its direction in a split, the floor left out."""

    median: str
    quartiles: str
    n: int
    best: bool
    interval: str = ""  # 95 % interval of the median, where it was computed


@dataclass(frozen=True)
class TableRow:
    """One method: its label, its kind (model, baseline, floor) and a cell per split."""

    label: str
    kind: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class ScoreTable:
    """All methods for one score of one predicted modality."""

    title: str
    score: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


@dataclass(frozen=True)
class Headline:
    """The answer in sentences and the figures beside it, ``(label, number, note)`` each."""

    sentences: tuple[str, ...]
    numbers: tuple[tuple[str, str, str], ...]


def figure(value: float) -> str:
    """A number with three significant digits: 0.0123, 1.50."""
    return f"{value:#.3g}" if value else "0"


def _cell(summary: Mapping[str, Any] | None, best: float | None) -> Cell | None:
    if summary is None:
        return None
    quartiles = f"{figure(summary['q1'])} to {figure(summary['q3'])}"
    interval = summary.get("interval")
    words = f"{figure(interval[0])} to {figure(interval[1])}" if interval else ""
    return Cell(figure(summary["median"]), quartiles, int(summary["n"]), summary["median"] == best, words)


def _by_table(metrics: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, dict[str, Entry]]]:
    """(target, score) -> row label -> split -> entry."""
    tables: dict[tuple[str, str], dict[str, dict[str, Entry]]] = {}
    for split in SPLITS:
        for entry in entries(metrics.get("splits", {}).get(split, {})):
            if entry.leaf and isinstance(entry.leaf, Mapping):
                rows = tables.setdefault((target_of(entry.direction), entry.score), {})
                rows.setdefault(entry.label, {})[split] = entry
    return dict(sorted(tables.items(), key=lambda item: table_rank(item[0])))


def table_rank(key: tuple[str, str]) -> tuple[int, int]:
    """Sorting key of (target, score): the three that matter most, then the order of the scores' list."""
    first = FIRST_TABLES.index(key) if key in FIRST_TABLES else len(FIRST_TABLES)
    return first, list(SCORES).index(key[1]) if key[1] in SCORES else len(SCORES)


def _best(rows: Mapping[str, Mapping[str, Entry]], split: str) -> dict[str, float]:
    """Direction -> best median of those that share it; a direction of one method has none."""
    medians: dict[str, list[float]] = {}
    for row in rows.values():
        if split in row and row[split].kind != "floor":
            medians.setdefault(row[split].direction, []).append(row[split].leaf["median"])
    return {direction: min(found) for direction, found in medians.items() if len(found) > 1}


def _table(target: str, score: str, rows: Mapping[str, Mapping[str, Entry]]) -> ScoreTable:
    splits = [split for split in SPLITS if any(split in row for row in rows.values())]
    best = {split: _best(rows, split) for split in splits}
    lines = []
    for label, row in rows.items():
        cells = tuple(
            _cell(row[split].leaf, best[split].get(row[split].direction)) if split in row else None
            for split in splits
        )
        lines.append(TableRow(label, next(iter(row.values())).kind, cells))
    order = {"model": 0, "baseline": 1, "floor": 2}
    lines.sort(key=lambda line: order[line.kind])
    return ScoreTable(
        f"{target.upper()}: {score_label(score)}",
        score,
        tuple(SPLITS[split] for split in splits),
        tuple(lines),
    )


def score_tables(metrics: Mapping[str, Any]) -> list[ScoreTable]:
    """One table per predicted modality and score, the SEM images' S(r) error first."""
    return [_table(target, score, rows) for (target, score), rows in _by_table(metrics).items()]


def _is_summary(leaf: Any) -> bool:
    return isinstance(leaf, Mapping) and {"median", "q1", "q3", "n"} <= set(leaf)


def generation_table(metrics: Mapping[str, Any]) -> ScoreTable | None:
    """Errors of the generated ensembles, one row per morphology; None where nothing was generated."""
    morphologies = {
        name: {score: leaf for score, leaf in scores.items() if _is_summary(leaf)}
        for name, scores in metrics.get("generation", {}).items()
        if isinstance(scores, Mapping)
    }
    names = sorted({score for scores in morphologies.values() for score in scores})
    if not names:
        return None
    rows = [
        TableRow(readable(name), "model", tuple(_cell(scores.get(score), None) for score in names))
        for name, scores in sorted(morphologies.items(), key=lambda item: paper_rank(item[0]))
    ]
    return ScoreTable(
        "Generated ensembles", names[0], tuple(score_label(score) for score in names), tuple(rows)
    )


def correction_rows(corrections: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Step, statistic, before, after, target of each correction; of one that was not applied, the reason."""
    numbers = ("before", "after", "target")
    return [
        (
            one["step"].replace("_", " "),
            one["statistic"] if "reason" not in one else f"not applied: {one['reason']}",
            *(figure(one[key]) if key in one else "" for key in numbers),
        )
        for one in corrections
    ]


def lookup(tree: Mapping[str, Any], *keys: str) -> Any:
    """The value under nested ``keys``, or None where any of them is missing."""
    value: Any = tree
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def _compared(model: float, retrieval: float) -> str:
    if abs(model - retrieval) <= SAME_WITHIN * retrieval:
        return "so the model does about as well as looking up"
    if model < retrieval:
        return (
            f"so the model's error is {round(100 * (1 - model / retrieval))} % lower than that of looking up"
        )
    return f"so looking up is still better: the model's error is {figure(model / retrieval)} times as large"


def _above(model: Mapping[str, Any], floor: Mapping[str, Any]) -> str:
    """What the floor says about the model; a prediction of one image cannot be expected below it."""
    ratio = model["median"] / floor["median"] if floor["median"] > 0 else float("inf")
    if ratio <= 1 + SAME_WITHIN:
        return "the prediction is as near as another look at the same sample"
    return f"that is the least to expect, and the model's error is {ratio:.2g} times as large"


def headline(metrics: Mapping[str, Any]) -> Headline:
    """The validation SAXS → SEM S(r) error beside retrieval and the floor, in up to three sentences."""
    validation = lookup(metrics, "splits", "validation") or {}
    model = lookup(validation, "pair", "saxs_sem", "s2_mae")
    if not model:
        return Headline(("No validation pair was scored from SAXS to SEM in this run.",), ())
    retrieval = lookup(validation, "baselines", "retrieval", "saxs_sem", "s2_mae")
    floor = lookup(validation, "floor", "sem_sem", "s2_mae")
    value, n = figure(model["median"]), int(model["n"])
    sentences = [
        "From a SAXS pattern that it never saw, the paired model draws an SEM image whose two-point "
        f"correlation S(r) misses the true one by {value} (median of {n} validation scores)."
    ]
    numbers = [(f"SAXS {ARROW} SEM, paired model", value, "median S(r) error")]
    if retrieval:
        other = figure(retrieval["median"])
        verdict = _compared(model["median"], retrieval["median"])
        sentences.append(
            f"Looking up the SEM image of the most similar training pattern misses by {other}, {verdict}."
        )
        numbers.append(("Retrieval", other, "nearest training pattern"))
    if floor:
        least = figure(floor["median"])
        sentences.append(f"Two crops of one and the same image differ by {least}: {_above(model, floor)}.")
        numbers.append(("Floor", least, "crop to crop of one image"))
    return Headline(tuple(sentences), tuple(numbers))
