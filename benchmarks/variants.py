"""The table of a study of variants, in Markdown: medians over the splits, and on how many a variant beats the first.

``python -m benchmarks.variants reports/unpaired.csv`` after ``pairvae study --variants unpaired.yaml``. A split counts
for a variant where both are finished; retrieval is that of the first variant's splits.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

TARGET = 0.9  # of coverage
Key = tuple[str, str, str]  # model, direction, score; of draws, the direction and the quantity
Values = Mapping[tuple[str, Key], Mapping[int, float]]  # by variant and key: of each split


@dataclass(frozen=True)
class Line:
    """A row of the table: its name, what it shows, and how far a value is from the best one."""

    name: str
    key: Key
    loss: Callable[[float], float] = lambda value: value


LINES = (
    Line("SAXS to SEM: S(r)", ("pair", "saxs_sem", "s2_mae")),
    Line("SAXS to SEM: lineal path", ("pair", "saxs_sem", "lineal_path_mae")),
    Line("SAXS to SEM: energy score", ("ensemble pair", "saxs_sem", "energy_score")),
    Line("SEM to SAXS: pixels", ("pair", "sem_saxs", "mae")),
    Line("SEM to SEM: S(r)", ("pair", "sem_sem", "s2_mae")),
    Line("SAXS to SAXS, pair: pixels", ("pair", "saxs_saxs", "mae")),
    Line("SAXS to SAXS, alone: pixels", ("solo", "saxs_saxs", "mae")),
    Line("SEM to SEM, alone: S(r)", ("solo", "sem_sem", "s2_mae")),
    Line("coverage of the phase fraction (90 %)", ("draws", "saxs_sem", "phase_fraction"),
         lambda value: abs(value - TARGET)),
)  # fmt: skip


def read(scores: Path) -> tuple[list[str], dict[tuple[str, Key], dict[int, float]]]:
    """The variants in their order, and the values of validation pairs by variant, key and split."""
    found: dict[tuple[str, Key], dict[int, float]] = {}
    names: dict[str, None] = {}
    for path, value in ((scores, "median"), (scores.with_name(f"{scores.stem}_draws.csv"), "coverage")):
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if row["split"] == "validation" and row[value]:
                    key = (
                        row.get("model", "draws"),
                        row["direction"],
                        row.get("score", row.get("quantity", "")),
                    )
                    found.setdefault((row["variant"], key), {})[int(row["split_seed"])] = float(row[value])
                    names[row["variant"]] = None
    return list(names), found


def cell(values: Values, variant: str, first: str, line: Line) -> str:
    """Median over the splits; beside the first variant, on how many of the common splits it is better."""
    own, base = values.get((variant, line.key), {}), values.get((first, line.key), {})
    if not own:
        return ""
    text = f"{median(own.values()):.4f}" if max(own.values()) < 0.5 else f"{median(own.values()):.2f}"
    common = own.keys() & base.keys()
    won = sum(line.loss(own[seed]) < line.loss(base[seed]) for seed in common)
    return text if variant == first else f"{text} ({won}/{len(common)})"


def table(scores: Path) -> list[str]:
    """Lines of Markdown."""
    variants, values = read(scores)
    first = variants[0]
    lines = [f"| score | {' | '.join(variants)} |", f"| --- |{' ---: |' * len(variants)}"]
    for line in LINES:
        cells = [cell(values, variant, first, line) for variant in variants]
        lines.append(f"| {line.name} | {' | '.join(cells)} |")
    retrieval = [
        f"{line.name} {median(values[first, key].values()):.4f}"
        for line in LINES
        if (first, key := ("baseline retrieval", *line.key[1:])) in values and line.key[0] == "pair"
    ]
    splits = {name: len(values[name, LINES[0].key]) for name in variants if (name, LINES[0].key) in values}
    return [*lines, "", f"retrieval: {', '.join(retrieval)}", f"splits: {splits}"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m benchmarks.variants``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", type=Path, help="reports/<name of the variants>.csv")
    print("\n".join(table(parser.parse_args(arguments).scores)))


if __name__ == "__main__":
    main()
