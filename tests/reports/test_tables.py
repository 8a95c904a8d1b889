from __future__ import annotations

import copy
from typing import Any

import pytest

from pairvae.reports.report_data import ReportData
from pairvae.reports.tables import figure, generation_table, lookup, score_tables


def summary(median: float, n: int = 24) -> dict[str, float]:
    return {"median": median, "q1": median / 2, "q3": median * 2, "n": n}


def metrics(model: float, retrieval: float, floor: float) -> dict[str, Any]:
    validation = {
        "pair": {"saxs_sem": {"s2_mae": summary(model)}},
        "baselines": {"retrieval": {"saxs_sem": {"s2_mae": summary(retrieval)}}},
        "floor": {"sem_sem": {"s2_mae": summary(floor)}},
    }
    return {"estimator": "unbiased", "splits": {"validation": validation}}


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "0.0123"), (1.5, "1.50"), (0.0, "0"), (0.00006, "6.00e-05"), (0.1, "0.100")]
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert figure(value) == text


def test_the_best_and_those_not_told_apart_are_marked_and_never_the_floor() -> None:
    tree = metrics(0.02, 0.01, 0.001)
    (table,) = score_tables(tree)
    assert not any(cell and cell.best for row in table.rows for cell in row.cells), (
        "medians alone decide nothing"
    )
    found = {"best": "retrieval", "not_told_apart": ["pair"], "n": 24}
    ranking = {"saxs_sem": {"s2_mae": found}, "sem_sem": {"s2_mae": {"best": "floor", "not_told_apart": []}}}
    (table,) = score_tables({**tree, "ranking": {"validation": ranking}, "validation_pairs": 24})
    marked = [row.label for row in table.rows if row.cells[0] and row.cells[0].best]
    assert marked == ["SAXS → SEM, paired model", "SAXS → SEM, retrieval"]
    assert table.rows[-1].kind == "floor"
    assert table.columns == ("validation (24 samples)",)


def test_a_method_scored_in_one_split_only_leaves_an_empty_cell() -> None:
    tree = metrics(0.01, 0.02, 0.005)
    tree["splits"]["train"] = copy.deepcopy(tree["splits"]["validation"])
    del tree["splits"]["train"]["baselines"]
    (table,) = score_tables(tree)
    rows = {row.label: row.cells for row in table.rows}
    assert table.columns == ("validation", "training")
    assert rows["SAXS → SEM, retrieval"][1] is None


def test_sem_images_come_first_and_every_score_has_a_table(content: ReportData) -> None:
    titles = [table.title for table in score_tables(content.metrics)]
    assert titles[:3] == ["SEM: S(r) error", "SAXS: pixel error", "SEM: lineal path error"]
    assert len(titles) == 5


def test_generation_rows_follow_the_paper(content: ReportData) -> None:
    table = generation_table(content.metrics)
    assert table is not None
    assert [row.label for row in table.rows] == ["hexagonal", "skew", "alternating lines", "ladders"]
    assert generation_table({"generation": {}}) is None


def test_lookup_of_a_missing_key_is_none() -> None:
    assert lookup({"a": {"b": 1}}, "a", "b") == 1
    assert lookup({"a": {"b": 1}}, "a", "b", "c") is None
