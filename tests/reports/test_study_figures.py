from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.reports.report_data import ReportData, Study
from pairvae.reports.study_figures import (
    FIGURES,
    MEDIANS,
    NOTE,
    box_rows,
    draw,
    medians,
    read_study,
    sizes_of,
    study_boxes,
    study_table,
    table_s2,
)

KEYS = ("train_pairs", "split_seed", "split", "model", "direction", "score")


def write(path: Path, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return path


def tables(folder: Path, *, single: bool = True) -> Path:
    """Two seeds of one size: single scores 0.01, 0.03 and 0.02, 0.06."""
    way = ("validation", "pair", "saxs_sem", "s2_mae")
    summaries = [(32, 42, *way, 0.02, 0.015, 0.025, 2), (32, 43, *way, 0.04, 0.03, 0.05, 2)]
    path = write(folder / "study.csv", (*KEYS, "median", "q1", "q3", "n"), list(summaries))
    if single:
        values = [(42, 0.01), (42, 0.03), (43, 0.02), (43, 0.06)]
        rows = [(32, seed, *way, f"{place}", value) for place, (seed, value) in enumerate(values)]
        rows.append((32, 42, "validation", "pair", "saxs_sem", "lineal_path_mae", "0", 9.0))
        write(folder / "study_images.csv", (*KEYS, "sample", "value"), list(rows))
    return path


def test_single_scores_of_all_seeds_are_pooled(tmp_path: Path) -> None:
    study = read_study(tables(tmp_path))
    assert study is not None
    assert medians(study) == {(32, "validation", "pair", "saxs_sem", "s2_mae"): (pytest.approx(0.025), 4)}
    (row,) = box_rows(study, "s2_mae")
    assert row["notch_high"] == pytest.approx(0.025 + 1.57 * (0.0375 - 0.0175) / 2)


def test_without_single_scores_the_median_over_seeds_stands_in(tmp_path: Path) -> None:
    study = read_study(tables(tmp_path, single=False))
    assert study is not None
    assert medians(study) == {(32, "validation", "pair", "saxs_sem", "s2_mae"): (pytest.approx(0.03), 4)}
    assert len(study_boxes(study, "s2_mae").axes) == 2
    assert len(box_rows(study, "s2_mae")) == 2


def test_the_published_medians_stand_below(tmp_path: Path) -> None:
    study = read_study(tables(tmp_path))
    assert study is not None
    rows = table_s2(study)
    assert [row["source"] for row in rows] == ["validation", NOTE, NOTE, NOTE]
    assert rows[2]["SAXS → SEM, paired model"] == 0.010
    assert MEDIANS[32, "solo", "saxs_saxs"] == 0.034
    printed = study_table(study)
    assert printed[0]["SAXS → SEM, paired model"] == "0.0250"
    assert len({tuple(row) for row in printed}) == 1, "all rows have the same columns"


def test_figures_are_drawn_from_the_tables_alone(tmp_path: Path) -> None:
    draw(tables(tmp_path), tmp_path / "figures")
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {f"{name}.{end}" for name in FIGURES for end in ("png", "svg", "csv")} | {"table_s2.csv"}


def test_no_study_is_one_clear_line(tmp_path: Path) -> None:
    assert read_study(tmp_path / "study.csv") is None
    with pytest.raises(InputError, match="run `pairvae study`"):
        draw(tmp_path / "study.csv", tmp_path)


def test_a_table_without_its_columns_names_the_first_that_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "study.csv", ("train_pairs", "split"), [(32, "all")])
    with pytest.raises(InputError, match="a column model"):
        read_study(path)


def test_boxes_of_both_panels_share_their_axis(content: ReportData) -> None:
    assert content.study is not None
    drawing = study_boxes(content.study, "mae")
    first, second = drawing.axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[0] == 0
    assert [label.get_text() for label in first.get_xticklabels()] == ["32", "48"]
    assert sizes_of(content.study) == [32, 48]


def test_a_study_of_variants_is_not_mixed_in(tmp_path: Path) -> None:
    way = ("validation", "pair", "saxs_sem", "s2_mae")
    rows = [(32, 42, *way, "0", 0.01, ""), (32, 42, *way, "0", 0.09, "no input noise")]
    write(tmp_path / "study_images.csv", (*KEYS, "sample", "value", "variant"), list(rows))
    study = read_study(tmp_path / "study.csv")
    assert isinstance(study, Study)
    np.testing.assert_allclose(study.values[32, *way], [0.01])
