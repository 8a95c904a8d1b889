"""Energy scores with known numbers, floors, and the blocks made of them."""

from __future__ import annotations

import numpy as np
import pytest

from pairvae.evaluation.scores.definitions import morphology
from pairvae.evaluation.scores.energy import energy_scores, ensembles, floor_errors, whole_curves
from pairvae.evaluation.scores.evaluate import Reference
from pairvae.evaluation.scores.reconstruct import EvaluationSet
from pairvae.evaluation.scores.references import looked_up, references
from pairvae.numerics.morphology import two_point_correlation


def normals(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_energy_score_of_normal_distributions() -> None:
    """E|X - y| of two standard normals is 2 / sqrt(pi), and the score of the true distribution half of that."""
    true = normals(400, 30)
    right = energy_scores(normals(400, 20, seed=1), true).mean()
    assert right == pytest.approx(1 / np.sqrt(np.pi), abs=0.02)
    few = energy_scores(normals(400, 2, seed=2), true).mean()
    assert few == pytest.approx(right, abs=0.05), "it does not depend on the size of the ensemble"
    for wrong in (0.3 * normals(400, 20, seed=1), 3 * normals(400, 20, seed=1), normals(400, 20, seed=1) + 1):
        assert energy_scores(wrong, true).mean() > right + 0.1


def test_energy_score_of_one_curve_is_its_mean_absolute_error() -> None:
    true, curve = normals(5, 7, 12), normals(5, 1, 12, seed=1)
    wanted = np.abs(curve - true).mean((1, 2))
    np.testing.assert_allclose(energy_scores(curve, true), wanted)
    np.testing.assert_allclose(energy_scores(np.repeat(curve, 6, axis=1), true), wanted)
    turned = np.array([[1j, 1j]])
    assert energy_scores(turned, np.array([[1.0 + 0j]])) == pytest.approx(np.sqrt(2))


def test_true_distribution_is_at_its_floor() -> None:
    true = {"s2": normals(300, 10, 4), "phase_fraction": normals(300, 10, seed=1)}
    floor = floor_errors(true, np.full(300, 0.5))
    again = energy_scores(normals(300, 20, 4, seed=2), true["s2"])
    assert again.mean() == pytest.approx(floor["energy_score"].mean(), rel=0.03)
    assert floor["mean_curve_mae"].mean() == 0.5 and "spacing" not in floor


def test_half_an_image_tells_how_well_the_whole_is_known() -> None:
    even = np.tile(np.arange(80) % 8 < 4, (64, 1))
    whole, halves = whole_curves([even, even], 16, "unbiased")
    assert halves is not None and (halves < 0.01).all()
    np.testing.assert_allclose(whole[0], two_point_correlation(even, bins=16)[0])
    uneven = np.concatenate([np.zeros((64, 40)), np.ones((64, 40))], axis=1)
    assert whole_curves([uneven], 16, "unbiased")[1] == pytest.approx(0.5, abs=0.06)
    assert whole_curves([even[:, :20]], 16, "unbiased")[1] is not None
    assert whole_curves([even[:20, :20]], 16, "unbiased")[1] is None


@pytest.fixture(scope="module")
def truth() -> Reference:
    """Nine samples of stripes; the pattern is the period, and says which training samples are alike."""
    periods = np.array([6, 8, 10, 6, 8, 10, 6, 8, 10])
    columns = np.arange(48) + np.arange(4)[:, None, None] * 3 + np.zeros((1, 48, 1))
    crops = np.stack([(columns % period < period / 2) for period in periods]).astype(np.uint8)
    patterns = np.broadcast_to(periods[:, None, None, None] / 10, (9, 3, 8, 8)).astype(np.float32)
    return Reference(
        EvaluationSet(patterns, crops, range(6), [6, 7, 8], [None] * 9, "unbiased", 0), full=True
    )


def test_looked_up_crops_are_those_of_other_training_samples(truth: Reference) -> None:
    latents = {
        "saxs": truth.data.patterns[:, :1, :1, :1],
        "sem": np.repeat(truth.data.patterns[:, 0, 0, 0], 4),
    }
    found = looked_up(truth, latents)
    assert {name: one.samples.shape for name, one in found.items()} == {
        "nearest_pattern": (9, 4), "three_nearest_patterns": (9, 12), "latent_crops": (9, 20),
    }  # fmt: skip
    assert found["nearest_pattern"].samples[:3].tolist() == [[3] * 4, [4] * 4, [5] * 4]
    assert set(found["three_nearest_patterns"].first(3).samples[0]) == {3, 1, 4}, (
        "one crop of each comes first"
    )
    assert set(found["latent_crops"].samples[6][:8]) == {0, 3} and 0 not in found["latent_crops"].samples[0]
    own = found["latent_crops"].of({"name": np.arange(36).reshape(9, 4)})["name"]
    assert len(set(own[6].tolist())) == 20


def test_block_comparisons_and_ranking_agree(truth: Reference) -> None:
    drawn = morphology(np.ones((3, 2, 48, 48), np.uint8), "unbiased")
    images = [np.tile(crops[0], (1, 2)) for crops in truth.data.crops]
    scored = ensembles(truth, drawn, references(truth), {"unet": truth.properties}, images)
    block = scored.block()
    assert set(block) == {"pair", "nearest_pattern", "three_nearest_patterns", "unet", "regression", "floor"}
    assert block["pair"]["energy_score"] == pytest.approx(scored.errors["pair"]["energy_score"].mean())
    assert block["nearest_pattern"]["energy_score"] == pytest.approx(block["unet"]["energy_score"])
    assert block["pair"]["images"] == 2 and block["regression"]["images"] == 1 and block["floor"]["n"] == 3
    assert "descriptors" not in block["regression"]
    one = scored.comparisons()["unet"]["saxs_sem"]["energy_score"]
    assert one["median_difference"] > 0 and one["verdict"] == "not told apart", "three samples are too few"
    assert scored.rankings()["energy_score"]["best"] != "pair"
