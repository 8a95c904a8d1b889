"""Named warnings and paired comparisons of ``metrics.json``, read whatever their nesting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pairvae.numerics.paired import verdict_of
from pairvae.reports.captions import (
    METHODS,
    SCORES,
    SPLITS,
    direction_label,
    is_direction,
    readable,
    score_label,
)
from pairvae.reports.tables import figure

DIFFERENCES = ("median_difference", "difference", "median")
P_VALUES = ("p", "p_value")
BLOCKS = ("ensembles", "uncertainty", "leakage")
MAIN = ("energy_score", "mean_curve_mae", "s2_mae", "mae")  # scores whose comparisons are shown at once


@dataclass(frozen=True)
class Comparison:
    """One paired test: against what, the median difference (model minus other) with its interval, p, n samples."""

    label: str
    difference: str
    interval: str
    p: str
    n: str
    verdict: str
    main: bool


@dataclass(frozen=True)
class NamedWarning:
    """A named finding that the reader must know before the scores."""

    name: str
    text: str


def warnings(metrics: Mapping[str, Any]) -> list[NamedWarning]:
    """The block ``warnings``: a list of sentences or of {name, text}, or a mapping of names to sentences."""
    entries = metrics.get("warnings") or ()
    if isinstance(entries, Mapping):
        return [NamedWarning(readable(str(name)), _sentence(value)) for name, value in entries.items()]
    return [_warning(item) for item in entries]


def _warning(item: Any) -> NamedWarning:
    if isinstance(item, Mapping):
        name = next((str(item[key]) for key in ("name", "kind", "warning") if key in item), "warning")
        rest = {key: value for key, value in item.items() if key not in ("name", "kind", "warning")}
        return NamedWarning(readable(name), _sentence(rest))
    name, colon, text = str(item).partition(": ")
    return (
        NamedWarning(readable(name), text) if colon and len(name) < 40 else NamedWarning("warning", str(item))
    )


def _sentence(value: Any) -> str:
    if isinstance(value, Mapping):
        texts = [value[key] for key in ("text", "message") if key in value]
        return str(texts[0]) if texts else "; ".join(f"{readable(str(k))} {v}" for k, v in value.items())
    return ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)


def comparisons(metrics: Mapping[str, Any]) -> list[Comparison]:
    """The block ``comparisons``: every mapping in it that holds a p value, labelled by the keys that lead there."""
    return [_comparison(path, leaf) for path, leaf in _leaves(metrics.get("comparisons") or {}, ())]


def _leaves(tree: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    if isinstance(tree, Mapping):
        if any(key in tree for key in P_VALUES):
            yield path, tree
        else:
            for key, value in tree.items():
                yield from _leaves(value, (*path, str(key)))
    elif isinstance(tree, list):
        for item in tree:
            yield from _leaves(item, path)


def _word(key: str) -> str:
    if key in SPLITS:
        return SPLITS[key]
    if key in METHODS:
        return METHODS[key]
    if is_direction(key):
        return direction_label(key)
    return score_label(key)


def _comparison(path: tuple[str, ...], leaf: Mapping[str, Any]) -> Comparison:
    named = [str(value) for value in leaf.values() if isinstance(value, str)]
    value = next((leaf[key] for key in DIFFERENCES if isinstance(leaf.get(key), int | float)), None)
    interval = leaf.get("interval")
    score = next((key for key in reversed(path) if key in SCORES), "")
    p = next(leaf[key] for key in P_VALUES if key in leaf)
    return Comparison(
        ", ".join(_word(key) for key in (*path, *named) if key not in SPLITS),
        "" if value is None else f"{value:+.3g}",
        f"{interval[0]:+.2g} to {interval[1]:+.2g}" if interval else "",
        "" if p is None else ("< 0.001" if p < 0.001 else figure(p)),
        str(leaf.get("n", "")),
        str(leaf.get("verdict") or verdict_of(interval)),
        not score or score in MAIN,
    )


def block_numbers(metrics: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """The numbers of the blocks about ensembles, calibration and leakage, as (what, number) by block."""
    numbers = {
        block: [(", ".join(_word(key) for key in path), figure(value)) for path, value in _numbers(tree, ())]
        for block in BLOCKS
        if isinstance(tree := metrics.get(block), Mapping)
    }
    return {block: rows for block, rows in numbers.items() if rows}


def _numbers(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, (*path, str(key)))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield (*path, str(key)), value
