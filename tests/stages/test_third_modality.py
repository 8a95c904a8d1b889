"""Pairs with the third modality, I(q): prepared, trained, scored, reported and predicted, on eight small samples."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pairvae.commands.predict import Request, predict
from pairvae.errors import InputError
from pairvae.inference.card import load_vaes
from pairvae.modalities.readers.curve import read_curve
from pairvae.settings import resolve
from pairvae.settings.simulation import SimulationParameters
from pairvae.stages.assess import assess
from pairvae.stages.generate import generate
from pairvae.stages.preprocess import prepare_folder
from pairvae.stages.project import Project, open_project
from pairvae.stages.report import report
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from pairvae.store.model_folder import load_card

PHYSICS = SimulationParameters(sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600, curves=True)
PARAMS = """
split: {train: 5}
latent: {channels: 4}
saxs: {prepare: {size: 32}, network: {components: 3, width: 8}, training: {epochs: 2, log_every: 1}}
sem:
  prepare: {rows: 208, columns: 240}
  network: {components: 3, width: 8, noise_channels: 4, block_widths: [4, 4, 4]}
  training: {epochs: 2, log_every: 1, texture: {crop: 32}}
iq:
  prepare: {q_min: 0.07, q_max: 0.33, bins: 32}
  network: {components: 3, width: 8}
  training: {epochs: 2, log_every: 1}
pair: {training: {random_epochs: 2, log_every: 1}}
assess: {crops: 2, realism_steps: 2}
baselines: {fft: false, ridge: false, dual_vae: false, unet: {epochs: 0}}
generate: {samples: 2}
device: {threads: 1}
"""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pairvae.data.simulate.simulated_folder import simulate

    folder = tmp_path_factory.mktemp("third") / "raw"
    simulate(folder, pairs=8, seed=0, parameters=PHYSICS, workers=1)
    return folder


def project(folder: Path, raw: Path, modalities: str) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(f"modalities: [{modalities}]\n{PARAMS}")
    made = open_project(folder=folder, track=False)
    prepare_folder(raw, made.prepared_folder, made.settings)
    return made


@pytest.fixture(scope="module", params=["iq, sem", pytest.param("saxs, iq", marks=pytest.mark.slow)])
def trained(request: pytest.FixtureRequest, raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = project(tmp_path_factory.mktemp("trained"), raw, request.param)
    for name in ("saxs", "sem"):
        train_solo(made, name)
    train_pair(made)
    assess(made)
    generate(made)
    return made


def test_only_the_pair_is_prepared(trained: Project) -> None:
    prepared = trained.prepared()
    assert set(prepared.card["done"]) == set(trained.settings.modalities)
    assert {path.stem.partition("-")[0] for path in trained.prepared_folder.glob("*.npy")} == set(
        trained.settings.modalities
    )
    assert prepared.whole("iq").shape == (8, 1, 1, 32)
    assert prepared.card["done"]["iq"][0]["from"] == "curve file"


def test_stage_that_is_not_needed_says_so(trained: Project) -> None:
    (unused,) = {"saxs", "sem"} - set(trained.settings.modalities)
    card = load_card(trained.model(f"train-{unused}"))
    assert card["left_out"] == f"the pair is {', '.join(trained.settings.modalities)}"
    with pytest.raises(InputError, match="expected a trained model, found none: the pair is"):
        load_vaes(trained.model(f"train-{unused}"))


def test_solo_model_without_a_stage_lies_in_the_folder_of_the_pair(trained: Project) -> None:
    pair, alone = load_card(trained.model("train-pair")), load_card(trained.solo("iq"))
    assert tuple(pair["modalities"]) == trained.settings.modalities
    assert tuple(alone["modalities"]) == ("iq",)
    assert pair["params"]["solo"]["iq"] == alone["weights_sha256"]


def test_every_direction_is_scored_beside_its_baselines(trained: Project) -> None:
    metrics = json.loads((trained.reports / "metrics.json").read_text())
    first, second = trained.settings.modalities
    for split in metrics["splits"].values():
        for direction in (f"{a}_{b}" for a in (first, second) for b in (first, second)):
            score = "s2_mae" if direction.endswith("sem") else "mae"
            assert split["pair"][direction][score]["median"] >= 0
        for direction in (f"{first}_{second}", f"{second}_{first}"):
            assert set(split["baselines"]["retrieval"][direction])
            assert set(split["baselines"]["mean"][direction])
        assert set(split["solo"]) == {f"{name}_{name}" for name in (first, second)}
        assert set(split["floor"]) == ({"sem_sem"} if second == "sem" else set())
    assert bool(metrics["generation"]) == (second == "sem")


@pytest.mark.slow
def test_report_tells_the_scores(trained: Project) -> None:
    report(trained)
    page = (trained.reports / "index.html").read_text()
    assert "IQ" in page
    assert "Retrieval" in page or "retrieval" in page


def test_curve_and_partner_predict_each_other(trained: Project, raw: Path, tmp_path: Path) -> None:
    (partner,) = set(trained.settings.modalities) - {"iq"}
    files = sorted((raw / partner.upper()).iterdir())[:2]
    model = str(trained.model("train-pair"))
    assert predict([str(file) for file in files], Request(to="iq", out=tmp_path, model=model, samples=2)) == 4
    with (tmp_path / "00000-iq-01.csv").open() as stream:
        rows = [(float(row["q (1/nm)"]), float(row["I (a.u.)"])) for row in csv.DictReader(stream)]
    q, intensity = np.array(rows).T
    assert (q[0], q[-1]) == (pytest.approx(0.07), pytest.approx(0.33))
    known = load_card(trained.model("train-pair"))["modalities"]["iq"]["measured"]["highest_intensity"]
    written = read_curve(raw / "IQ" / "00000.csv").pixels
    assert known == pytest.approx(written[(written[:, 0] > 0.07) & (written[:, 0] < 0.33), 1].max(), rel=1)
    assert known * 1e-4 <= intensity.min() < intensity.max() <= known * 1.001
    again = read_curve(tmp_path / "00000-iq-01.csv")
    assert (again.q_unit, len(again.pixels)) == ("1/nm", 32), "a predicted curve can be read"
    curves = [str(file) for file in sorted((raw / "IQ").iterdir())[:2]]
    assert predict(curves, Request(to=partner, out=tmp_path, model=model)) == 2
    assert len(list(tmp_path.glob(f"*-{partner}-00.png"))) == 2
    with pytest.raises(InputError, match="expected a modality"):
        predict(curves, Request(to="afm", out=tmp_path, model=model))


def test_training_again_changes_nothing(raw: Path, tmp_path: Path) -> None:
    hashes = []
    for _ in range(2):
        made = project(tmp_path / "again", raw, "iq, saxs")
        train_solo(made, "saxs")
        train_pair(made)
        hashes.append(load_card(made.model("train-pair"))["weights_sha256"])
    assert hashes[0] == hashes[1]


def test_prepared_data_of_another_pair_are_refused(raw: Path, tmp_path: Path) -> None:
    made = project(tmp_path / "other", raw, "saxs, sem")
    (made.folder / "params.yaml").write_text(f"modalities: [iq, sem]\n{PARAMS}")
    other = open_project(folder=made.folder, track=False)
    with pytest.raises(InputError, match="expected prepared data of iq, sem, found none of iq - run"):
        other.prepared()


def test_own_folder_without_curves_uses_the_patterns(raw: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(raw, own)
    shutil.rmtree(own / "IQ")
    rows = [line.split(",") for line in (own / "pairs.csv").read_text().splitlines()]
    place = rows[0].index("iq")
    (own / "pairs.csv").write_text("\n".join(",".join(row[:place] + row[place + 1 :]) for row in rows) + "\n")
    made = project(tmp_path / "project", own, "iq, sem")
    done = made.prepared().card["done"]["iq"]
    assert {one["from"] for one in done} == {"azimuthal average of the pattern"}


def test_own_folder_without_patterns(raw: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    for name in ("IQ", "SEM"):
        shutil.copytree(raw / name, own / name)
    made = project(tmp_path / "project", own, "iq, sem")
    assert made.prepared().pairs[0].sem_nm_per_px == pytest.approx(2.9), "from the micrograph itself"
    with pytest.raises(InputError, match="expected a file of SAXS pattern for pair 00000, found none"):
        project(tmp_path / "other", own, "saxs, sem")


@pytest.mark.parametrize(
    ("modalities", "message"),
    [
        (["saxs", "saxs"], "expected modalities: two or more different ones of saxs, sem, iq"),
        (["saxs", "raman"], "expected modalities: two or more different ones of saxs, sem, iq"),
        (["saxs"], "expected modalities: two or more different"),
        (["saxs", "sem", "saxs"], "expected modalities: two or more different"),
        (7, "key modalities: expected"),
    ],
)
def test_pair_that_is_none_is_told(modalities: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve({"modalities": modalities})


def test_weights_of_the_preset_follow_the_pair() -> None:
    given = {"similarity": 5e-3, "saxs_saxs": 4e-2, "saxs_sem": 4e-1, "sem_sem": 4e-2, "sem_saxs": 1.0}
    assert resolve({"preset": "paper"}).pair.training.weights == given
    assert resolve({"preset": "paper", "modalities": ["sem", "saxs"]}).pair.training.weights == given
    chosen = resolve({"preset": "paper", "modalities": ["iq", "sem"]}).pair.training.weights
    assert chosen == {"similarity": 5e-3, "iq_iq": 4e-2, "iq_sem": 4e-1, "sem_sem": 4e-2, "sem_iq": 1.0}
    with pytest.raises(InputError, match=r"expected weights of exactly iq_iq, iq_sem, .* in pair\.training"):
        resolve({"modalities": ["iq", "sem"], "pair": {"training": {"weights": {"saxs_sem": 1.0}}}})
