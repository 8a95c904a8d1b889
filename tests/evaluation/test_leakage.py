"""A copied sample stops the assessment; near siblings and unlucky splits are told; honest data is silent."""

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.evaluation import leakage
from pairvae.evaluation.leakage import (
    content_digests,
    nearest_distances,
    refuse_same_content,
    refuse_shared,
    siblings,
    suspicions,
)

IDS = [f"s{number}" for number in range(40)]
TRAIN, VALIDATION = list(range(28)), list(range(28, 40))


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, 6))


def test_digests_name_the_content_the_shape_and_the_type() -> None:
    one = np.arange(6, dtype=np.uint8)
    digests = content_digests([one, one.copy(), one[::-1], one.reshape(2, 3), one.astype(np.int16)])
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_same_content_in_one_modality_is_refused() -> None:
    arrays = [np.full((2, 2), number) for number in range(40)]
    digests = {"saxs": content_digests(arrays), "sem": content_digests([*arrays[:39], arrays[5]])}
    refuse_same_content({"saxs": digests["saxs"]}, IDS, TRAIN, VALIDATION)
    with pytest.raises(InputError, match=r"the same sem data in s39 \(validation\) and s5 \(training\)"):
        refuse_same_content(digests, IDS, TRAIN, VALIDATION)


def test_twins_on_one_side_are_no_leak() -> None:
    digests = {"sem": content_digests([np.zeros(3), np.zeros(3), np.ones(3)])}
    refuse_same_content(digests, IDS, [0, 1], [2])


def test_groups_on_both_sides_are_refused_and_no_group_is_none() -> None:
    refuse_shared([None] * 40, TRAIN, VALIDATION, "group")
    with pytest.raises(
        InputError, match="every group on one side of the split, found group wafer 3 in training"
    ):
        refuse_shared(["wafer 3", None, "wafer 3"], [0, 1], [2], "group")


def test_nearest_other_sample() -> None:
    line = np.array([[0.0], [1.0], [3.0], [3.5]])
    assert nearest_distances(line, [3], [0, 1, 2]).tolist() == [0.5]
    assert nearest_distances(line, [0, 2], [0, 1, 2]).tolist() == [1.0, 2.0]


def test_honest_split_raises_no_suspicion(features: np.ndarray) -> None:
    found = siblings(features, TRAIN, VALIDATION, seed=0)
    assert 0.05 < (found["p"] or 0) < 0.95
    assert suspicions({"saxs": found}, IDS) == []


def test_second_look_at_a_training_sample_is_named(features: np.ndarray) -> None:
    features[33] = features[4] + 1e-4
    found = siblings(features, TRAIN, VALIDATION, seed=0)
    assert found["nearest"] == 33
    told = suspicions({"saxs": found}, IDS)
    assert len(told) == 1 and "the saxs data of s33" in told[0]


def test_validation_chosen_next_to_training_is_less_likely_than_chance(features: np.ndarray) -> None:
    generator = np.random.default_rng(1)
    features[VALIDATION] = features[:12] + 0.4 * generator.normal(size=(12, 6))
    found = siblings(features, TRAIN, VALIDATION, seed=0)
    assert (found["p"] or 1) < 0.01
    assert any("random splits" in text for text in suspicions({"sem": found}, IDS))


def test_check_repeats_and_does_without_many_samples(features: np.ndarray) -> None:
    assert siblings(features, TRAIN, VALIDATION, 0) == siblings(features, TRAIN, VALIDATION, 0)
    assert siblings(features, [0, 1], [2], 0)["p"] is None
    assert suspicions({"saxs": siblings(features, [0, 1], [2], 0)}, IDS) == []


def test_chance_of_a_few_samples_counts_every_split(features: np.ndarray) -> None:
    """Three against one on a line: in a quarter of the splits the sample at the end is held out, or ties."""
    line = np.array([[0.0], [1.0], [2.0], [10.0]])
    far = siblings(line, [0, 1, 2], [3], seed=0)["p"]
    assert far == 1.0, "no split has a larger distance"
    near = siblings(line, [0, 2, 3], [1], seed=0)["p"]
    assert near == pytest.approx(3 / 4, abs=0.08), "three of four samples have a neighbour at 1"


def test_a_copy_is_found_by_its_pixels_with_few_pairs_and_others_are_not() -> None:
    """Four patterns of one kind, and the third of them again with noise: nearer than which others cannot be told."""
    generator = np.random.default_rng(0)
    shared, own = generator.normal(size=(1, 4000)), generator.normal(size=(4, 4000))
    arrays = shared + 0.5 * own
    copy = arrays[2:3] * 0.9 + 0.2 * generator.normal(size=(1, 4000))
    (found,) = leakage.copies(np.concatenate([arrays, copy]), [0, 1, 2], [3, 4])
    assert found[:2] == (4, 2) and found[2] > 0.7
    assert leakage.suspicions({"saxs": leakage.siblings(arrays, [0, 1, 2], [3], 0)}, "abcd") == []


def test_a_morphology_without_a_training_sample_is_named() -> None:
    (found,) = leakage.unseen_morphologies(["a", "b", None, "b", "c", "c"], [0, 1], [2, 3, 4, 5])
    assert found["text"].startswith("c: none of the training pairs") and "2 validation pairs" in found["text"]
