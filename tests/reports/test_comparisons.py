from __future__ import annotations

from typing import Any

import pytest

from pairvae.reports.comparisons import block_numbers, comparisons, warnings


@pytest.mark.parametrize(
    ("block", "name", "text"),
    [
        ([{"name": "leakage", "text": "3 and 7 are alike"}], "leakage", "3 and 7 are alike"),
        (["uniform_images: 4 of 24"], "uniform images", "4 of 24"),
        (["something is wrong"], "warning", "something is wrong"),
        ({"leakage": ["3", "7"]}, "leakage", "3, 7"),
        ({"leakage": {"samples": 2}}, "leakage", "samples 2"),
    ],
)
def test_warnings_are_named_whatever_their_form(block: Any, name: str, text: str) -> None:
    (found,) = warnings({"warnings": block})
    assert (found.name, found.text) == (name, text)


def test_no_warnings() -> None:
    assert warnings({}) == []
    assert warnings({"warnings": None}) == []


def leaf(difference: float, p: float) -> dict[str, Any]:
    interval = [difference - 0.001, difference + 0.001]
    return {"median_difference": difference, "interval": interval, "p": p, "better": 0.8, "n": 24}


def test_comparisons_are_labelled_by_what_leads_to_them() -> None:
    block = {
        "retrieval": {"saxs_sem": {"s2_mae": leaf(-0.002, 0.0002), "orientation_error": leaf(0.1, 0.01)}}
    }
    first, second = comparisons({"comparisons": block})
    assert first.label == "retrieval, SAXS → SEM, S(r) error"
    assert (first.difference, first.interval, first.p) == ("-0.002", "-0.003 to -0.001", "< 0.001")
    assert (first.n, first.verdict, first.main) == ("24", "better", True)
    assert (second.verdict, second.main) == ("worse", False)


def test_the_verdict_is_that_of_the_interval() -> None:
    given = [{**leaf(-0.1, 0.2), "interval": [-0.3, 0.1]}, {**leaf(-0.1, 0.25), "interval": None}]
    given.append({**leaf(-0.1, 0.04), "verdict": "worse"})
    assert [one.verdict for one in comparisons({"comparisons": given})] == [
        "not told apart", "not told apart", "worse",
    ]  # fmt: skip


def test_no_comparisons() -> None:
    assert comparisons({}) == []
    assert comparisons({"comparisons": {"text": "none", "n": 3}}) == []


def test_blocks_are_listed_number_by_number() -> None:
    metrics = {
        "ensembles": {"validation": {"pair": {"saxs_sem": {"frechet": 0.5, "repeats": None}}}},
        "leakage": {"saxs": {"p": 0.25, "nearest": "00007"}},
        "uncertainty": None,
        "splits": {"x": 1},
    }
    assert block_numbers(metrics) == {
        "ensembles": [("validation, paired model, SAXS → SEM, frechet", "0.500")],
        "leakage": [("saxs, p", "0.250")],
    }
