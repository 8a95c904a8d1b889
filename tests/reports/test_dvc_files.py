from __future__ import annotations

import csv
import json
from importlib.resources import files
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pairvae.reports.dvc_files import ENSEMBLES, mean_curves, single_scores, summary_numbers, write_plots
from pairvae.reports.report_data import ReportData


def test_curves_have_a_column_each_and_no_word_of_yaml(content: ReportData) -> None:
    rows = mean_curves(content.bands)
    names = ("SEM → SEM, trained alone", "SEM → SEM, paired model", "SAXS → SEM, paired model")
    assert set(rows[0]) == {"distance_px", "measured", *names}
    drawn = YAML(typ="safe").load(files("pairvae").joinpath("template", "dvc.yaml").read_text("utf-8"))[
        "plots"
    ]
    (curves,) = [next(iter(plot.values()))["y"] for plot in drawn if "S(r)" in plot]
    assert curves == {"reports/plots/s2_validation.csv": ["measured", *names]}
    assert rows[3]["measured"] == pytest.approx(content.bands["s2"]["validation"]["true"][0, 3])


def test_single_scores_are_the_validation_pairs(content: ReportData) -> None:
    rows = single_scores(content.distributions, "saxs")
    values = [row["mae"] for row in rows if row["method"] == "SEM → SAXS, paired model"]
    assert values == content.distributions["validation"]["pair"]["sem_saxs"]["mae"]


def test_summary_holds_what_decides(content: ReportData) -> None:
    found = summary_numbers(content.metrics)
    validation = content.metrics["splits"]["validation"]
    assert found == {
        "saxs_sem.energy.pair": validation["ensembles"]["pair"]["energy_score"],
        "saxs_sem.energy.floor": validation["ensembles"]["floor"]["energy_score"],
        "saxs_sem.s2.pair": validation["pair"]["saxs_sem"]["s2_mae"]["median"],
        "saxs_sem.s2.retrieval": validation["baselines"]["retrieval"]["saxs_sem"]["s2_mae"]["median"],
        "sem_saxs.mae.pair": validation["pair"]["sem_saxs"]["mae"]["median"],
        "sem_saxs.mae.retrieval": validation["baselines"]["retrieval"]["sem_saxs"]["mae"]["median"],
    }
    assert summary_numbers({}) == {}


def test_the_row_of_dvc_metrics_show_fits_in_160_columns_whatever_is_scored(content: ReportData) -> None:
    validation = content.metrics["splits"]["validation"]
    leaf = validation["pair"]["saxs_sem"]["s2_mae"]
    scores = {"s2_mae": leaf, "mae": leaf, "another_mae": leaf}
    directions = dict.fromkeys(("saxs_sem", "sem_saxs", "sem_sem", "saxs_saxs"), scores)
    everything = {
        **dict.fromkeys(("solo", "pair", "whole", "later"), directions),
        "baselines": dict.fromkeys(("retrieval", "regression", "unet", "later"), directions),
        "floor": directions,
        "ensembles": {key: {"energy_score": 0.1, "mean_curve_mae": 0.1} for key in (*ENSEMBLES, "later")},
        "realism": {key: {"auc": 0.5} for key in ("saxs_sem", "sem_sem")},
    }
    found = summary_numbers({"splits": {"validation": everything}})
    assert len(found) == 6
    assert len("    ".join(["reports/summary.json", *found])) <= 161  # two of them go after the path


def test_other_modalities_are_summarised_too() -> None:
    leaf = {"median": 0.1, "q1": 0.1, "q3": 0.1, "n": 3}
    directions = {"iq_sem": {"s2_mae": leaf}, "sem_iq": {"mae": leaf}, "sem_sem": {"s2_mae": leaf}}
    found = summary_numbers({"splits": {"validation": {"pair": directions}}})
    assert found == {"iq_sem.s2.pair": 0.1, "sem_iq.mae.pair": 0.1}


def test_files_are_there_even_where_a_run_has_no_data(tmp_path: Path) -> None:
    write_plots(ReportData({}, {}, [], {}), tmp_path)
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
