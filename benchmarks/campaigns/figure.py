"""Figure and table of campaigns: `python -m benchmarks.campaigns.figure campaigns.json --out docs/campaigns.png`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from pairvae.reports.style import CYCLE, DASHES, panels, styled
from pairvae.store import atomic_path
from pairvae.store.rows import write_table

TITLES = {"film": "built-in film", "broad": "broad world"}
DPI = 160


@styled
def draw(found: dict[str, object], path: Path) -> None:
    """Median error with quartiles against the number of measured pairs, a panel a world."""
    results, counts = found["results"], found["counts"]
    assert isinstance(results, dict) and isinstance(counts, list)
    drawing, grid = panels(1, len(results))
    for axes, (world, strategies) in zip(grid[0], results.items(), strict=True):
        for (name, scores), colour, dash in zip(strategies.items(), CYCLE[1:], DASHES, strict=False):
            low, middle, high = np.percentile(np.array(scores["both"]), [25, 50, 75], axis=0)
            axes.plot(counts, middle, color=colour, linestyle=dash, label=name)
            axes.fill_between(counts, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.set(title=TITLES[world], xlabel="measured pairs", ylabel="error on test films")
    grid[0][0].legend()
    with atomic_path(path) as temporary:
        drawing.savefig(temporary, format="png", dpi=DPI)


def write_medians(found: dict[str, object], path: Path) -> None:
    """Median and quartiles of every score as CSV."""
    results, counts = found["results"], found["counts"]
    assert isinstance(results, dict) and isinstance(counts, list)
    rows = [
        {
            "world": world,
            "strategy": name,
            "score": score,
            "pairs": pairs,
            "q1": low,
            "median": middle,
            "q3": high,
        }
        for world, strategies in results.items()
        for name, scores in strategies.items()
        for score, values in scores.items()
        for pairs, (low, middle, high) in zip(
            counts, np.percentile(np.array(values), [25, 50, 75], axis=0).T.round(4).tolist(), strict=True
        )
    ]
    write_table(path, rows)


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/campaigns.png"))
    parser.add_argument("--table", type=Path, default=Path("benchmarks/campaigns/results.csv"))
    chosen = parser.parse_args()
    found = json.loads(chosen.results.read_text(encoding="utf-8"))
    draw(found, chosen.out)
    write_medians(found, chosen.table)


if __name__ == "__main__":
    main()
