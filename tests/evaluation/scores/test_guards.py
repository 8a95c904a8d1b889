"""Degenerate outputs are named; good ones are not."""

from dataclasses import replace

import numpy as np
import pytest

from pairvae.evaluation.scores.guards import degenerate
from pairvae.evaluation.scores.reconstruct import EvaluationSet

IDS = [f"s{number}" for number in range(6)]


@pytest.fixture
def what() -> EvaluationSet:
    generator = np.random.default_rng(0)
    crops = generator.integers(0, 2, (6, 3, 16, 16)).astype(np.uint8)
    patterns = generator.random((6, 3, 8, 8)).astype(np.float32)
    return EvaluationSet(patterns, crops, [0, 1, 2], [3, 4, 5], [None] * 6, "unbiased", 0)


def names(what: EvaluationSet, direction: str, images: np.ndarray) -> list[tuple[str, str]]:
    found = degenerate({"pair": {direction: images}}, what, IDS, what.validation)
    return [(one["name"], one["text"]) for one in found]


def test_good_images_raise_no_warning(what: EvaluationSet) -> None:
    images = {"saxs_sem": what.crops, "sem_sem": what.crops[:, ::-1], "saxs_saxs": what.patterns}
    images["sem_saxs"] = np.repeat(what.patterns[:, None], 3, axis=1)
    assert degenerate({"pair": images, "solo": images}, what, IDS, what.validation) == []


@pytest.mark.parametrize("value", [0, 1])
def test_black_or_white_images_are_counted_and_their_samples_named(what: EvaluationSet, value: int) -> None:
    images = what.crops.copy()
    images[4, 1] = value
    assert names(what, "saxs_sem", images) == [
        ("uniform images", "pair saxs_sem: 1 of 9 images are all black or all white (samples s4)")
    ]
    images = what.crops.copy()
    images[0] = value  # a training sample
    assert names(what, "saxs_sem", images) == []


def test_blank_true_crops_are_named(what: EvaluationSet) -> None:
    crops = what.crops.copy()
    crops[3] = 0
    found = degenerate({}, replace(what, crops=crops), IDS, what.validation)
    assert found[0]["text"].startswith("true crops: 3 of 9 images")


def test_one_image_for_every_sample(what: EvaluationSet) -> None:
    same = np.repeat(what.crops[:1], 6, axis=0)
    assert names(what, "saxs_sem", same) == [
        ("one repeated image", "pair saxs_sem: 67 % of the samples get exactly the image of another sample")
    ]


def test_crops_of_one_sample_may_share_an_image(what: EvaluationSet) -> None:
    """The published decoder has no noise: it draws one image for a pattern."""
    assert names(what, "saxs_sem", np.repeat(what.crops[:, :1], 3, axis=1)) == []


@pytest.mark.parametrize("direction", ["saxs_saxs", "sem_saxs"])
def test_one_pattern_for_every_sample(what: EvaluationSet, direction: str) -> None:
    mean = what.patterns.mean(0) + 0.01 * (what.patterns - what.patterns.mean(0))
    images = mean if direction == "saxs_saxs" else np.repeat(mean[:, None], 3, axis=1)
    found = names(what, direction, images)
    assert len(found) == 1 and found[0][0] == "one repeated image"
    assert "by 1 % of what true ones do" in found[0][1]


def test_patterns_by_crop_are_compared_by_their_first(what: EvaluationSet) -> None:
    repeated = np.repeat(what.patterns[:1, None], 6, axis=0).repeat(3, axis=1)
    repeated[:, 1:] = np.random.default_rng(1).random(repeated[:, 1:].shape)
    text = "pair sem_saxs: patterns differ between samples by 0 % of what true ones do"
    assert names(what, "sem_saxs", repeated) == [("one repeated image", text)]
    differing = np.random.default_rng(2).random((6, 3, 3, 8, 8))
    differing[:, 1:] = 0.5
    assert names(what, "sem_saxs", differing) == []


def test_a_single_sample_cannot_repeat(what: EvaluationSet) -> None:
    alone = replace(what, validation=[3])
    assert degenerate({"pair": {"saxs_saxs": what.patterns}}, alone, IDS, alone.validation) == []
