"""The prior: the command that makes it, the one that ships, and trainings of micrographs that begin from it."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import pairvae
from pairvae.commands import prior as command
from pairvae.commands.prior import make_prior
from pairvae.data.simulate import broad, broad_samples
from pairvae.data.simulate.broad_structures import KINDS
from pairvae.errors import InputError
from pairvae.inference.loader import load
from pairvae.models.build import build_trainable
from pairvae.settings import LatentSettings, resolve
from pairvae.stages import start
from pairvae.stages.start import begin_from_prior
from pairvae.store.files import file_digest
from pairvae.store.model_folder import DISCRIMINATORS, WEIGHTS, load_card, load_model, prior_folder
from pairvae.store.tensors import load_tensors

KEY = "sem.training.start_from"
LARGEST = 10_000_000  # bytes


def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (command, broad_samples):
        monkeypatch.setattr(module, "CHUNK", 12)
    for name, value in (("PATTERNS", 8), ("REMEMBERED", 8), ("PATTERN_EPOCHS", 2), ("FITTED", 64)):
        monkeypatch.setattr(command, name, value)


def test_it_is_made_anew_from_its_samples_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _small(monkeypatch)
    for name in ("first", "again"):
        make_prior(tmp_path / name, tmp_path / "work", pairs=24, epochs=2, seed=0)
        if name == "first":  # the samples stay: what is trained on them is trained again
            for folder in (tmp_path / "work").iterdir():
                if folder.is_dir():
                    shutil.rmtree(folder)
    assert file_digest(tmp_path / "first" / WEIGHTS) == file_digest(tmp_path / "again" / WEIGHTS)
    model = load(tmp_path / "first")
    images = model.predict(np.random.default_rng(0).random((1, 3, 192, 192), np.float32), "saxs", "sem")
    assert images.shape == (1, 1, 192, 192)
    assert load_card(tmp_path / "first")["params"]["left_out"] == ["spheres"]


def test_a_number_of_pairs_that_fills_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="multiple of 100 pairs, found 150"):
        make_prior(tmp_path / "out", tmp_path / "work", pairs=150, epochs=1, seed=0)
    assert not (tmp_path / "work").exists()


def test_the_one_that_ships_is_small_and_whole() -> None:
    folder = prior_folder()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LARGEST
    weights = load_model(folder).weights
    assert all(value.dtype == torch.float16 for value in weights.values() if value.is_floating_point())


def test_it_predicts_spacing_and_direction_of_structures_that_it_has_not_seen() -> None:
    model = pairvae.load("prior")
    ratios, along = [], []
    for index in range(7, 90, 9):  # another seed; waves, lamellae and so on
        pair = broad.broad_pair(index, 1, frozenset({"spheres", "rough", "cells"}), standard=True)
        if not 7 < pair.truth.spacing_px < 24:
            continue
        pattern = broad.coloured(pair).transpose(2, 0, 1).astype(np.float32) / 255
        image = model.predict(pattern[None], "saxs", "sem", samples=4, seed=0)[0]
        true = pair.phase[None, :192, :192]
        ratios.append(np.log(_spacing(image) / _spacing(true)))
        along.append((_order(image), _order(true)))
    assert len(ratios) >= 4
    assert np.median(np.abs(ratios)) < np.log(1.35)
    assert np.corrcoef(np.array(along).T)[0, 1] > 0.5


def test_what_is_no_pattern_is_unlike_and_a_kind_left_out_is_not() -> None:
    model, generator = pairvae.load("prior"), np.random.default_rng(0)
    noise = generator.random((3, 192, 192), dtype=np.float32)
    ramp = np.broadcast_to(np.linspace(0, 1, 192, dtype=np.float32), (3, 192, 192))
    blurred = cv2.GaussianBlur(noise[0], (0, 0), 6)
    cloud = np.repeat((blurred[None] - blurred.min()) / np.ptp(blurred), 3, axis=0)
    for array in (noise, ramp, cloud):
        found = model.confidence(array, "saxs")
        assert found is not None and found.out_of_distribution
    others = frozenset(KINDS) - {"spheres"}
    discs = [broad.coloured(broad.broad_pair(index, 1, others)) for index in range(6)]
    told = [model.confidence(disc.transpose(2, 0, 1).astype(np.float32) / 255, "saxs") for disc in discs]
    assert sum(one is not None and one.out_of_distribution for one in told) <= 1


def _spectra(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    power = np.mean([np.abs(np.fft.fft2(image - image.mean())) ** 2 for image in images], axis=0)
    y, x = np.meshgrid(*(np.fft.fftfreq(images.shape[-1]),) * 2, indexing="ij")
    return power, y, x


def _spacing(images: np.ndarray) -> float:
    power, y, x = _spectra(images)
    wave = np.hypot(y, x)
    counted = (wave > 0.02) & (wave < 0.25)
    return float(1 / np.average(wave[counted], weights=power[counted] ** 1.5))


def _order(images: np.ndarray) -> float:
    """1: waves along x alone, -1: along y."""
    power, y, x = _spectra(images)
    return float(np.average(np.cos(2 * np.arctan2(y, x)), weights=power))


def test_a_file_and_no_project_are_enough_for_a_first_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from pairvae.cli import app

    monkeypatch.chdir(tmp_path)
    pair = broad.broad_pair(3, 2, standard=True)
    cv2.imwrite("mine.png", broad.coloured(pair)[..., ::-1])
    told = CliRunner().invoke(app, ["predict", "mine.png", "--to", "sem", "--model", "prior", "--out", "out"])
    assert told.exit_code == 0, told.output
    assert (tmp_path / "out" / "contact-sheet.png").is_file()


def test_a_training_begins_with_its_decoder_and_its_latents() -> None:
    settings = resolve({"preset": "fast"}, where="test")
    vae, discriminator = build_trainable(settings.sem.network, settings.latent, (1, 192, 192), 0, 16)
    phases = [broad.broad_pair(8 * index + 1, 3).phase for index in range(12)]
    corners = [(row, column) for row in (0, 96, 192) for column in (0, 96, 192)]
    crops = torch.from_numpy(
        np.stack([phase[y : y + 192, x : x + 192] for phase in phases for y, x in corners]).astype(np.float32)
    )[:, None]
    vae.encoder.fit(crops)
    digest = begin_from_prior(vae, "sem", crops, KEY, discriminator)
    assert digest == load_card(prior_folder())["weights_sha256"]
    theirs = load("prior").vaes["sem"]
    for name, value in theirs.decoder.state_dict().items():
        assert torch.equal(vae.decoder.state_dict()[name], value), name
    with torch.no_grad():
        ours, expected = vae.posterior(crops).mean, theirs.posterior(crops).mean
    assert (ours - expected).square().mean() < 0.2 * expected.var(0).mean()
    stored = load_tensors(prior_folder() / DISCRIMINATORS)[0]
    assert discriminator is not None
    for name, value in discriminator.state_dict().items():
        assert torch.equal(value, stored[f"sem.{name}"].float()), name


@pytest.mark.parametrize(("name", "channels", "grid", "match"), [
    ("saxs", 16, 1, "found no prior of saxs"),
    ("sem", 8, 1, "the decoder and the latent of the prior"),
    ("sem", 16, 2, "the decoder and the latent of the prior"),
])  # fmt: skip
def test_another_network_cannot_begin_from_it(name: str, channels: int, grid: int, match: str) -> None:
    settings = resolve({"preset": "fast"}, where="test")
    network, shape = settings.modality(name).network, (3 if name == "saxs" else 1, 192, 192)
    vae, _ = build_trainable(network, LatentSettings(channels=channels, grid=grid), shape, 0, 0)
    with pytest.raises(InputError, match=match):
        begin_from_prior(vae, name, torch.zeros(4, *shape), KEY)


def test_the_training_stage_begins_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pairvae.stages.train_solo import train_solo
    from tiny_project import tiny_project

    own = tiny_project(tmp_path / "own")
    train_solo(own, "sem")
    card = load_card(own.model("train-sem"))
    shutil.copytree(own.model("train-sem"), tmp_path / "prior")
    monkeypatch.setattr(start, "prior_folder", lambda: tmp_path / "prior")
    begun = tiny_project(tmp_path / "begun", "sem.training.start_from=prior")
    train_solo(begun, "sem")
    assert load_card(begun.model("train-sem"))["params"]["start"] == card["weights_sha256"]
    assert file_digest(begun.model("train-sem") / WEIGHTS) != file_digest(own.model("train-sem") / WEIGHTS)
