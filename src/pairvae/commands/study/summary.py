"""What a study found, in lines: medians over the seeds beside retrieval and the crop-to-crop floor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

MAIN_SCORES = ("s2_mae", "mae")  # the one that stands for a direction, the first that it has
SPLITS = ("validation", "all")
Values = Mapping[tuple[str, ...], list[float]]


@dataclass(frozen=True)
class Outcome:
    """The tables, what they say, and the cells that failed with their reasons."""

    tables: tuple[Path, ...]
    lines: tuple[str, ...]
    failed: tuple[str, ...]


def summary_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line per variant, training size and direction: median over the seeds (least to most) of each method."""
    seeds = len({row["split_seed"] for row in rows})
    lines: list[str] = []
    for split in SPLITS:
        chosen = [row for row in rows if row["split"] == split]
        values: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for row in chosen:
            key = (row["variant"], str(row["train_pairs"]), row["model"], row["direction"], row["score"])
            values[key].append(float(row["median"]))
        groups = dict.fromkeys((row["variant"], str(row["train_pairs"])) for row in chosen)
        if not groups:
            continue
        note = f", over {seeds} splits (least to most)" if seeds > 1 else ""
        lines.append(f"{'all pairs' if split == 'all' else 'validation pairs'}: medians{note}")
        for variant, train in groups:
            lines += _group(values, variant, train)
    return lines


def _group(values: Values, variant: str, train: str) -> list[str]:
    head = f"{variant + ', ' if variant else ''}{train} training pairs"
    directions = dict.fromkeys(key[3] for key in values if key[:3] == (variant, train, "pair"))
    lines = []
    for direction in directions:
        score = next((one for one in MAIN_SCORES if (variant, train, "pair", direction, one) in values), None)
        if score is None:
            continue
        target = direction.rpartition("_")[2]
        beside = {
            "pair": ("pair", direction),
            "solo": ("solo", direction),
            "retrieval": ("baseline retrieval", direction),
            "floor": ("floor", f"{target}_{target}"),
        }
        found = {
            name: values[variant, train, *place, score]
            for name, place in beside.items()
            if (variant, train, *place, score) in values
        }
        told = "  ".join(f"{name} {_spread(one)}" for name, one in found.items())
        lines.append(f"  {head}  {direction} {score}: {told}")
    return lines


def _spread(values: Sequence[float]) -> str:
    middle = f"{median(values):.4f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.4f}-{max(values):.4f})"
