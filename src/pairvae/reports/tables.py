"""The score tables, in plain words, from ``metrics.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pairvae.reports.captions import (
    SCORES,
    SPLITS,
    paper_rank,
    readable,
    score_label,
    target_of,
)
from pairvae.reports.score_entries import Entry, entries

FIRST_TABLES = (("sem", "s2_mae"), ("saxs", "mae"), ("sem", "lineal_path_mae"), ("sem", "s2_mean16_mae"))


@dataclass(frozen=True)
class Cell:
    """A summary as it is printed; ``best`` marks the best method of its direction on the validation samples, and those
    that are not told apart from it."""

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


def figure(value: float) -> str:
    """A number with three significant digits: 0.0123, 1.50."""
    return f"{value:#.3g}" if value else "0"


def _cell(summary: Mapping[str, Any] | None, best: bool = False) -> Cell | None:
    if summary is None:
        return None
    quartiles = f"{figure(summary['q1'])} to {figure(summary['q3'])}"
    interval = summary.get("interval")
    words = f"{figure(interval[0])} to {figure(interval[1])}" if interval else ""
    return Cell(figure(summary["median"]), quartiles, int(summary["n"]), best, words)


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


def _is_best(metrics: Mapping[str, Any], split: str, entry: Entry) -> bool:
    """Whether the method is the best of its direction, or not told apart from it; known of validation alone."""
    ranking = lookup(metrics, "ranking", split, entry.direction, entry.score)
    if not ranking or entry.kind == "floor":
        return False
    return entry.method in (ranking["best"], *ranking["not_told_apart"])


def _table(
    metrics: Mapping[str, Any], target: str, score: str, rows: Mapping[str, Mapping[str, Entry]]
) -> ScoreTable:
    splits = [split for split in SPLITS if any(split in row for row in rows.values())]
    lines = []
    for label, row in rows.items():
        cells = tuple(
            _cell(row[split].leaf, _is_best(metrics, split, row[split])) if split in row else None
            for split in splits
        )
        lines.append(TableRow(label, next(iter(row.values())).kind, cells))
    order = {"model": 0, "baseline": 1, "floor": 2}
    lines.sort(key=lambda line: order[line.kind])
    counts = {"validation": metrics.get("validation_pairs"), "train": metrics.get("train_pairs")}
    columns = tuple(
        f"{SPLITS[split]} ({counts[split]} samples)" if counts.get(split) else SPLITS[split]
        for split in splits
    )
    return ScoreTable(f"{target.upper()}: {score_label(score)}", score, columns, tuple(lines))


def score_tables(metrics: Mapping[str, Any]) -> list[ScoreTable]:
    """One table per predicted modality and score, the SEM images' S(r) error first."""
    return [_table(metrics, target, score, rows) for (target, score), rows in _by_table(metrics).items()]


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
        TableRow(readable(name), "model", tuple(_cell(scores.get(score)) for score in names))
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
            correction["step"].replace("_", " "),
            correction["statistic"] if "reason" not in correction else f"not applied: {correction['reason']}",
            *(figure(correction[key]) if key in correction else "" for key in numbers),
        )
        for correction in corrections
    ]


def lookup(tree: Mapping[str, Any], *keys: str) -> Any:
    """The value under nested ``keys``, or None where any of them is missing."""
    value: Any = tree
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value
