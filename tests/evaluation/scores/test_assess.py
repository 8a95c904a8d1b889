"""Four directions, baselines and floor: shapes, known numbers, and seeds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pairvae.errors import InputError
from pairvae.evaluation.scores.blocks import measured
from pairvae.evaluation.scores.evaluate import Reference, listed, model_errors, require_finite, summarise
from pairvae.evaluation.scores.reconstruct import EvaluationSet, decode, posteriors, reconstruct
from pairvae.evaluation.scores.references import baseline_errors, floor_errors
from pairvae.evaluation.scores.statistics import resamples
from pairvae.models.build import build_vae
from pairvae.models.vae import VAE, Decoder, Encoder
from pairvae.numerics.images import micrographs
from pairvae.settings import CompactNetwork, LatentSettings, TextureNetwork

N, K, SIDE = 6, 3, 32
LATENT = LatentSettings(channels=3, grid=1)
COMPACT = CompactNetwork(architecture="compact", components=2, width=8, pool=1)
TEXTURE = TextureNetwork(
    architecture="texture", components=2, width=8, noise_channels=4, block_widths=(4, 4, 4)
)


def stripes(period: int, shift: int) -> np.ndarray:
    return np.broadcast_to((np.arange(SIDE) + shift) % period < period // 2, (SIDE, SIDE)).astype(np.uint8)


@pytest.fixture
def what() -> EvaluationSet:
    """Samples of two morphologies, patterns that tell them apart."""
    periods = [4, 8] * (N // 2)
    crops = np.stack([np.stack([stripes(period, shift) for shift in range(K)]) for period in periods])
    generator = np.random.default_rng(0)
    patterns = 0.1 * generator.random((N, 3, 8, 8)) + np.array(periods).reshape(-1, 1, 1, 1) / 10
    names = ["fine" if period == 4 else "coarse" for period in periods]
    return EvaluationSet(patterns.astype(np.float32), crops, [0, 1, 2, 3], [4, 5], names, "unbiased", 0)


@pytest.fixture
def vaes() -> dict[str, VAE]:
    return {
        "saxs": build_vae(COMPACT, LATENT, (3, 8, 8), seed=0).eval(),
        "sem": build_vae(TEXTURE, LATENT, (1, SIDE, SIDE), seed=0).eval(),
    }


class Memory(Encoder):
    """Latent = input."""

    def features(self, inputs: Tensor) -> Tensor:
        return inputs

    def head(self, features: Tensor) -> Tensor:
        return torch.cat([features, torch.ones_like(features)], dim=1)


class Same(Decoder):
    """Image = latent."""

    def forward(self, latent: Tensor) -> Tensor:
        return latent


def test_perfect_models_have_no_error(what: EvaluationSet) -> None:
    perfect = VAE(Memory(), Same())
    for name, direction in (("saxs", "saxs_saxs"), ("sem", "sem_sem")):
        errors = model_errors(Reference(what), reconstruct({name: perfect}, what).images)
        assert set(errors) == {direction}
        assert all((error == 0).all() for error in errors[direction].values())


def test_images_and_patterns_belong_to_their_samples(what: EvaluationSet) -> None:
    same = replace(what, patterns=what.crops[:, :1].astype(np.float32))
    images = reconstruct({name: VAE(Memory(), Same()) for name in ("saxs", "sem")}, same).images
    np.testing.assert_array_equal(images["saxs_sem"], np.repeat(what.crops[:, :1], K, axis=1))
    np.testing.assert_array_equal(images["sem_saxs"][:, :, 0], what.crops)


def test_shapes_of_all_four_directions(what: EvaluationSet, vaes: dict[str, VAE]) -> None:
    found = reconstruct(vaes, what)
    assert {name: image.shape for name, image in found.images.items()} == {
        "saxs_saxs": (N, 3, 8, 8), "saxs_sem": (N, K, SIDE, SIDE), "sem_saxs": (N, K, 3, 8, 8),
        "sem_sem": (N, K, SIDE, SIDE),
    }  # fmt: skip
    assert found.images["saxs_sem"].dtype == np.uint8
    assert set(np.unique(found.images["saxs_sem"])) <= {0, 1}
    assert found.latents["saxs"].shape == (N, 3, 1, 1)
    errors = model_errors(Reference(what), found.images)
    assert errors["saxs_saxs"]["mae"].shape == (N,)
    assert errors["sem_saxs"]["mae"].shape == (N, K)
    assert errors["saxs_sem"]["s2_mae"].shape == (N, K)
    assert errors["saxs_sem"]["lineal_path_mae"].shape == (N, K)


def test_images_of_one_pattern_have_their_own_noise(what: EvaluationSet, vaes: dict[str, VAE]) -> None:
    images = reconstruct(vaes, what).images["saxs_sem"]
    assert (images[0, 0] != images[0, 1]).any()


def test_scores_repeat_and_leave_the_global_stream_alone(what: EvaluationSet, vaes: dict[str, VAE]) -> None:
    before = torch.random.get_rng_state()
    first, again = reconstruct(vaes, what), reconstruct(vaes, what)
    assert torch.equal(before, torch.random.get_rng_state())
    assert all((first.images[name] == again.images[name]).all() for name in first.images)
    other = reconstruct(vaes, replace(what, seed=1))
    assert (first.images["saxs_sem"] != other.images["saxs_sem"]).any()


def test_chunks_do_not_matter(vaes: dict[str, VAE]) -> None:
    inputs = torch.rand(50, 3, 8, 8)
    torch.testing.assert_close(
        posteriors(vaes["saxs"], inputs).mean,
        vaes["saxs"].posterior(inputs).mean.detach(),
        atol=1e-5,
        rtol=1e-5,
    )
    assert decode(vaes["saxs"], torch.rand(50, 3, 1, 1), 0).shape == (50, 3, 8, 8)


def test_mode_is_bright_from_one_half_on() -> None:
    assert micrographs(np.array([0.49, 0.5, 0.51]).reshape(3, 1, 1, 1), grey=False).ravel().tolist() == [
        0,
        1,
        1,
    ]


def test_baselines_know_the_training_samples_only(what: EvaluationSet) -> None:
    found = baseline_errors(Reference(what))
    looked_up = {"retrieval", "three_nearest_patterns"}
    assert set(found) == {*looked_up, "mean", "regression", "same_morphology", "other_morphology"}
    changed = replace(what, patterns=np.concatenate([what.patterns[:4], 1 - what.patterns[4:]]))
    mean, other = (
        found["mean"]["sem_saxs"]["mae"],
        baseline_errors(Reference(changed))["mean"]["sem_saxs"]["mae"],
    )
    np.testing.assert_array_equal(mean[:4], other[:4])
    expected = np.abs(what.patterns - what.patterns[:4].mean(0)).reshape(N, -1).mean(1)
    np.testing.assert_allclose(mean, expected, rtol=1e-5)


def test_another_morphology_is_worse_than_the_same_and_retrieval_finds_the_same(what: EvaluationSet) -> None:
    found = {
        name: np.median(part["saxs_sem"]["s2_mae"]) for name, part in baseline_errors(Reference(what)).items()
    }
    assert 3 * found["same_morphology"] < found["other_morphology"]
    assert 3 * found["retrieval"] < found["mean"]
    assert found["mean"] < found["other_morphology"]


def test_unknown_morphologies_leave_their_baselines_out(what: EvaluationSet) -> None:
    unknown = replace(what, morphologies=[None] * N)
    assert set(baseline_errors(Reference(unknown))) == {
        "retrieval", "three_nearest_patterns", "mean", "regression",
    }  # fmt: skip


def test_floor_compares_a_crop_with_the_next_one_of_its_image(what: EvaluationSet) -> None:
    truth = Reference(what)
    floor = floor_errors(truth)["sem_sem"]["s2_mae"]
    expected = [
        np.abs(truth.curves["s2"][0, k] - truth.curves["s2"][0, (k - 1) % K]).mean() for k in range(K)
    ]
    np.testing.assert_allclose(floor[0], expected)
    same = replace(what, crops=np.repeat(what.crops[:, :1], K, axis=1))
    assert (floor_errors(Reference(same))["sem_sem"]["s2_mae"] == 0).all()


def test_summaries_are_nested_as_the_errors_and_over_the_members() -> None:
    errors = {"a": {"mae": np.arange(5.0)}, "b": {"s2_mae": np.arange(10.0).reshape(5, 2)}}
    found = summarise(errors, [1, 3])
    assert found["a"]["mae"] == {"median": 2.0, "q1": 1.5, "q3": 2.5, "n": 2}
    assert found["b"]["s2_mae"]["n"] == 4
    assert listed(errors, [1, 3]) == {"a": {"mae": [1.0, 3.0]}, "b": {"s2_mae": [2.0, 3.0, 6.0, 7.0]}}


def test_full_truth_scores_descriptors_of_images_baselines_and_floor(
    what: EvaluationSet, vaes: dict[str, VAE]
) -> None:
    wide = replace(what, patterns=np.random.default_rng(1).random((N, 3, 32, 32)).astype(np.float32))
    truth = Reference(wide, full=True)
    assert truth.spacing[:, 0] == pytest.approx([4, 8] * (N // 2), rel=0.05)
    perfect = {name: VAE(Memory(), Same()) for name in ("saxs", "sem")}
    own = {name: reconstruct({name: vae}, wide).images for name, vae in perfect.items()}
    scores = {"s2_mae", "lineal_path_mae", "spacing_error", "orientation_error", "defect_density_error"}
    errors = model_errors(truth, own["sem"])["sem_sem"]
    assert scores | {"phase_fraction_error"} <= set(errors)
    assert all((error == 0).all() for error in errors.values())
    assert {"mae", "ssim_error", "ring_position", "spot_px"} <= set(
        model_errors(truth, own["saxs"])["saxs_saxs"]
    )
    found = baseline_errors(truth)
    for name in ("retrieval", "mean", "other_morphology"):
        assert scores <= set(found[name]["saxs_sem"]), name
    assert set(found["regression"]["saxs_sem"]) == {"s2_mae", "phase_fraction_error"}
    assert np.median(found["other_morphology"]["saxs_sem"]["spacing_error"]) > 0.4
    assert (found["retrieval"]["saxs_sem"]["s2_mae"].shape) == (N, K)
    assert scores <= set(floor_errors(truth)["sem_sem"])


def test_properties_that_are_known_are_not_measured_again(what: EvaluationSet, vaes: dict[str, VAE]) -> None:
    truth, images = Reference(what, full=True), reconstruct(vaes, what).images
    known = measured(truth, {"pair": images})["pair"]
    assert set(known) == {"saxs_sem", "sem_sem"}
    again, first = model_errors(truth, images), model_errors(truth, images, known)
    assert all((again["saxs_sem"][name] == first["saxs_sem"][name]).all() for name in again["saxs_sem"])
    other = {"saxs_sem": truth.properties}
    assert (model_errors(truth, images, other)["saxs_sem"]["s2_mae"] == 0).all()


def test_error_that_is_no_number_names_direction_and_sample() -> None:
    errors = {"pair": {"a_b": {"mae": np.array([[0.1, 0.2], [0.1, np.nan]])}, "b_a": {"mae": np.zeros(2)}}}
    with pytest.raises(InputError, match=r"pair\.a_b\.mae, sample s1: expected a finite score, found nan"):
        require_finite(errors, ["s0", "s1"])
    require_finite({"pair": errors["pair"]["b_a"]}, ["s0", "s1"])


def test_summaries_hold_an_interval_of_whole_samples() -> None:
    errors = {"mae": np.arange(20.0).reshape(10, 2)}
    found = summarise(errors, range(10), resamples(10, seed=0))["mae"]
    assert found["interval"][0] < found["median"] == 9.5 < found["interval"][1]


def test_error_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        summarise({"a": {"mae": np.array([0.1, np.nan])}}, [0, 1])
