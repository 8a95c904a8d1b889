"""The classifier two-sample test: known AUC, no sample on both sides, and nothing told apart where nothing differs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pairvae.evaluation.realism import auc, halves, realism, two_sample_test
from pairvae.training.classifier import train_judge


def test_auc_is_the_chance_of_a_higher_value() -> None:
    assert auc(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1.0
    assert auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 0.0
    assert auc(np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0])) == 0.5
    assert auc(np.array([0.0, 2.0]), np.array([1.0, 3.0])) == pytest.approx(3 / 4)


def test_halves_divide_each_morphology() -> None:
    names = ["a"] * 6 + ["b"] * 4 + [None] * 2
    own, other = halves(names, seed=0)
    assert sorted([*own, *other]) == list(range(12))
    assert [names[row] for row in own] == ["a"] * 3 + ["b"] * 2 + [None]
    assert halves(names, seed=0)[0].tolist() == own.tolist() != halves(names, seed=1)[0].tolist()


def test_classifiers_judge_only_samples_that_they_were_not_trained_on() -> None:
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((6, 4, 6, 6), np.uint8)
    seen, judged = [], []

    def train(first: np.ndarray, second: np.ndarray, side: int, seed: int) -> Any:
        assert side == 4
        seen.append(set(np.unique(first).tolist()))

        def judge(kind: np.ndarray) -> np.ndarray:
            judged.append(set(np.unique(kind).tolist()))
            return np.zeros(len(kind))

        return judge

    found = realism({"saxs_sem": images}, images, [None] * 6, train, 0)
    assert found == {"saxs_sem": {"auc": 0.5, "accuracy": 0.5, "control_auc": 0.5, "n": 6}}
    assert all(known | held_out == set(range(6)) for known, held_out in zip(seen, judged[::2], strict=True))
    assert all(not known & held_out for known, held_out in zip(seen, judged[::2], strict=True))
    assert realism({}, images[:3], [None] * 3, train, 0) == {}


def test_network_tells_ragged_from_smooth_edges_and_not_like_from_like() -> None:
    generator = np.random.default_rng(0)
    phase = generator.uniform(0, 6, (8, 4, 1, 1)) + generator.uniform(0, 6, (8, 1, 1, 1))
    smooth = (np.cos(np.arange(48) / 2 + phase + np.zeros((48, 1))) > 0).astype(np.uint8)
    ragged = smooth ^ (generator.random(smooth.shape) < 0.1).astype(np.uint8)

    def train(first: np.ndarray, second: np.ndarray, side: int, seed: int, steps: int = 40) -> Any:
        return train_judge(first, second, side, seed, torch.device("cpu"), steps=steps).logits

    before = torch.random.get_rng_state()
    assert two_sample_test(ragged, smooth, [None] * 8, train, 0)["auc"] > 0.95
    assert two_sample_test(smooth[:, :2], smooth[:, 2:], [None] * 8, train, 0)["auc"] < 0.8
    assert torch.equal(before, torch.random.get_rng_state())
    one, again = (train(ragged[0], smooth[0], 32, 5, 2)(smooth[1]) for _ in range(2))
    assert one.tolist() == again.tolist(), "seeded"
