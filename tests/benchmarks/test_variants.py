"""The table of a study of variants: medians over splits, and splits won."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmarks.variants import table
from pairvae.commands.study.result_tables import COLUMNS, DRAW_COLUMNS


def write(path: Path, columns: tuple[str, ...], rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)


def test_medians_and_the_splits_on_which_a_variant_is_better(tmp_path: Path) -> None:
    scores = {"pairs": [0.011, 0.010, 0.012], "patterns": [0.010, 0.011]}  # one cell is not finished
    covered = {"pairs": [0.85, 0.80, 0.90], "patterns": [0.97, 0.93]}
    common = {"train_pairs": 16, "split": "validation", "direction": "saxs_sem"}

    def rows(of: dict[str, list[float]], value: str, **more: str) -> list[dict[str, object]]:
        return [
            {**common, **more, "variant": variant, "split_seed": 42 + number, value: one}
            for variant, values in of.items()
            for number, one in enumerate(values)
        ]

    retrieval = rows({"pairs": [0.02, 0.03, 0.04]}, "median", model="baseline retrieval", score="s2_mae")
    elsewhere = [{**one, "split": "train"} for one in rows(scores, "median", model="pair", score="s2_mae")]
    own = rows(scores, "median", model="pair", score="s2_mae")
    write(tmp_path / "mine.csv", COLUMNS, [*own, *retrieval, *elsewhere])
    write(tmp_path / "mine_draws.csv", DRAW_COLUMNS, rows(covered, "coverage", quantity="phase_fraction"))
    lines = table(tmp_path / "mine.csv")
    assert lines[0] == "| score | pairs | patterns |"
    assert "| SAXS to SEM: S(r) | 0.0110 | 0.0105 (1/2) |" in lines
    assert "| coverage of the phase fraction (90 %) | 0.85 | 0.95 (1/2) |" in lines
    assert lines[-2:] == [
        "retrieval: SAXS to SEM: S(r) 0.0300",
        "splits: {'pairs': 3, 'patterns': 2}",
    ]
