"""Reference errors are those of what they say: the retrieved pattern, another sample of the morphology."""

import numpy as np
import pytest

from pairvae.evaluation.baselines.retrieval import retrieval
from pairvae.evaluation.scores.evaluate import Reference
from pairvae.evaluation.scores.reconstruct import EvaluationSet
from pairvae.evaluation.scores.references import baseline_errors


def evaluated(names: list[str | None]) -> EvaluationSet:
    generator = np.random.default_rng(0)
    crops = generator.integers(0, 2, (len(names), 2, 16, 16)).astype(np.uint8)
    patterns = generator.random((len(names), 3, 8, 8)).astype(np.float32)
    return EvaluationSet(patterns, crops, [0, 1, 2, 3], [4, 5], names, "unbiased", 0)


def test_pattern_of_the_training_sample_with_the_nearest_curve() -> None:
    truth = Reference(evaluated(["a", "b"] * 3))
    patterns = truth.data.patterns.astype(np.float64)
    chosen = retrieval(truth.curves["s2"].mean(1), truth.data.train)[:, 0]
    expected = np.abs(patterns[chosen] - patterns).mean((1, 2, 3))
    found = baseline_errors(truth)["retrieval"]["sem_saxs"]["mae"]
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_morphology_of_one_sample_has_no_other_image_of_its_own() -> None:
    assert "same_morphology" not in baseline_errors(Reference(evaluated(["a", "b", "a", "b", "a", "c"])))
    two = baseline_errors(Reference(evaluated(["a", "b"] * 3)))
    assert {"same_morphology", "other_morphology"} <= set(two)
    pairs = baseline_errors(Reference(evaluated(["a", "a", "b", "b", "c", "c"])))
    assert {"same_morphology", "other_morphology"} <= set(pairs), "one other sample is enough"
