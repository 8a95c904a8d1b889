"""Blocks of ``metrics.json``: the right samples, the right models, nothing where nothing was measured."""

import numpy as np
import pytest

from pairvae.evaluation.ensembles import Ensemble
from pairvae.evaluation.scores.blocks import (
    compared,
    ensemble_block,
    generation_block,
    measured,
    selected,
    with_mean_curves,
)
from pairvae.evaluation.scores.definitions import properties
from pairvae.evaluation.scores.ensemble_scores import descriptor_space, ensemble_scores, repeats
from pairvae.evaluation.scores.evaluate import Reference
from pairvae.evaluation.scores.reconstruct import EvaluationSet
from pairvae.evaluation.scores.sampled import MEAN_SCORE, Sampled

N, K, SIDE = 8, 3, 32


def domains(seed: int, count: int) -> np.ndarray:
    """Binary images of wavy lines ``(count, K, SIDE, SIDE)`` whose period differs between samples."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    waves = generator.uniform(0, 2 * np.pi, (count, K, 1, 1)) + 0.4 * np.sin(rows / 5)
    periods = generator.uniform(5, 9, (count, 1, 1, 1))
    return (np.cos(2 * np.pi * columns / periods + waves) > generator.uniform(-0.3, 0.3)).astype(np.uint8)


@pytest.fixture
def what() -> EvaluationSet:
    patterns = np.random.default_rng(0).random((N, 3, 8, 8)).astype(np.float32)
    names = ["dots", "lines"] * (N // 2)
    return EvaluationSet(patterns, domains(0, N), [0, 1, 2], [3, 4, 5, 6, 7], names, "unbiased", 7)


@pytest.fixture
def truth(what: EvaluationSet) -> Reference:
    return Reference(what, full=True)


def uncropped(what: EvaluationSet) -> Reference:
    """Reference of a pair whose second modality is no binary image: nothing is measured on it."""
    flat = EvaluationSet(
        what.patterns, what.patterns[:, None], [0], [1, 2], [None] * N, "unbiased", 0, ("saxs", "iq")
    )
    found = Reference(flat)
    assert found.properties == {}
    return found


def test_only_binary_images_are_measured(what: EvaluationSet, truth: Reference) -> None:
    images = {"pair": {"saxs_sem": what.crops, "sem_saxs": np.zeros((N, K, 3, 8, 8), np.float32)}}
    found = measured(truth, images)
    assert set(found["pair"]) == {"saxs_sem"}
    np.testing.assert_array_equal(found["pair"]["saxs_sem"]["s2"], truth.properties["s2"])


def test_selection_keeps_the_nesting() -> None:
    errors = {"pair": {"saxs_sem": {"s2_mae": np.arange(5.0)}}, "spacing": np.arange(10).reshape(5, 2)}
    found = selected(errors, [4, 1])
    assert found["pair"]["saxs_sem"]["s2_mae"].tolist() == [4.0, 1.0]
    assert found["spacing"].tolist() == [[8, 9], [2, 3]]


def test_mean_curves_stand_beside_those_of_curve_baselines(what: EvaluationSet) -> None:
    scores = {"s2_mae": np.array([0.1])}
    validation = {
        "pair": {"saxs_sem": {"s2_mae": np.array([0.3])}},
        "baselines": {"mean": {"saxs_sem": dict(scores)}, "retrieval": {"saxs_sem": dict(scores)}, "regression": {}},
    }  # fmt: skip
    assert with_mean_curves(dict(validation), None, what) == validation
    found = with_mean_curves(validation, Sampled({MEAN_SCORE: np.array([0.2])}, {}, what.crops), what)
    assert found["pair"]["saxs_sem"] == {"s2_mae": np.array([0.3]), MEAN_SCORE: np.array([0.2])}
    assert found["baselines"]["mean"]["saxs_sem"][MEAN_SCORE] == np.array([0.1])
    assert MEAN_SCORE not in found["baselines"]["retrieval"]["saxs_sem"]
    assert found["baselines"]["regression"] == {}


def test_the_pair_is_compared_with_everything_else_on_all_validation_samples(what: EvaluationSet) -> None:
    own, worse = np.arange(5.0), np.arange(5.0) + 0.5
    validation = {
        "pair": {"saxs_sem": {"s2_mae": own}},
        "solo": {"saxs_sem": {"s2_mae": worse}},
        "floor": {"sem_sem": {"s2_mae": worse}},  # the pair has no such direction here
        "baselines": {"retrieval": {"saxs_sem": {"s2_mae": worse}}},
    }
    found = compared(validation, what)
    assert set(found) == {"solo", "retrieval"}
    assert found["retrieval"]["saxs_sem"]["s2_mae"]["median_difference"] == pytest.approx(-0.5)
    assert found["retrieval"]["saxs_sem"]["s2_mae"]["n"] == 5


def test_ensembles_are_those_of_the_validation_samples(what: EvaluationSet, truth: Reference) -> None:
    other = truth.properties_of(domains(1, N))
    found = ensemble_block(truth, {"pair": {"saxs_sem": other}, "solo": {}})
    assert set(found) == {"pair"}
    rows = what.validation
    space = descriptor_space(selected(truth.properties, rows))
    wanted = ensemble_scores(
        space.vectors(selected(other, rows)), space.vectors(selected(truth.properties, rows)), what.seed
    )
    assert found["pair"]["saxs_sem"] == pytest.approx(wanted)
    assert wanted["n"] == len(rows) * K


def drawn(images: np.ndarray) -> Ensemble:
    nothing = np.zeros((len(images), 1))
    return Ensemble(3, 1.0, images, nothing, nothing, nothing)


def test_generated_images_are_held_to_the_crops_of_their_morphology(
    what: EvaluationSet, truth: Reference
) -> None:
    images = domains(2, 4).reshape(-1, SIDE, SIDE)
    images[1] = images[0]
    found = generation_block(truth, {"lines": drawn(images), "all": drawn(images)})
    space = descriptor_space(selected(truth.properties, what.validation))
    generated = space.vectors(properties(images, "unbiased"))[None]
    for name, rows in (("lines", [3, 5, 7]), ("all", [3, 4, 5, 6, 7])):
        true = space.vectors(selected(truth.properties, rows))
        wanted = ensemble_scores(generated, true.reshape(1, len(rows) * K, -1), what.seed)
        assert found[name] == pytest.approx(wanted | {"repeats": repeats(images)})
        assert found[name]["repeats"] == pytest.approx(1 / 12)


def test_nothing_is_told_of_what_is_no_binary_image(what: EvaluationSet) -> None:
    assert ensemble_block(uncropped(what), {}) == {}
    assert generation_block(uncropped(what), {}) == {}
