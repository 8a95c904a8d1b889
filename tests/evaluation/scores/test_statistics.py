"""Medians, intervals and paired tests with known numbers; samples are the unit, not crops."""

import numpy as np
import pytest
from scipy.stats import binom, wilcoxon

from pairvae.evaluation.scores.statistics import (
    by_sample,
    comparisons,
    interval,
    paired,
    ranking,
    resampled_medians,
    resamples,
    summary,
)


def test_resampled_medians_are_those_of_the_values_written_out() -> None:
    generator = np.random.default_rng(0)
    for shape in ((7,), (6, 4), (5, 3)):
        values, counts = generator.random(shape), resamples(shape[0], seed=1, count=50)
        expected = [np.median(np.repeat(values, row, axis=0)) for row in counts]
        np.testing.assert_allclose(resampled_medians(values, counts), expected)


def test_resamples_are_seeded_and_as_many_as_the_samples() -> None:
    counts = resamples(9, seed=3, count=200)
    assert counts.shape == (200, 9) and (counts.sum(1) == 9).all()
    assert (counts == resamples(9, seed=3, count=200)).all()
    assert (counts != resamples(9, seed=4, count=200)).any()


def test_interval_of_a_median_is_that_of_order_statistics() -> None:
    """For distinct values the bootstrap of a median has a closed form (Efron 1979, section 3)."""
    n = 15
    low, high = interval(np.arange(float(n)), resamples(n, seed=0, count=20_000))
    # The median is at most the k-th value when at least 8 of 15 draws are among the first k + 1.
    at_most = np.array([binom.sf(n // 2, n, (k + 1) / n) for k in range(n)])
    assert low == np.searchsorted(at_most, 0.025)
    assert high == np.searchsorted(at_most, 0.975)


def test_crops_of_one_sample_are_no_further_samples() -> None:
    """Ten equal crops must not make the interval narrower than one crop does."""
    one = np.random.default_rng(2).random(20)
    counts = resamples(20, seed=0)
    assert interval(np.repeat(one[:, None], 10, axis=1), counts) == pytest.approx(
        interval(one, counts), abs=0.03
    )
    naive = interval(np.repeat(one, 10), resamples(200, seed=0))
    width = np.diff(interval(one, counts))[0]
    assert np.diff(naive)[0] < 0.6 * width


def test_interval_holds_the_true_median_about_as_often_as_it_says() -> None:
    generator, counts, inside = np.random.default_rng(5), resamples(25, seed=0, count=400), 0
    for _ in range(300):
        low, high = interval(generator.normal(size=25), counts)
        inside += low <= 0 <= high
    assert 0.88 < inside / 300 < 0.99


def test_summary_with_an_interval() -> None:
    found = summary(np.arange(9.0), resamples(9, seed=0))
    assert found["median"] == 4.0 and found["n"] == 9
    assert found["interval"][0] < 4.0 < found["interval"][1]
    assert "interval" not in summary(np.arange(9.0))


def test_paired_test_sees_a_small_shift_in_a_large_spread() -> None:
    generator = np.random.default_rng(1)
    hard = generator.random((24, 1))
    first, second = hard + 0.01 * generator.random((24, 10)), hard + 0.02 + 0.01 * generator.random((24, 10))
    found = paired(first, second)
    assert found["median_difference"] == pytest.approx(-0.02, abs=0.003)
    assert found["interval"][1] < 0
    assert found["p"] < 1e-5 and found["better"] == 1.0 and found["n"] == 24 and found["verdict"] == "better"
    assert paired(second, first)["verdict"] == "worse"


def test_paired_p_value_is_exact_for_few_samples() -> None:
    """Six differences of one sign: 2 of the 2^6 sign patterns are as extreme."""
    gaps = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    found = paired(gaps, np.zeros(6))
    assert found["p"] == pytest.approx(2 / 64) and found["interval"] == pytest.approx([0.1, 0.6])
    assert paired(gaps, gaps)["p"] == 1.0
    assert paired(gaps[:5], np.zeros(5))["interval"] is None, "five signs cannot reach p of 0.05"


@pytest.mark.parametrize("n", [6, 24, 50, 60])
def test_interval_and_p_value_of_the_paired_test_agree(n: int) -> None:
    """The p value is scipy's; the interval leaves 0 out exactly where p is at most 0.05; so does the verdict."""
    generator, told = np.random.default_rng(n), 0
    for shift in np.linspace(0, 1.2, 25):
        gaps = generator.normal(shift, 1, n)
        found = paired(gaps, np.zeros(n))
        method = "exact" if n <= 50 else "approx"
        assert found["p"] == pytest.approx(wilcoxon(gaps, method=method, correction=n > 50).pvalue)
        low, high = found["interval"]
        apart = not low <= 0 <= high
        assert apart == (found["p"] <= 0.05) == (found["verdict"] != "not told apart")
        told += apart
    assert 0 < told < 25


def test_best_method_and_those_not_told_apart_from_it() -> None:
    hard = np.random.default_rng(3).random(24)
    errors = {"far": hard + 0.5, "best": hard, "near": hard + np.resize([0.1, -0.1], 24)}
    found = ranking(errors, {name: float(np.median(one)) for name, one in errors.items()})
    assert found == {"best": "best", "not_told_apart": ["near"], "n": 24}
    lucky = ranking({"a": hard, "b": hard - 0.1}, {"a": 0.0, "b": 1.0})
    assert lucky == {"best": "b", "not_told_apart": [], "n": 24}, "the test goes before the median"


def test_crops_count_once_per_sample() -> None:
    assert by_sample(np.array([[1.0, 3.0], [2.0, 2.0]])).tolist() == [2.0, 2.0]
    assert by_sample(np.array([1.0, 2.0])).tolist() == [1.0, 2.0]


def test_comparisons_take_the_members_and_what_both_have() -> None:
    model = {"a_b": {"mae": np.array([[1.0, 1.0], [2.0, 2.0], [9.0, 9.0]]), "own": np.ones(3)}}
    others = {
        "mean": {"a_b": {"mae": np.array([2.0, 3.0, 0.0]), "else": np.ones(3)}, "b_a": {"mae": np.ones(3)}}
    }
    found = comparisons(model, others, [0, 1])
    assert set(found) == {"mean"} and set(found["mean"]) == {"a_b"} and set(found["mean"]["a_b"]) == {"mae"}
    assert found["mean"]["a_b"]["mae"]["median_difference"] == -1.0
    assert found["mean"]["a_b"]["mae"]["n"] == 2


def test_interval_holds_the_middle_95_percent_of_the_medians() -> None:
    values = np.arange(41.0)
    each = np.eye(41, dtype=np.int64)  # every resample is one value, so its median is that value
    assert interval(values, each) == pytest.approx([1.0, 39.0])
