"""Means of several measurements together: each technique tells what the other does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pairvae.calibration.joint_mean import JointMean, regressed, weighted
from pairvae.models.joint import JointPosterior, joints_of_card
from pairvae.models.posterior import Posterior

SAMPLES, CHANNELS = 40, 4
SCALES = {"saxs": np.array([1.0, 0.5, 2.0]), "afm": np.ones(1)}


def measured(count: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Features of two techniques, of which each tells two channels of the latents ``(N, 4, 1)``, with noise."""
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(count, CHANNELS))
    more = rng.normal(size=(count, 1))
    features = {"saxs": np.hstack([latents[:, :2], more]), "afm": 10.0 * latents[:, 2:] + 3.0}
    noisy = {name: rows + 0.01 * rng.normal(size=rows.shape) for name, rows in features.items()}
    return noisy, latents[:, :, None]


@pytest.fixture(scope="module")
def mean() -> JointMean:
    features, latents = measured(SAMPLES, 0)
    return regressed(features, SCALES, latents, [str(number) for number in range(SAMPLES)])


def posterior(mean: JointMean) -> JointPosterior:
    return JointPosterior(tuple(mean.slopes), "sem", mean.weights, np.eye(CHANNELS), mean.slopes, mean.bias)


def test_two_techniques_predict_new_samples_better_than_either(mean: JointMean) -> None:
    assert mean.after < 0.05 * mean.before
    features, latents = measured(30, 1)
    blank = torch.zeros(30, CHANNELS, 1, 1)
    given = {
        name: Posterior(blank, blank + 1.0, features=torch.from_numpy(rows).float())
        for name, rows in features.items()
    }
    found = posterior(mean).of(given)
    error = np.square(found.mean.numpy()[..., 0] - latents).mean()
    assert error < 0.01
    assert found.mean.shape == found.std.shape == (30, CHANNELS, 1, 1)


def test_the_card_keeps_the_regression_and_refuses_another_latent_space(mean: JointMean) -> None:
    modalities = {name: {"latent": {"channels": CHANNELS}} for name in ("saxs", "afm", "sem")}
    card = {"modalities": modalities, "joint": [posterior(mean).card()]}
    ((key, kept),) = joints_of_card(card).items()
    assert key == (frozenset({"saxs", "afm"}), "sem")
    for name, slope in mean.slopes.items():
        np.testing.assert_allclose(kept.slopes[name], slope, atol=1e-6)
    card["joint"][0]["slopes"]["afm"].pop()
    with pytest.raises(ValueError, match="does not fit"):
        joints_of_card(card)


def test_without_features_means_are_weighted_by_their_errors() -> None:
    target = np.zeros((SAMPLES, CHANNELS, 1))
    rng = np.random.default_rng(2)
    unseen = {
        "saxs": target + rng.normal(size=target.shape),
        "afm": target + 3 * rng.normal(size=target.shape),
    }
    found = weighted(unseen, target)
    assert found.weights[0] == pytest.approx(0.9, abs=0.05)
    assert found.after <= found.before
