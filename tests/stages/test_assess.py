"""The stage `assess` on eight small pairs: every block of metrics.json, the report's material, and the leak check."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.evaluation.leak_check import leakage_summary, refuse_leakage
from pairvae.evaluation.scores.evaluate import Reference
from pairvae.inference.card import load_vaes
from pairvae.reports.tables import figure
from pairvae.reports.validation_scores import decisive, medians, run_metrics, validation_score, verdict
from pairvae.stages.assess import assess, evaluated
from pairvae.stages.project import Project, open_project
from pairvae.stages.train_pair import train_pair
from pairvae.store.prepared import Prepared
from tiny_project import solo_trained

PARAMS = """
split: {train: 5}
latent: {channels: 4}
saxs: {prepare: {size: 32}, network: {components: 3, width: 8}, training: {epochs: 2, log_every: 1}}
sem:
  prepare: {rows: 208, columns: 240, crop: 64}
  network: {components: 3, width: 8, noise_channels: 4, block_widths: [4, 4, 4]}
  training: {epochs: 2, log_every: 1, texture: {crop: 32}}
pair: {training: {random_epochs: 2, log_every: 1}}
assess: {crops: 3, realism_steps: 2}
generate: {samples: 5}
baselines: {unet: {epochs: 0}}
device: {threads: 1, checkpoint_seconds: 0}
"""
TO_SEM = {
    "s2_mae",
    "lineal_path_mae",
    "lineal_vertical_mae",
    "lineal_horizontal_mae",
    "phase_fraction_error",
    "spacing_error",
    "orientation_error",
    "defect_density_error",
    "coherence_error",
    "roughness_error",
}
TO_SAXS = {"mae", "ssim_error", "ring_position", "ring_width", "arc_angle_deg", "spot_px", "iq_error"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = solo_trained(tmp_path_factory.mktemp("assess") / "project", PARAMS)
    train_pair(made)
    assess(made)
    return made


@pytest.fixture(scope="module")
def metrics(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.reports / "metrics.json").read_text())
    return found


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {path: tree}
    return {
        name: leaf for key, value in tree.items() for name, leaf in leaves(value, f"{path}.{key}").items()
    }


def test_every_direction_has_every_score(metrics: dict[str, Any]) -> None:
    for name in ("validation", "train", "all"):
        split = metrics["splits"][name]
        assert set(split["pair"]["saxs_sem"]) >= TO_SEM and set(split["pair"]["sem_sem"]) >= TO_SEM
        assert set(split["pair"]["sem_saxs"]) >= TO_SAXS and set(split["pair"]["saxs_saxs"]) >= TO_SAXS
        assert set(split["whole"]["sem_saxs"]) >= TO_SAXS
        assert set(split["solo"]["sem_sem"]) >= TO_SEM and set(split["solo"]["saxs_saxs"]) >= TO_SAXS
        assert set(split["floor"]["sem_sem"]) >= TO_SEM
        assert set(split["baselines"]["retrieval"]["saxs_sem"]) >= TO_SEM
        assert set(split["baselines"]["retrieval"]["sem_saxs"]) >= TO_SAXS


def test_summaries_have_number_and_interval(metrics: dict[str, Any]) -> None:
    validation = metrics["splits"]["validation"]
    pixel = validation["pair"]["sem_saxs"]["mae"]
    assert pixel["n"] == 9 and validation["whole"]["sem_saxs"]["mae"]["n"] == 3
    assert validation["pair"]["sem_saxs"]["ring_position"]["n"] == 3
    assert pixel["interval"][0] <= pixel["median"] <= pixel["interval"][1]
    assert metrics["splits"]["train"]["pair"]["sem_saxs"]["mae"]["n"] == 15
    assert metrics["splits"]["all"]["pair"]["sem_saxs"]["mae"]["n"] == 24
    numbers = [leaf for leaf in leaves(metrics).values() if isinstance(leaf, float)]
    assert len(numbers) > 500 and all(math.isfinite(number) for number in numbers)


def test_mean_curve_of_draws_stands_beside_the_regression(metrics: dict[str, Any]) -> None:
    validation = metrics["splits"]["validation"]
    score = validation["pair"]["saxs_sem"]["s2_mean16_mae"]
    assert score["n"] == 9
    regression = validation["baselines"]["regression"]["saxs_sem"]
    assert regression["s2_mean16_mae"] == regression["s2_mae"]
    assert metrics["comparisons"]["validation"]["regression"]["saxs_sem"]["s2_mean16_mae"]["n"] == 3
    facts = metrics["uncertainty"]["validation"]["saxs_sem"]
    assert 0 <= facts["coverage"]["phase_fraction"]["value"] <= 1 and facts["images"] >= 16
    assert "s2_mean16_mae" not in metrics["splits"]["train"]["pair"]["saxs_sem"]


def test_pair_is_compared_with_everything_else_on_the_same_samples(metrics: dict[str, Any]) -> None:
    found = metrics["comparisons"]["validation"]
    assert {"retrieval", "mean", "regression", "solo", "whole", "floor"} <= set(found)
    one = found["retrieval"]["saxs_sem"]["s2_mae"]
    assert set(one) == {"median_difference", "interval", "p", "verdict", "better", "n"}
    assert one["n"] == 3 and 0 < one["p"] <= 1 and one["verdict"] == "not told apart"
    assert found["latent_crops"]["saxs_sem"]["energy_score"]["n"] == 3
    best = metrics["ranking"]["validation"]["sem_saxs"]["mae"]
    others = {"pair", "whole", "retrieval", "mean", "dual_vae", "ridge", "ridge_whole", "fft", "fft_whole"}
    assert {best["best"], *best["not_told_apart"]} == others, "three samples tell nothing apart"
    assert set(found["whole"]) == {"sem_saxs"}


def test_ensembles_are_compared_with_the_true_crops(metrics: dict[str, Any]) -> None:
    ensembles = metrics["splits"]["validation"]["ensembles"]
    looked_up = {"nearest_pattern", "three_nearest_patterns", "latent_crops"}
    assert set(ensembles) == {"pair", "dual_vae", "regression", "floor", *looked_up}
    assert all({"energy_score", "mean_curve_mae"} <= set(one) and one["n"] == 3 for one in ensembles.values())
    assert set(ensembles["pair"]["descriptors"]) <= {
        "phase_fraction",
        "spacing",
        "euler_density",
        "orientation",
    }
    assert [ensembles[name]["images"] for name in ("pair", "nearest_pattern", "latent_crops")] == [20, 3, 12]
    model = metrics["ensembles"]["validation"]["pair"]["saxs_sem"]
    assert {"frechet", "frechet_floor", "coverage", "coverage_floor", "diversity", "n"} == set(model)
    for one in metrics["ensembles"]["generation"].values():
        assert one["n"] == 5 and 0 <= one["repeats"] <= 1


def test_the_registry_shows_the_five_scores_that_models_are_compared_by(metrics: dict[str, Any]) -> None:
    known = medians(metrics)
    assert known["validation.saxs_sem.defect_density_error"] > 0
    assert len(known) == sum(len(scores) for scores in metrics["splits"]["validation"]["pair"].values())
    shown = ("saxs_saxs.mae", "saxs_sem.s2_mae", "saxs_sem.lineal_path_mae", "sem_saxs.mae", "sem_sem.s2_mae")
    assert set(decisive(known)) == {f"validation.{key}" for key in shown}
    assert decisive({"validation.sem_saxs.mae": 0.0123456}) == {"validation.sem_saxs.mae": 0.01235}


def test_a_run_has_few_metrics_whose_names_begin_with_the_score(metrics: dict[str, Any]) -> None:
    pair = run_metrics(metrics)
    directions = metrics["splits"]["validation"]["pair"]
    assert pair["val/s2_mae.saxs_sem"] == pytest.approx(directions["saxs_sem"]["s2_mae"]["median"], rel=1e-3)
    assert set(pair) == {
        "val/score", "val/energy_score.saxs_sem", "val/s2_mae.saxs_sem", "val/lineal_path_mae.saxs_sem",
        "val/mae.sem_saxs", "val/mae.saxs_saxs", "val/s2_mae.sem_sem",
    }  # fmt: skip
    assert pair["val/score"] == pytest.approx(validation_score(metrics), rel=1e-3)
    solo = metrics["splits"]["validation"]["solo"]
    assert run_metrics(metrics, "sem") == {
        "val/s2_mae.sem_sem": pytest.approx(solo["sem_sem"]["s2_mae"]["median"], rel=1e-3)
    }


def test_a_run_says_how_good_it_is_beside_retrieval_and_floor(metrics: dict[str, Any]) -> None:
    lines = verdict(metrics).splitlines()
    score = validation_score(metrics)
    assert lines[0].startswith(
        f"Its score on 3 validation pairs is {score:.2f}: errors relative to retrieval"
    )
    assert lines[2] == "| error | this model | retrieval | floor |"
    assert [line.split(" | ")[0] for line in lines[4:-2]] == [
        "| SAXS → SEM, energy score of S(r)",
        "| SAXS → SEM, S(r) error",
        "| SAXS → SEM, lineal path error",
        "| SEM → SAXS, pixel error",
    ]
    validation = metrics["splits"]["validation"]
    retrieval = validation["baselines"]["retrieval"]["sem_saxs"]["mae"]["median"]
    assert f" | {figure(retrieval)} | " in lines[7], lines[7]
    alone = verdict(metrics, "saxs").splitlines()
    assert alone[2:4] == ["| error | this model |", "| --- | --- |"], (
        "a pattern has no crops, and so no floor"
    )


def test_material_has_the_descriptors_of_every_model(project: Project) -> None:
    with np.load(project.reports / "assessment" / "arrays.npz") as arrays:
        for key in ("true", "pair/saxs_sem", "pair/sem_sem", "solo/sem_sem"):
            for name in ("spacing", "phase_fraction", "euler_density", "orientation_x"):
                assert arrays[f"descriptor/{name}/{key}"].shape == (8, 3)
        assert arrays["image/whole/sem_saxs"].shape[1:] == (3, 32, 32)
    facts = json.loads((project.reports / "assessment" / "assessment.json").read_text())
    assert len(facts["distributions"]["validation"]["pair"]["saxs_sem"]["spacing_error"]) == 9


def test_scores_repeat(project: Project, metrics: dict[str, Any]) -> None:
    assess(project)
    assert json.loads((project.reports / "metrics.json").read_text()) == metrics


class Copied(Prepared):
    """Prepared arrays in which a validation pair has the micrograph of a training pair."""

    twins: tuple[int, int] = (0, 0)

    def images(self, name: str) -> list[np.ndarray]:
        images = super().images(name)
        images[self.twins[0]] = images[self.twins[1]]
        return images


def test_copied_micrograph_stops_the_stage(project: Project) -> None:
    prepared = project.prepared()
    truth = Reference(evaluated(project, prepared))
    card = load_vaes(project.model("train-pair"))[1]
    refuse_leakage(prepared, truth, card)
    copied = Copied(prepared.folder, prepared.card)
    object.__setattr__(copied, "twins", (truth.data.validation[0], truth.data.train[0]))
    with pytest.raises(
        InputError, match="expected validation pairs that no training pair repeats, found the same sem"
    ):
        refuse_leakage(copied, truth, card)


def test_model_that_was_trained_on_a_validation_pair_stops_the_stage(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    shutil.copytree(project.folder, folder)
    other = dataclasses.replace(open_project(["split.seed=1"], folder=folder, track=False))
    with pytest.raises(InputError, match="a model that has not seen the validation pairs, found"):
        assess(other)


def test_near_sibling_becomes_a_warning(project: Project) -> None:
    prepared = project.prepared()
    what = evaluated(project, prepared)
    facts, warnings = leakage_summary(prepared, Reference(what))
    assert set(facts) == {"saxs", "sem"} and warnings == []
    patterns = what.patterns.copy()
    patterns[what.validation[1]] = np.clip(patterns[what.train[2]] + 1e-6, 0, 1)
    _, warnings = leakage_summary(prepared, Reference(dataclasses.replace(what, patterns=patterns)))
    assert [one["name"] for one in warnings] == ["possible leakage"]
    assert prepared.pairs[what.validation[1]].id in warnings[0]["text"]
