"""Every score of ``metrics.json`` as one entry, in reading order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pairvae.reports.captions import METHODS, MODELS, direction_label, readable


@dataclass(frozen=True)
class Entry:
    """One score of one method in one split; ``leaf`` is a summary or the list of single scores."""

    kind: str  # "model", "baseline" or "floor"
    method: str  # "solo", "pair", "retrieval", "mean", ... or "floor"
    direction: str
    score: str
    leaf: Any

    @property
    def label(self) -> str:
        """Row label: ``SAXS → SEM, paired model``; the floor is named for what it is."""
        method = METHODS.get(self.method, readable(self.method))
        if self.kind == "floor" or self.method.endswith("_morphology"):
            return method
        return f"{direction_label(self.direction)}, {method}"


def _methods(split: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    others = [name for name in split if name not in (*MODELS, "baselines", "floor")]
    for method in (*MODELS, *others):
        yield "model", method, split.get(method, {})
    for method, directions in split.get("baselines", {}).items():
        yield "baseline", method, directions
    yield "floor", "floor", split.get("floor", {})


def _is_leaf(leaf: Any) -> bool:
    """Whether this is a summary or a list of single scores; anything else under a score's name is passed over."""
    summary = isinstance(leaf, Mapping) and {"median", "q1", "q3", "n"} <= set(leaf)
    return summary or isinstance(leaf, list)


def entries(split: Mapping[str, Any]) -> Iterator[Entry]:
    """Every score in one split of ``metrics["splits"]`` or of the distributions, in reading order."""
    for kind, method, directions in _methods(split):
        for direction, scores in directions.items() if isinstance(directions, Mapping) else ():
            for score, leaf in scores.items() if isinstance(scores, Mapping) else ():
                if _is_leaf(leaf):
                    yield Entry(kind, method, direction, score, leaf)
