"""The stage `train pair` calibrates on training pairs alone; the covariance is a weight, loaded and served alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from many_pairs import SMALL, write_prepared
from pairvae import store
from pairvae.calibration.calibrate import calibrate
from pairvae.errors import InputError
from pairvae.evaluation.uncertainty import draw_images
from pairvae.inference.calibration_inputs import calibration_data
from pairvae.inference.card import MIXING, load_vaes
from pairvae.inference.corrections import FILE, read_corrections
from pairvae.inference.loader import load
from pairvae.models import vae
from pairvae.models.pair import PairVAE
from pairvae.models.vae import VAE, Encoder
from pairvae.models.weights import SCALE_TRIL
from pairvae.settings import resolve
from pairvae.stages.project import Project, open_project
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from pairvae.store.files import file_digest
from pairvae.store.model_folder import CARD, WEIGHTS, load_card, load_model
from pairvae.store.prepared import open_prepared
from pairvae.store.tensors import save_tensors

PAIRS, TRAIN, CHANNELS = 14, 10, 4
TINY = [
    *SMALL,
    f"split.train={TRAIN}",
    f"latent.channels={CHANNELS}",
    "saxs.network.components=4",
    "saxs.network.width=16",
    "sem.network.components=4",
    "sem.network.width=16",
    "sem.network.noise_channels=8",
    "sem.network.block_widths=[8, 8, 8]",
    "saxs.training.batch=5",
    "sem.training.batch=5",
    "pair.training.batch=5",
]


def project_in(folder: Path, *changes: str) -> Project:
    return open_project([*TINY, *changes], folder=folder, track=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("calibration")
    write_prepared(folder / "data" / "prepared", PAIRS)
    (folder / "params.yaml").write_text("preset: fast\n")
    project = project_in(folder)
    for name in ("saxs", "sem"):
        train_solo(project, name)
    train_pair(project)
    return project


@pytest.fixture(scope="module")
def plain(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same training, without any calibration."""
    folder = tmp_path_factory.mktemp("plain") / "project"
    shutil.copytree(trained.folder, folder)
    project = project_in(folder, "pair.training.refit=0", "pair.training.calibrate=false")
    train_pair(project)
    return project


@pytest.fixture
def older(trained: Project, tmp_path: Path) -> Path:
    """The model as version 0.1 would have written it: the factor in the card."""
    folder = tmp_path / "older"
    shutil.copytree(trained.model("train-pair"), folder)
    weights, card = load_model(folder).weights, load_card(folder)
    factor = weights.pop(f"saxs.{SCALE_TRIL}")
    save_tensors(folder / WEIGHTS, weights, {})
    mixing = {MIXING: {"saxs": factor.tolist()}, "weights_sha256": file_digest(folder / WEIGHTS)}
    store.write_json(folder / CARD, card | mixing | {"format": 1})
    return folder


def patterns(project: Project) -> np.ndarray:
    return np.array(project.prepared().whole("saxs")[:3])


def factor_of(vaes: dict[str, VAE]) -> torch.Tensor:
    found = vaes["saxs"].encoder.scale_tril
    assert found is not None
    return found


def test_the_stage_calibrates_the_pattern_s_posterior_and_tells(trained: Project) -> None:
    folder = trained.model("train-pair")
    vaes, card = load_vaes(folder)
    assert MIXING not in card and f"saxs.{SCALE_TRIL}" in load_model(folder).weights
    assert vaes["sem"].encoder.scale_tril is None
    found = factor_of(vaes)
    assert found.shape == (CHANNELS, CHANNELS)
    assert torch.equal(found, found.tril()) and (found.diag() > 0).all()
    corrections = {one["step"]: one for one in read_corrections(folder)}
    assert list(corrections) == [
        "length_scale",
        "posterior_mean",
        "posterior_covariance",
        "variance_matching",
        "cross_regression",
        "cross_regression_of_crops",
    ]
    assert all(
        {"target", "before", "after", "value", "statistic", "knob"} <= one.keys()
        for one in corrections.values()
    )
    assert FILE in card["files_sha256"]


def test_calibrating_the_uncalibrated_model_gives_the_calibrated_one(
    trained: Project, plain: Project
) -> None:
    """Training does not depend on the calibration, which former names switch off."""
    reasons = [one["reason"] for one in read_corrections(plain.model("train-pair"))]
    assert reasons == ["switched off"] * 5
    vaes = load_vaes(plain.model("train-pair"))[0]
    calibrated(trained, vaes)
    expected = load_vaes(trained.model("train-pair"))[0]
    for name, one in expected.items():
        for key, value in one.state_dict().items():
            assert torch.equal(vaes[name].state_dict()[key], value), key


def calibrated(project: Project, vaes: dict[str, VAE], folder: Path | None = None) -> None:
    prepared = project.prepared() if folder is None else open_prepared(folder)
    chosen, rows = project.settings.pair.calibration, project.split(project.prepared()).train
    data = calibration_data(prepared, project.settings.modalities, rows, project.settings.pair)
    calibrate(PairVAE(vaes), data, chosen, chosen.seed)


def test_neither_validation_pairs_nor_the_crops_of_scores_are_looked_at(
    trained: Project, plain: Project, tmp_path: Path
) -> None:
    rows, folder = trained.split(trained.prepared()), tmp_path / "prepared"
    shutil.copytree(trained.prepared().folder, folder)
    images = open_prepared(folder).images("sem")
    sizes = np.cumsum([0, *(image.size for image in images)])
    blank = {
        "saxs.npy": list(rows.validation),
        "sem-crops.npy": slice(None),
        "sem.npy": np.concatenate([np.arange(sizes[row], sizes[row + 1]) for row in rows.validation]),
    }
    for file, places in blank.items():
        array = np.load(folder / file, mmap_mode="r+")
        array[places] = 1
        array.flush()
    vaes = load_vaes(plain.model("train-pair"))[0]
    calibrated(trained, vaes, folder)
    expected = factor_of(load_vaes(trained.model("train-pair"))[0])
    assert torch.equal(factor_of(vaes), expected)
    array = np.load(folder / "saxs.npy", mmap_mode="r+")
    array[rows.train[0]] = np.random.default_rng(0).random(array.shape[1:])
    array.flush()
    vaes = load_vaes(plain.model("train-pair"))[0]
    calibrated(trained, vaes, folder)
    assert not torch.equal(factor_of(vaes), expected)


def test_models_of_before_draw_as_they_did(trained: Project, older: Path, plain: Project) -> None:
    now, before, without = load(trained.model("train-pair")), load(older), load(plain.model("train-pair"))
    one = patterns(trained)
    drawn = [model.predict(one, "saxs", "sem", samples=4) for model in (now, before, without)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    first, second = (
        draw_images(model.vaes["saxs"], model.vaes["sem"], torch.from_numpy(one), 4, 0)
        for model in (now, before)
    )
    np.testing.assert_array_equal(first, second)
    posterior = now.posterior(one, "saxs")
    assert posterior.correlation is not None
    torch.testing.assert_close(now.encode(one[0], "saxs").correlation, posterior.correlation)
    torch.testing.assert_close(posterior.correlation.norm(dim=1), torch.ones(CHANNELS))


@pytest.mark.parametrize("wrong", [[[1.0]], [[1.0] * CHANNELS] * 3, [[1e39] * CHANNELS] * CHANNELS])
def test_a_factor_that_does_not_fit_the_latent_is_one_clear_line(
    older: Path, wrong: list[list[float]]
) -> None:
    store.write_json(older / CARD, load_card(older) | {MIXING: {"saxs": wrong}})
    with pytest.raises(InputError, match=r"mixing\.saxs"):
        load(older)


def test_a_training_can_start_from_a_calibrated_model(trained: Project, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "again")
    again = project_in(tmp_path / "again", "pair.training.start_from=models/train-pair")
    train_pair(again)
    assert not torch.equal(
        factor_of(load_vaes(again.model("train-pair"))[0]),
        factor_of(load_vaes(trained.model("train-pair"))[0]),
    )


def test_the_served_pair_draws_as_the_library_does() -> None:
    from pairvae.tracking.registry.served import CHUNK, Conditions, ServedPair

    class Known(Encoder):
        def features(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs

        def head(self, features: torch.Tensor) -> torch.Tensor:
            return torch.cat([features, 0.5 + features], dim=1)

    assert CHUNK == vae.CHUNK, "else the same seed gives other noise"
    inputs = np.array([[[[0.25]], [[0.75]]]], np.float32)
    encoder = Known()
    encoder.scale_tril = torch.tensor([[1.0, 0.0], [0.8, 0.9]])
    served = ServedPair()
    served.conditions = Conditions(None)
    served.shapes, served.binary = {"saxs": (2, 1, 1), "sem": (2, 1, 1)}, {"saxs": False, "sem": False}
    served.channels, served.joints = {"saxs": 2, "sem": 2}, {}
    served.programs = {"saxs-encoder": encoder, "sem-decoder": torch.nn.Identity()}
    found = served.predict(None, inputs, {"direction": "saxs_sem", "samples": 5, "seed": 3})
    torch.manual_seed(3)
    expected = encoder.posterior(torch.from_numpy(inputs)).repeated(0, 5).antithetic_samples()
    assert len(np.unique(found)) == 10
    np.testing.assert_array_equal(found, expected.numpy())
    single = served.predict(None, inputs, {"direction": "saxs_sem"})
    np.testing.assert_array_equal(single, inputs)
    toward = torch.nn.Conv2d(2, 4, 1)
    served.programs |= {"saxs-encoder-sem": toward, "saxs-decoder": torch.nn.Identity()}
    with torch.no_grad():
        moved = toward(torch.from_numpy(inputs))[:, :2].numpy()
    np.testing.assert_array_equal(served.predict(None, inputs, {"direction": "saxs_sem"}), moved)
    np.testing.assert_array_equal(served.predict(None, inputs, {"direction": "saxs_saxs"}), inputs)


def test_presets_and_former_names(capsys: pytest.CaptureFixture[str]) -> None:
    fast, paper = resolve({}).pair.calibration, resolve({"preset": "paper"}).pair.calibration
    steps = (
        "length_scale",
        "posterior_mean",
        "posterior_covariance",
        "variance_matching",
        "cross_regression",
    )
    assert [getattr(fast, step) for step in steps] == [True, 0.5, True, True, True]
    assert not any(getattr(paper, step) for step in steps)
    capsys.readouterr()
    old = {"pair": {"training": {"refit": 0.25, "calibrate": False}, "calibration": {"length_scale": True}}}
    for _ in range(2):
        found = resolve(old, where="a file").pair.calibration
        assert [getattr(found, step) for step in steps] == [True, 0.25, False, False, False]
    assert capsys.readouterr().err.splitlines() == [
        "a file: pair.training.refit is now called pair.calibration.posterior_mean",
        "a file: pair.training.calibrate is now called pair.calibration.length_scale, "
        "pair.calibration.posterior_covariance, pair.calibration.variance_matching, pair.calibration.cross_regression",
    ]
