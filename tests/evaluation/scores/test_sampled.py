"""Draws for each validation pattern: whose they are, what is told of them, and numbers that do not exist."""

import numpy as np
import pytest

from pairvae.evaluation import uncertainty
from pairvae.evaluation.scores.evaluate import Reference
from pairvae.evaluation.scores.reconstruct import EvaluationSet
from pairvae.evaluation.scores.sampled import MEAN_SCORE, sampled, without_nan
from pairvae.models.build import build_vae
from pairvae.settings import CompactNetwork, LatentSettings

NETWORK = CompactNetwork(architecture="compact", components=3, width=8, pool=1)


def test_numbers_that_do_not_exist_are_none() -> None:
    given = {"a": float("nan"), "b": {"c": float("inf"), "d": 0.5, "e": 3}, "f": "text", "g": None}
    assert without_nan(given) == {"a": None, "b": {"c": None, "d": 0.5, "e": 3}, "f": "text", "g": None}


def test_draws_are_scored_against_the_validation_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    crops = np.random.default_rng(0).integers(0, 2, (4, 3, 16, 16)).astype(np.uint8)
    patterns = np.random.default_rng(1).random((4, 3, 8, 8)).astype(np.float32)
    what = EvaluationSet(patterns, crops, [0, 1], [2, 3], [None] * 4, "unbiased", 5)
    latent = LatentSettings(channels=2, grid=1)
    vaes = {name: build_vae(NETWORK, latent, shape, seed=0).eval() for name, shape in
            (("saxs", (3, 8, 8)), ("sem", (1, 16, 16)))}  # fmt: skip
    asked = {}

    def draw_images(
        source: object, target: object, inputs: object, images: int, seed: int, shift: object, *, grey: bool
    ) -> np.ndarray:
        assert not grey
        asked.update(source=source, target=target, inputs=np.asarray(inputs), seed=seed)
        return np.resize(crops[2:, None], (2, images, 16, 16))

    monkeypatch.setattr(uncertainty, "draw_images", draw_images)
    found = sampled(vaes, Reference(what, full=True))
    assert (asked["source"], asked["target"], asked["seed"]) == (vaes["saxs"], vaes["sem"], 5)
    np.testing.assert_array_equal(asked["inputs"], patterns[2:])
    assert found.errors[MEAN_SCORE].shape == (2, 3) and found.images.shape[:2] == (2, uncertainty.IMAGES)
    assert found.properties["s2"].shape == (2, uncertainty.IMAGES, 8)
    assert found.facts["n"] == 2 and found.facts["images"] == uncertainty.IMAGES
    assert found.facts["repeated"] > 0
    assert set(found.facts) > {"coverage", "diversity"}
