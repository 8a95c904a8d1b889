"""Tables for the terminal: scores and stage times of a finished pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pairvae.reports.answer import image_of
from pairvae.reports.captions import METHODS, SCORES
from pairvae.reports.tables import figure, lookup

Column = tuple[str, str, str]  # direction, score, direction of the floor
BEST, TIED = "*", "~"


def score_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Median errors on the validation pairs, one row for each method, the best and its ties marked; or nothing."""
    validation, image = lookup(metrics, "splits", "validation") or {}, image_of(metrics)
    every: tuple[Column, ...] = (
        (f"saxs_{image}", "s2_mae", f"{image}_{image}"),
        (f"saxs_{image}", "lineal_path_mae", f"{image}_{image}"),
        (f"{image}_saxs", "mae", "saxs_saxs"),
    )
    lines = {
        "pair": [lookup(validation, "pair", direction, score) for direction, score, _ in every],
        **{
            name: [lookup(entries, direction, score) for direction, score, _ in every]
            for name, entries in (validation.get("baselines") or {}).items()
        },
        "floor": [lookup(validation, "floor", direction, score) for _, score, direction in every],
    }
    rows = {name: cells for name, cells in lines.items() if any(cells)}
    if "pair" not in rows:
        return []
    columns = [column for column in range(len(every)) if any(cells[column] for cells in rows.values())]
    head = [f"{_words(every[column][0])}, {SCORES[every[column][1]].label}" for column in columns]
    texts = [
        [_name(name), *(_cell(metrics, name, every[column], cells[column]) for column in columns)]
        for name, cells in rows.items()
    ]
    count = metrics.get("validation_pairs")
    title = f"{count} validation pairs" if count else "validation pairs"
    note = f"Medians, lower is better. {BEST} best, {TIED} not told apart from the best (paired test)."
    return [*_table([title, *head], texts), note]


def time_lines(seconds: Mapping[str, float]) -> list[str]:
    """The time of each stage and the total; nothing where none ran."""
    if not seconds:
        return []
    rows = [[name, _duration(value)] for name, value in seconds.items()]
    return _table(["stage", "time"], [*rows, ["together", _duration(sum(seconds.values()))]])


def _words(direction: str) -> str:
    """``SAXS to SEM``: not every terminal has an arrow."""
    return " to ".join(part.upper() for part in direction.split("_"))


def _name(method: str) -> str:
    return "another crop of the image (floor)" if method == "floor" else METHODS.get(method, method)


def _cell(metrics: Mapping[str, Any], method: str, column: Column, leaf: Mapping[str, Any] | None) -> str:
    if not leaf:
        return ""
    direction, score, _ = column
    ranking = lookup(metrics, "ranking", "validation", direction, score) or {}
    tied = method in ranking.get("not_told_apart", ())
    mark = BEST if ranking.get("best") == method else TIED if tied else " "
    return f"{figure(leaf['median'])} {mark}"


def _duration(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of equal width: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def lines() -> Iterator[str]:
        for row in (head, *rows):
            cells = [f"{row[0]:<{widths[0]}}"]
            cells += [f"{text:>{width}}" for text, width in zip(row[1:], widths[1:], strict=True)]
            yield "  ".join(cells).rstrip()
            if row is head:
                yield "  ".join("-" * width for width in widths)

    return list(lines())
