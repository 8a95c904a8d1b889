"""The table of scores and times that a finished pipeline prints."""

from pairvae.reports.terminal import score_lines, time_lines


def leaf(value: float) -> dict[str, float]:
    return {"median": value}


METRICS = {
    "validation_pairs": 24,
    "splits": {
        "validation": {
            "pair": {"saxs_sem": {"s2_mae": leaf(0.0086)}, "sem_saxs": {"mae": leaf(0.0222)}},
            "baselines": {
                "regression": {"saxs_sem": {"s2_mae": leaf(0.0087)}},
                "retrieval": {"saxs_sem": {"s2_mae": leaf(0.0129)}, "sem_saxs": {"mae": leaf(0.0307)}},
            },
            "floor": {"sem_sem": {"s2_mae": leaf(0.0084)}},
        }
    },
    "ranking": {
        "validation": {
            "saxs_sem": {"s2_mae": {"best": "pair", "not_told_apart": ["regression"]}},
            "sem_saxs": {"mae": {"best": "pair", "not_told_apart": []}},
        }
    },
}


def test_best_and_tied_methods_are_marked_beside_the_floor() -> None:
    assert score_lines(METRICS) == [
        "24 validation pairs                SAXS to SEM, S(r) error  SEM to SAXS, pixel error",
        "---------------------------------  -----------------------  ------------------------",
        "paired model                                     0.00860 *                  0.0222 *",
        "direct regression                                0.00870 ~",
        "retrieval                                         0.0129                    0.0307",
        "another crop of the image (floor)                0.00840",
        "Medians, lower is better. * best, ~ not told apart from the best (paired test).",
    ]


def test_nothing_is_printed_without_scores_or_stages() -> None:
    assert score_lines({"splits": {"validation": {"floor": {}}}}) == []
    assert time_lines({}) == []


def test_times_add_up() -> None:
    assert time_lines({"raw": 8.0, "train-sem": 226.4}) == [
        "stage      time",
        "---------  ----",
        "raw        0:08",
        "train-sem  3:46",
        "together   3:54",
    ]
