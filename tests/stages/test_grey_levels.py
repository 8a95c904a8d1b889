"""Micrographs that keep their grey levels: a folder of files through preparation, training, scores and prediction."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import pairvae
from pairvae.commands.predict import Request, predict
from pairvae.inference.predictions import correlation_length
from pairvae.inference.predictor import Predictor
from pairvae.numerics.morphology import two_point_correlation
from pairvae.reports.page import render
from pairvae.stages.assess import assess
from pairvae.stages.generate import generate
from pairvae.stages.preprocess import preprocess
from pairvae.stages.project import Project, open_project
from pairvae.stages.report import gather
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo

PARAMS = """
split: {train: 5}
latent: {channels: 4}
saxs: {prepare: {size: 32}, network: {components: 3, width: 8}, training: {epochs: 2, log_every: 1}}
sem:
  prepare: {threshold: none, crop: 64}
  network: {components: 3, width: 8, noise_channels: 4, block_widths: [4, 4, 4]}
  training: {epochs: 2, log_every: 1, texture: {crop: 32}}
pair: {training: {random_epochs: 2, log_every: 1}}
assess: {crops: 2, realism_steps: 2}
generate: {samples: 2}
baselines: {unet: {epochs: 1, log_every: 1, widths: [4, 8]}}
device: {threads: 1, checkpoint_seconds: 0}
"""
TO_SEM = {
    "s2_mae", "histogram_distance", "spacing_error", "orientation_error", "coherence_error", "contrast_error",
}  # fmt: skip


def write_pairs(folder: Path, pairs: int = 8) -> None:
    """Skewed textures of 7 to 14 px, and the rings of their spectra."""
    for name in ("SAXS", "SEM"):
        (folder / name).mkdir(parents=True)
    for pair in range(pairs):
        noise = np.random.default_rng(pair).normal(size=(160, 180)).astype(np.float32)
        width = 1.5 + 0.25 * pair
        waves = cv2.GaussianBlur(noise, (0, 0), width) - cv2.GaussianBlur(noise, (0, 0), 2 * width)
        texture = np.exp(1.5 * waves / waves.std())
        levels = np.clip(40 * texture, 0, 65_535).astype(np.uint16)
        cv2.imwrite(str(folder / "SEM" / f"{pair:02d}.tif"), levels)
        power = np.fft.fftshift(np.abs(np.fft.fft2(waves[:160, :160])) ** 2)
        rings = cv2.resize(cv2.GaussianBlur(power.astype(np.float32), (0, 0), 3), (64, 64))
        cv2.imwrite(str(folder / "SAXS" / f"{pair:02d}.png"), (255 * rings / rings.max()).astype(np.uint8))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("grey")
    (folder / "params.yaml").write_text(PARAMS)
    write_pairs(folder / "data" / "raw")
    made = open_project(folder=folder, track=False)
    preprocess(made)
    for name in made.settings.modalities:
        train_solo(made, name)
    train_pair(made)
    assess(made)
    generate(made)
    return made


@pytest.fixture(scope="module")
def model(project: Project) -> Predictor:
    return pairvae.load(str(project.model("train-pair")))


def test_prepared_images_keep_many_levels(project: Project) -> None:
    prepared = project.prepared()
    (image, *_), crops = prepared.images("sem"), prepared.crops("sem")
    assert image.dtype == crops.dtype == np.float16
    assert image.shape == (160, 180) and crops.shape == (8, 2, 64, 64)
    assert len(np.unique(np.asarray(image))) > 500
    assert image.astype(np.float32).mean() == pytest.approx(0.5, abs=1e-3)


def test_scores_are_those_of_grey_levels_beside_baselines_and_floor(project: Project) -> None:
    validation = json.loads((project.reports / "metrics.json").read_text())["splits"]["validation"]
    assert set(validation["pair"]["saxs_sem"]) == {*TO_SEM, "s2_mean16_mae"}
    assert set(validation["solo"]["sem_sem"]) == set(validation["floor"]["sem_sem"]) == TO_SEM
    for baseline in ("retrieval", "mean", "dual_vae", "unet"):
        assert set(validation["baselines"][baseline]["saxs_sem"]) >= TO_SEM
    assert set(validation["baselines"]["regression"]["saxs_sem"]) == {"s2_mae", "s2_mean16_mae"}
    assert set(validation["ensembles"]["pair"]["descriptors"]) == {"spacing", "orientation", "contrast"}


def test_the_page_says_what_grey_levels_lack_and_draws_none_of_it(project: Project) -> None:
    report = gather(project)
    page = render(report, 64)
    assert "its grey levels are kept" in page and "the bright phase is white" not in page
    assert "Histogram distance" in page and "Lineal path error" not in page
    assert report.thresholds == () and report.examples[0].phase_fraction is None


def test_widths_follow_the_contrast_of_grey_levels(project: Project) -> None:
    content = json.loads((project.model("train-pair") / "calibration.json").read_text())
    steps = {entry["step"]: entry for entry in content["corrections"]}
    matched = steps["variance_matching"]
    assert abs(matched["after"] - matched["target"]) <= abs(matched["before"] - matched["target"])
    crops = np.asarray(project.prepared().crops("sem"), np.float64)[
        list(project.split(project.prepared()).train)
    ]
    assert 0 < matched["target"] < crops.std((-2, -1)).var()
    assert "reason" not in steps["length_scale"]


def test_predictions_are_grey_levels(project: Project, model: Predictor) -> None:
    pattern, image = project.raw / "SAXS" / "06.png", project.raw / "SEM" / "06.tif"
    drawn = model.predict(pattern, target="sem", samples=2)
    assert drawn.shape == (1, 2, 64, 64) and drawn.dtype == np.float32
    assert 0 <= drawn.min() < drawn.max() <= 1 and len(np.unique(drawn)) > 100
    assert np.array_equal(drawn, model.predict(pattern, target="sem", samples=2))
    prepared = model.prepare(image, "sem")
    assert np.array_equal(model.predict(image, target="saxs"), model.predict(prepared, source="sem"))


def test_the_correlation_length_does_not_depend_on_the_two_grey_levels() -> None:
    binary = (cv2.GaussianBlur(np.random.default_rng(1).normal(size=(96, 96)), (0, 0), 3) > 0)[None]
    phases, levels = binary.astype(np.uint8), (0.3 + 0.4 * binary).astype(np.float32)
    expected = correlation_length(two_point_correlation(phases))
    found = correlation_length(two_point_correlation(levels), levels.mean((1, 2), np.float64))
    assert 2 < expected[0] < 12
    assert found == pytest.approx(expected, rel=0.05)  # the unbiased S(r) sees other means at other lags


def test_a_table_says_contrast_and_leaves_the_phase_fraction_empty(
    project: Project, model: Predictor, tmp_path: Path
) -> None:
    files = [str(project.raw / "SAXS" / "06.png")]
    predict(files, Request("sem", tmp_path, str(project.model("train-pair"))))
    (row,) = csv.DictReader((tmp_path / "predictions.csv").open())
    assert row["phase_fraction"] == "" and 0 < float(row["contrast"]) < 0.5
    picture = cv2.imread(str(tmp_path / row["file"]), cv2.IMREAD_UNCHANGED)
    assert picture is not None and picture.shape == (64, 64) and len(np.unique(picture)) > 20
