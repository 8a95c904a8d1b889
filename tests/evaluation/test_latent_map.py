import numpy as np
import pytest

from pairvae.evaluation.latent_map import LEAST, embed, joint_map, separate_maps
from pairvae.numerics.components import standardised


def groups(count: int = 12) -> np.ndarray:
    generator = np.random.default_rng(3)
    centres = np.repeat(np.eye(3) * 20, count, axis=0)
    return np.asarray(centres + generator.standard_normal((3 * count, 3)))


def test_groups_stay_together() -> None:
    points = embed(groups(), seed=1)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e9 * np.eye(len(points))
    nearest = distances.argmin(axis=1) // 12
    assert (nearest == np.arange(36) // 12).all()


def test_the_same_seed_gives_the_same_map() -> None:
    np.testing.assert_array_equal(embed(groups(), seed=4), embed(groups(), seed=4))


def test_equal_latents_share_their_place_in_a_joint_map() -> None:
    latents = groups()
    found = joint_map({"saxs": latents, "sem": 3 * latents + 1}, seed=0)
    reach = np.ptp(found["saxs"], axis=0).max()
    assert np.linalg.norm(found["saxs"] - found["sem"], axis=1).max() < 0.2 * reach


def test_maps_of_very_few_samples_are_refused_and_few_are_drawn() -> None:
    with pytest.raises(ValueError, match=f"at least {LEAST}"):
        embed(np.zeros((LEAST - 1, 2)), seed=0)
    assert separate_maps({"saxs": groups(2)}, seed=0)["saxs"].shape == (6, 2)


def test_a_constant_feature_does_no_harm() -> None:
    found = standardised(np.array([[1.0, 5.0], [3.0, 5.0]]))
    np.testing.assert_allclose(found, [[-1, 0], [1, 0]])


def test_features_of_all_shapes_become_rows_of_unit_spread() -> None:
    latents = np.random.default_rng(0).normal(3.0, 0.2, (9, 4, 2, 2))
    found = standardised(latents)
    assert found.shape == (9, 16)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(0), 1)


def test_a_single_feature_has_a_map() -> None:
    points = embed(np.linspace(0, 1, 8)[:, None], seed=0)
    assert points.shape == (8, 2) and np.isfinite(points).all()
