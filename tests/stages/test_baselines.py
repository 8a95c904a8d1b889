"""Fitted baselines on eight small pairs: what they give, and that only training pairs teach them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pairvae.evaluation.scores.evaluate import Reference
from pairvae.evaluation.scores.reconstruct import EvaluationSet
from pairvae.stages.assess import evaluated
from pairvae.stages.baselines import fitted_errors, trained_alone, trained_predictions
from pairvae.stages.project import Project, open_project
from tiny_project import solo_trained

PARAMS = """
split: {train: 5}
latent: {channels: 4}
saxs: {prepare: {size: 32}, network: {components: 3, width: 8}, training: {epochs: 2, log_every: 1}}
sem:
  prepare: {rows: 208, columns: 240, crop: 64}
  network: {components: 3, width: 8, noise_channels: 4, block_widths: [4, 4, 4]}
  training: {epochs: 2, log_every: 1, texture: {crop: 32}}
assess: {crops: 3, realism_steps: 2}
baselines: {unet: {epochs: 2, log_every: 1, widths: [4, 8]}}
device: {threads: 1, checkpoint_seconds: 0}
"""
NAMES = ["fft", "fft_whole", "ridge", "ridge_whole", "dual_vae", "unet"]
ONE_CROP, WHOLE, IMAGES = (8, 3, 3, 32, 32), (8, 3, 32, 32), (8, 3, 64, 64)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return solo_trained(tmp_path_factory.mktemp("baselines") / "project", PARAMS)


def predicted(
    project: Project, change: Callable[[EvaluationSet], EvaluationSet] = lambda what: what
) -> dict[str, dict]:
    prepared = project.prepared()
    what = change(evaluated(project, prepared))
    return dict(trained_predictions(project, prepared, what, trained_alone(project, what)))


def test_shapes_and_ranges_are_those_that_the_scores_want(project: Project) -> None:
    found = predicted(project)
    assert list(found) == NAMES
    shapes = {name: {way: array.shape for way, array in one.items()} for name, one in found.items()}
    assert shapes == {
        "fft": {"sem_saxs": ONE_CROP},
        "fft_whole": {"sem_saxs": WHOLE},
        "ridge": {"sem_saxs": ONE_CROP},
        "ridge_whole": {"sem_saxs": WHOLE},
        "dual_vae": {"saxs_sem": IMAGES, "sem_saxs": ONE_CROP},
        "unet": {"saxs_sem": IMAGES, "sem_saxs": ONE_CROP},
    }
    for one in found.values():
        for direction, array in one.items():
            assert array.dtype == (np.uint8 if direction == "saxs_sem" else np.float32)
            assert array.min() >= 0 and array.max() <= 1


def test_every_prediction_goes_through_the_scores(project: Project) -> None:
    prepared = project.prepared()
    reference = Reference(evaluated(project, prepared), full=True)
    alone = trained_alone(project, reference.data)
    errors, properties = fitted_errors(project, prepared, reference, alone)
    assert list(errors) == NAMES
    assert errors["fft_whole"]["sem_saxs"]["mae"].shape == (8,)
    assert errors["fft"]["sem_saxs"]["mae"].shape == (8, 3)
    for name in ("unet", "dual_vae"):
        assert errors[name]["saxs_sem"]["s2_mae"].shape == (8, 3)
        assert properties[name]["orientation_x"].shape == (8, 3)
    for one in errors.values():
        for scores in one.values():
            assert all(np.isfinite(values).all() for values in scores.values())


def test_validation_pairs_teach_nothing(project: Project) -> None:
    """Other patterns and crops of the validation pairs change no prediction of a training pair."""

    def spoiled(what: EvaluationSet) -> EvaluationSet:
        patterns, crops = what.patterns.copy(), what.crops.copy()
        patterns[list(what.validation)] = 1 - patterns[list(what.validation)]
        crops[list(what.validation)] = 1 - crops[list(what.validation)]
        return dataclasses.replace(what, patterns=patterns, crops=crops)

    kept, other = predicted(project), predicted(project, spoiled)
    train = list(project.split(project.prepared()).train)
    for name, one in kept.items():
        for direction, array in one.items():
            np.testing.assert_array_equal(array[train], other[name][direction][train], err_msg=name)


def test_unets_are_kept_and_named_by_what_they_depend_on(project: Project) -> None:
    folder = project.root / ".pairvae" / "baselines"
    shutil.rmtree(folder, ignore_errors=True)
    first = predicted(project)["unet"]
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}
    assert len(files) == 2
    again = predicted(project)["unet"]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")} == files
    for direction, array in first.items():
        np.testing.assert_array_equal(array, again[direction])
    predicted(with_settings(project, ["baselines.unet.learning_rate=0.001"]))
    assert len(list(folder.rglob("*.safetensors"))) == 4


def with_settings(project: Project, overrides: list[str]) -> Project:
    return open_project(overrides, folder=project.folder, track=False)


def test_each_can_be_left_out(project: Project) -> None:
    without = ["baselines.fft=false", "baselines.dual_vae=false", "baselines.unet.epochs=0"]
    assert list(predicted(with_settings(project, without))) == ["ridge", "ridge_whole"]
    assert "ridge" not in predicted(
        with_settings(project, ["baselines.ridge=false", "baselines.unet.epochs=0"])
    )


def test_unknown_pixel_sizes_are_no_obstacle(project: Project, tmp_path: Path) -> None:
    prepared = project.prepared()
    card = json.loads(json.dumps(prepared.card))
    for pair in card["pairs"]:
        pair["sem_nm_per_px"] = None
    blind = dataclasses.replace(prepared, card=card)
    only_fft = with_settings(
        project, ["baselines.ridge=false", "baselines.dual_vae=false", "baselines.unet.epochs=0"]
    )
    what = evaluated(project, prepared)
    found = dict(trained_predictions(only_fft, blind, what, trained_alone(project, what)))
    assert found["fft_whole"]["sem_saxs"].shape == WHOLE
