"""Inputs unlike the training data: inside the components, outside of them, and the threshold."""

import numpy as np
import pytest

from pairvae.inference import training_distance


def samples(count: int, seed: int, noise: float = 0.05) -> np.ndarray:
    """Points near a plane of 4 dimensions in 60."""
    plane = np.linalg.qr(np.random.default_rng(0).normal(size=(60, 4)))[0].T
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, 4)) @ plane + noise * generator.normal(size=(count, 60)) + 3.0


def components(inputs: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean = inputs.mean(0)
    _, values, directions = np.linalg.svd(inputs - mean, full_matrices=False)
    return mean, directions[:count], values[:count] / np.sqrt(len(inputs) - 1)


def distances(inputs: np.ndarray, training: np.ndarray, card: training_distance.DistanceScale) -> np.ndarray:
    parts = components(training, card.components)
    return training_distance.distance(*training_distance.scores_and_residuals(inputs, *parts), card)


def test_silent_on_others_of_the_same_kind() -> None:
    training = samples(60, 1)
    card = training_distance.fit(training, 4)
    assert (distances(samples(400, 2), training, card) > card.threshold).mean() < 0.05


def test_fires_far_along_a_component_and_far_from_all() -> None:
    training = samples(60, 1)
    card = training_distance.fit(training, 4)
    along = training[:1] + 8 * components(training, 4)[1][:1]
    generator = np.random.default_rng(3)
    beside = training[:1] + 2.0 * generator.normal(size=(1, 60)) / np.sqrt(60) * 2
    assert (distances(np.concatenate([along, beside]), training, card) > card.threshold).all()


@pytest.mark.parametrize("held", [[3], [3, 4, 7]])
def test_left_out_distances_are_those_of_refitted_components(held: list[int]) -> None:
    training = samples(12, 4)
    known = np.delete(training, held, axis=0)
    centred = training - training.mean(0)
    mask = ~np.isin(np.arange(12), held)
    scores, residuals = training_distance._left_out(centred @ centred.T, mask, np.array(held), 3)
    expected, outside = training_distance.scores_and_residuals(training[held], *components(known, 3))
    np.testing.assert_allclose(np.abs(scores), np.abs(expected), rtol=1e-6)
    np.testing.assert_allclose(residuals, outside, rtol=1e-6)


@pytest.mark.parametrize("named", [True, False], ids=["group", "same file"])
def test_views_of_one_sample_are_left_out_together(named: bool) -> None:
    """With its twins among the others an input lies within 1e-6 of them, and its like is told unlike."""
    single = samples(20, 1)
    generator = np.random.default_rng(8)
    noise = 1e-7 * generator.normal(size=(60, 60)) if named else 0.0
    views = np.repeat(single, 3, axis=0) + noise
    groups = [f"w{row // 3}" for row in range(60)] if named else None
    card = training_distance.fit(views, 4, groups=groups)
    assert card.threshold == pytest.approx(training_distance.fit(single, 4).threshold, rel=0.1)
    assert (distances(samples(200, 2), views, card) > card.threshold).mean() < 0.1


def test_fewer_than_three_groups_are_told() -> None:
    with pytest.raises(ValueError, match="three groups"):
        training_distance.fit(samples(6, 1), 2, groups=["a", "a", "a", "b", "b", "b"])


def test_threshold_is_the_quantile_times_the_margin() -> None:
    training = samples(40, 5)
    low, high = training_distance.fit(training, 4, margin=1.0), training_distance.fit(training, 4, margin=2.0)
    assert high.threshold == pytest.approx(2 * low.threshold)
    assert (
        training_distance.fit(training, 4, quantile=0.5).threshold
        < training_distance.fit(training, 4).threshold
    )


def test_components_are_never_more_than_the_data_allow() -> None:
    card = training_distance.fit(samples(5, 6), 16)
    assert card.components == 3 and np.isfinite(card.threshold)


def test_equal_inputs_are_one_input() -> None:
    with pytest.raises(ValueError, match="that differ"):
        training_distance.fit(np.ones((6, 10)), 2)
    nearly = np.ones((6, 10)) + 1e-15 * np.arange(6)[:, None]
    card = training_distance.fit(nearly, 2)
    assert np.isfinite(card.threshold) and card.residual > 0


def test_too_few_inputs_are_told() -> None:
    with pytest.raises(ValueError, match="at least three"):
        training_distance.fit(np.zeros((2, 5)), 1)


def test_distance_of_known_scores_and_residuals() -> None:
    card = training_distance.DistanceScale(components=2, residual=0.5, threshold=3.0)
    found = training_distance.distance(np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([0.5, 0.0]), card)
    np.testing.assert_allclose(found, [1.0, 1.0])
    np.testing.assert_allclose(
        training_distance.distance(np.array([[3.0, 1.0]]), np.array([1.0]), card), [np.sqrt(4.5)]
    )
