from __future__ import annotations

import csv
import json
from importlib.resources import files
from pathlib import Path

import pytest

from pairvae.reports.content import ReportContent
from pairvae.reports.dvc_files import mean_curves, single_scores, summary_numbers, write_plots


def test_curves_have_a_column_each_and_no_word_of_yaml(content: ReportContent) -> None:
    rows = mean_curves(content.bands)
    assert set(rows[0]) == {"distance_px", "measured", "solo_sem_sem", "pair_sem_sem", "pair_saxs_sem"}
    assert rows[3]["measured"] == pytest.approx(content.bands["s2"]["validation"]["true"][0, 3])


def test_single_scores_are_the_validation_pairs(content: ReportContent) -> None:
    rows = single_scores(content.distributions, "saxs")
    values = [row["mae"] for row in rows if row["method"] == "SEM → SAXS, paired model"]
    assert values == content.distributions["validation"]["pair"]["sem_saxs"]["mae"]


def test_summary_holds_what_decides(content: ReportContent) -> None:
    found = summary_numbers(content.metrics)
    validation = content.metrics["splits"]["validation"]
    assert found["SEM: SAXS → SEM, paired model"] == validation["pair"]["saxs_sem"]["s2_mae"]["median"]
    assert found["SEM: floor: crop to crop"] == validation["floor"]["sem_sem"]["s2_mae"]["median"]
    assert not any("SEM → SEM" in name or "SAXS → SAXS" in name for name in found)
    assert summary_numbers({}) == {}


def test_files_are_there_even_where_a_run_has_no_data(tmp_path: Path) -> None:
    write_plots(ReportContent({}, {}, [], {}), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "s2_validation.csv", "scores_sem.csv", "scores_saxs.csv",
    }  # fmt: skip
    with (tmp_path / "scores_sem.csv").open() as stream:
        assert next(csv.DictReader(stream)) == {"method": "none", "s2_mae": "0.0"}


def test_the_box_plot_template_has_dvcs_anchors() -> None:
    template = files("pairvae").joinpath("template", "boxplot.json").read_text()
    assert json.loads(template)["mark"]["type"] == "boxplot"
    for anchor in ("DATA", "X", "Y", "TITLE", "COLOR"):
        assert f"<DVC_METRIC_{anchor}>" in template
