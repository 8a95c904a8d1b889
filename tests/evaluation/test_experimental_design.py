from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pairvae.evaluation.experimental_design.batch import Preferences, greedy_batch
from pairvae.evaluation.experimental_design.features import component_scores, targets_of
from pairvae.evaluation.experimental_design.gaussian_process import (
    UNKNOWN_MEAN,
    GaussianProcess,
    Kernel,
    fit,
)

PLACES = np.linspace(-2, 2, 9)[:, None]


def process_at(places: np.ndarray, noise: float = 0.01) -> GaussianProcess:
    """A process of one target with unit amplitude and a length of 1, measured at ``places``."""
    one = np.ones(1)
    return GaussianProcess(
        Kernel(1.0, 0.0, 1.0), places, 0 * one, one, noise * one, one, np.zeros((len(places), 1))
    )


def test_a_linear_law_is_found_from_few_samples() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(40, 3))
    law = features @ np.array([[1.0, 0.0], [0.5, -2.0], [0.0, 1.0]]) + np.array([3.0, -1.0])
    found = fit(features[:20], law[:20]).predict(features[20:])
    assert np.abs(found - law[20:]).max() < 0.15


def test_samples_that_say_the_same_count_as_one_where_nothing_is_measured() -> None:
    places = np.array([[0.0]] * 8 + [[40.0]] * 2) + np.linspace(0, 0.1, 10)[:, None]
    values = np.array([[1.0]] * 8 + [[0.0]] * 2)
    process = fit(places, values)
    far = replace(process, kernel=replace(process.kernel, length=1.0, share=0.0, scale=1.0))
    gram = far.kernel(places, places) + process.noise * np.eye(len(places))
    far = replace(far, weights=np.linalg.solve(gram, (values - process.mean) / process.scale))
    assert far.predict(np.array([[20.0]]))[0, 0] < 0.7  # their plain mean is 0.8


def test_variance_is_that_of_the_textbook() -> None:
    found = process_at(np.zeros((1, 1))).variance(np.array([[0.0], [1.0], [50.0]]))[:, 0]
    kernel = np.exp([0.0, -0.5, -1250.0]) + UNKNOWN_MEAN
    assert found == pytest.approx(2 - kernel**2 / 2.01)


def test_a_choice_is_the_one_whose_measurement_lowers_the_variance_most() -> None:
    process = process_at(PLACES[:2])
    batch = greedy_batch(process, PLACES, 3)
    known: list[int] = []
    for number in batch.chosen:
        left = [process.variance(PLACES, PLACES[[*known, one]]).sum() for one in range(len(PLACES))]
        assert number == int(np.argmin(left))
        known.append(number)
    brute = np.sqrt(process.variance(PLACES, PLACES[known]).mean())
    assert batch.total[-1] == pytest.approx(brute, rel=1e-4)


def test_a_batch_asks_nothing_twice_and_keeps_to_costs_limits_and_pending_samples() -> None:
    twins = np.concatenate([np.full((5, 1), -3.0), np.full((4, 1), 3.0)])
    process = process_at(np.zeros((1, 1)))
    assert {number < 5 for number in greedy_batch(process, twins, 2).chosen} == {True, False}
    assert greedy_batch(process, twins, 1, Preferences(pending=[0])).chosen[0] >= 5
    assert (
        greedy_batch(process, twins, 1, Preferences(costs=np.r_[np.full(5, 9.0), np.ones(4)])).chosen[0] >= 5
    )
    allowed = np.arange(9) >= 7
    assert set(greedy_batch(process, twins, 9, Preferences(allowed=allowed)).chosen) == {7, 8}
    novelty = {"novelty": (1.0, np.arange(9.0))}
    assert greedy_batch(process, twins, 1, Preferences(novelty, error_weight=0.0)).chosen == (8,)


def test_targets_give_their_curves_back_and_missing_numbers_count_as_usual() -> None:
    generator = np.random.default_rng(1)
    curves = generator.normal(size=(12, 2)) @ generator.normal(size=(2, 30))
    targets = targets_of({"spacing": np.r_[np.nan, np.arange(1.0, 12)]}, curves)
    assert targets.curves(targets.values) == pytest.approx(curves)
    assert targets.values[0, 0] == 6.0


def test_components_of_many_samples_are_those_of_few() -> None:
    flat = np.random.default_rng(2).normal(size=(40, 10)) * np.arange(10, 0, -1)
    few, many = component_scores(flat[:, :10], 4), component_scores(np.pad(flat, ((0, 0), (0, 50))), 4)
    assert np.abs(few) == pytest.approx(np.abs(many), rel=1e-6)


def test_a_process_needs_three_samples() -> None:
    with pytest.raises(ValueError, match="at least 3 samples, not 2"):
        fit(np.zeros((2, 3)), np.zeros((2, 1)))
    constant = fit(np.eye(4), np.full((4, 1), 7.0))
    assert constant.predict(np.ones((1, 4)))[0, 0] == pytest.approx(7.0)
    assert replace(constant, noise=np.array([0.1])).variance(np.ones((1, 4))).max() < 1e-6
