"""Three techniques, of which samples lack some: prepared, trained, scored, reported, saved and predicted."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import mlflow.pyfunc
import numpy as np
import pytest

import pairvae
from pairvae.app.model_choice import Choice, Models
from pairvae.app.queries import Asked, Known
from pairvae.app.routes import _explained
from pairvae.commands.ensemble import Constraints, ensemble
from pairvae.commands.explain import explain
from pairvae.commands.movie import movie
from pairvae.commands.predict import Request, predict
from pairvae.commands.suggest.survey import survey
from pairvae.commands.watch import Options, watch
from pairvae.data.simulate.simulated_folder import simulate
from pairvae.errors import InputError
from pairvae.inference.predictor import Predictor
from pairvae.models.joint import joints_of_card
from pairvae.reports.direction_rows import direction_rows
from pairvae.settings.simulation import SimulationParameters
from pairvae.stages.assess import assess
from pairvae.stages.preprocess import prepare_folder
from pairvae.stages.project import Project, open_project
from pairvae.stages.register import programs, register
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from pairvae.store.model_folder import load_card
from pairvae.tracking.registry.aliases import download
from pairvae.tracking.registry.served import ServedPair

PHYSICS = SimulationParameters(sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600, curves=True)
PARAMS = """
modalities: [saxs, iq, sem]
data: {unpaired: use}
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
pair: {training: {random_epochs: 3, log_every: 1, batch: 3}}
assess: {crops: 2, realism: false}
baselines: {fft: false, ridge: false, dual_vae: false, unet: {epochs: 0}}
generate: {samples: 2}
device: {threads: 1}
"""
LACKS = {"00001": ("sem",), "00002": ("saxs",), "00003": ("saxs", "iq")}  # the last has no partner


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("more") / "raw"
    simulate(folder, pairs=9, seed=0, parameters=PHYSICS, workers=1)
    table = folder / "pairs.csv"
    with table.open() as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row.update(dict.fromkeys(LACKS.get(row["id"], ()), ""))
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def trained(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "params.yaml").write_text(PARAMS)
    made = open_project(folder=folder, track=False)
    prepare_folder(raw, made.prepared_folder, made.settings)
    for name in ("saxs", "sem"):
        train_solo(made, name)
    train_pair(made)
    assess(made)
    return made


@pytest.fixture(scope="module")
def model(trained: Project) -> Predictor:
    return pairvae.load(trained.model("train-pair"))


def test_samples_of_two_techniques_or_more_take_part(trained: Project) -> None:
    prepared = trained.prepared()
    ids = [pair.id for pair in prepared.pairs]
    assert "00003" not in ids and prepared.unpaired_counts == {"sem": 1}
    assert {pair.id: set(pair.lacks) for pair in prepared.pairs if pair.lacks} == {
        "00001": {"sem"},
        # without its pattern a sample still has its curve
        "00002": {"saxs"},
    }
    both = prepared.having(["saxs", "sem"])
    assert len(both.pairs) == len(ids) - 2 and both.whole("saxs").shape[0] == len(both.images("sem")) == 6
    split, part = trained.split(prepared), trained.split(both)
    assert {both.pairs[row].id for row in part.train} <= {ids[row] for row in split.train}


def test_every_direction_has_a_posterior_and_scores(trained: Project) -> None:
    joints = joints_of_card(load_card(trained.model("train-pair")))
    assert set(joints) == {
        (frozenset({"saxs", "iq"}), "sem"), (frozenset({"saxs", "sem"}), "iq"), (frozenset({"iq", "sem"}), "saxs"),
    }  # fmt: skip
    assert all(
        joint.weights.min() >= 0 and joint.weights.sum() == pytest.approx(1) for joint in joints.values()
    )
    validation = json.loads((trained.reports / "metrics.json").read_text())["splits"]["validation"]
    assert set(validation["pair"]) == {"saxs_saxs", "saxs_sem", "sem_saxs", "sem_sem"}, "as of a pair"
    directions = validation["directions"]
    assert set(directions) == {
        "iq_saxs", "sem_saxs", "iq+sem_saxs", "saxs_iq", "sem_iq", "saxs+sem_iq", "saxs_sem", "iq_sem", "saxs+iq_sem",
    }  # fmt: skip
    for direction, block in directions.items():
        score = "s2_mae" if direction.endswith("sem") else "mae"
        assert all(block[name][score]["median"] >= 0 for name in ("model", "retrieval", "mean"))
    assert set(directions["saxs+iq_sem"]["minus"]) == {"saxs_sem", "iq_sem"}
    rows = direction_rows({"splits": {"validation": validation}})
    assert ("SAXS + IQ → SEM") in [row[0] for row in rows]
    assert direction_rows({"splits": {"validation": {}}}) == []


def test_several_measurements_predict_together(model: Predictor, raw: Path, tmp_path: Path) -> None:
    files = {
        name: [str(raw / f"{name.upper()}/{row:05d}.{end}") for row in (4, 5)] for name, end in ENDS.items()
    }
    joint = model.predict({name: files[name] for name in ("saxs", "iq")}, samples=2)
    assert joint.shape == (2, 2, 192, 192)
    assert not np.array_equal(joint, model.predict(files["saxs"], "saxs", "sem", samples=2))
    saved = pairvae.load(model.save(tmp_path / "saved"))
    assert np.array_equal(saved.predict({name: files[name] for name in ("iq", "saxs")}, samples=2), joint)
    assert model.predict({"sem": files["sem"][:1], "iq": files["iq"][:1]}, target="saxs").shape == (
        1,
        1,
        3,
        32,
        32,
    )


ENDS = {"saxs": "jpg", "iq": "csv", "sem": "tif"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"inputs": "a.csv", "target": "sem"}, "expected source and target, of more than two techniques"),
        (
            {"inputs": {"saxs": [], "sem": []}, "target": "sem"},
            "expected measurements of saxs or iq, to predict sem",
        ),
        ({"inputs": {"sem": []}}, "expected the target, found none - one of saxs, iq"),
        ({"inputs": {"afm": []}, "target": "sem"}, "expected a modality: saxs, iq, sem, found 'afm'"),
    ],
)
def test_what_cannot_be_predicted_is_told(model: Predictor, given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        model.predict(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("files", "sources"),
    [
        (["SAXS/00004.jpg", "IQ/00004.csv"], ["saxs+iq"]),
        (["SAXS/00004.jpg", "IQ/00005.csv"], ["saxs+iq"]),  # one of each
        (["SAXS/00004.jpg", "SAXS/00005.jpg", "IQ/00005.csv"], ["saxs", "saxs+iq"]),
        (["IQ/00004.csv", "IQ/00005.csv"], ["iq", "iq"]),
    ],
)
def test_files_of_one_sample_are_found(
    files: list[str],
    sources: list[str],
    trained: Project,
    raw: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    request = Request(to="sem", out=tmp_path, model=str(trained.model("train-pair")))
    assert predict([str(raw / file) for file in files], request) == len(sources)
    with (tmp_path / "inputs.csv").open() as stream:
        assert [row["from"] for row in csv.DictReader(stream)] == sources
    assert ("one sample, sem is predicted from all of them together" in capsys.readouterr().err) == (
        "saxs+iq" in sources
    )


def test_samples_that_lack_the_target_are_predicted_from_all_that_they_have(
    trained: Project, raw: Path, tmp_path: Path
) -> None:
    request = Request(to="sem", out=tmp_path, model=str(trained.model("train-pair")), unpaired=True)
    assert predict([str(raw)], request) == 1
    assert (tmp_path / "00001-sem-00.png").is_file()
    with pytest.raises(InputError, match=r"files \.csv may be of .* - say what it is with --from"):
        predict([str(raw / "pairs.csv")], Request(to="iq", out=tmp_path, model=request.model))


JOINT = [(("saxs", "iq"), "sem"), (("sem", "iq"), "saxs"), (("sem",), "iq")]


@pytest.fixture(scope="module")
def served(trained: Project, model: Predictor) -> ServedPair:
    """The code of the registered model, on the networks themselves: to export them takes a minute."""
    made = ServedPair()
    made.load_context(SimpleNamespace(artifacts={"pair": trained.model("train-pair")}))
    made.programs = {name: network for name, network, _ in programs(model.vaes, model.card["modalities"])}
    return made


def arrays_of(model: Predictor) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        name: generator.integers(0, 2, (2, *model.shape(name))).astype(np.float32)
        for name in model.modalities
    }


@pytest.mark.parametrize(("sources", "target"), JOINT)
def test_the_registered_model_predicts_from_several_measurements(
    model: Predictor, served: ServedPair, sources: tuple[str, ...], target: str
) -> None:
    given = {name: arrays_of(model)[name] for name in sources}
    for samples in (1, 3):
        params = {"direction": f"{'+'.join(sources)}_{target}", "samples": samples, "seed": 5}
        images = served.predict(None, given if len(given) > 1 else given[sources[0]], params)
        expected = model.predict(given, target=target, samples=samples, seed=5)
        np.testing.assert_allclose(images, expected.reshape(images.shape), atol=1e-5)


@pytest.mark.parametrize(
    ("names", "direction", "message"),
    [
        (["saxs"], "saxs+iq_sem", "expected arrays of saxs and iq, found saxs"),
        (["saxs", "iq", "sem"], "saxs+iq_sem", "expected arrays of saxs and iq, found saxs and iq and sem"),
        (["saxs"], "saxs+saxs_sem", "expected <source>_<target> of saxs, iq, sem"),
        (["saxs", "sem"], "saxs+sem_sem", "expected <source>_<target> of saxs, iq, sem"),
    ],
)
def test_the_registered_model_refuses_in_a_line(
    model: Predictor, served: ServedPair, names: list[str], direction: str, message: str
) -> None:
    arrays = arrays_of(model)
    with pytest.raises(ValueError, match=re.escape(message)):
        served.predict(None, {name: arrays[name] for name in names}, {"direction": direction})
    with pytest.raises(ValueError, match="as many arrays of each technique, found 2 of saxs, 1 of iq"):
        served.predict(None, {"saxs": arrays["saxs"], "iq": arrays["iq"][:1]}, {"direction": "saxs+iq_sem"})


@pytest.mark.slow
def test_mlflow_hands_several_measurements_on(trained: Project, model: Predictor) -> None:
    register(trained)
    loaded = mlflow.pyfunc.load_model(str(download(trained.root, "models:/pairvae@candidate")))
    arrays = arrays_of(model)
    given = {name: arrays[name] for name in ("saxs", "iq")}
    images = loaded.predict(given, params={"direction": "saxs+iq_sem"})
    np.testing.assert_allclose(images, model.predict(given, target="sem"), atol=1e-5)
    assert loaded.predict(arrays["saxs"], params={"direction": "saxs_sem"}).shape == images.shape


def test_commands_know_the_technique_of_files(trained: Project, raw: Path, tmp_path: Path) -> None:
    model, curves = str(trained.model("train-pair")), [str(raw / f"IQ/{row:05d}.csv") for row in (4, 5)]
    shown = movie(curves, tmp_path / "m.gif", model=model)
    assert shown.direction == "SEM image from I(q) curve"
    wanted = Constraints(samples=1)
    drawn = ensemble(curves[:1], tmp_path / "e.npz", model=model, constraints=wanted)
    assert drawn.direction == "SEM image from I(q) curve"
    of_all = ensemble(
        [], tmp_path / "e.npz", model=model, constraints=wanted, between=(curves[0], curves[1]), steps=2
    )
    assert of_all.images == 2
    pattern = str(raw / "SAXS/00004.jpg")
    with pytest.raises(InputError, match="expected files of one technique, found iq and saxs"):
        movie([*curves, pattern], tmp_path / "m.gif", model=model)
    with pytest.raises(InputError, match="expected images to predict: sem, found 'iq'"):
        movie([pattern] * 2, tmp_path / "m.gif", model=model, to="iq")
    with pytest.raises(InputError, match="expected patterns and images, found curves"):
        explain(curves[:1], to="sem", out=tmp_path, model=model, seed=0, check=False)
    lines = explain([str(raw / "SEM/00004.tif")], to="saxs", out=tmp_path, model=model, seed=0, check=False)
    assert lines and all("00004.tif, sem to saxs: " in line for line in lines)
    stop = Event()
    stop.set()
    watch(Options(raw / "IQ", "sem", tmp_path / "watched"), model, stop, print)
    with pytest.raises(InputError, match="expected a file in a folder SAXS or IQ, found 'SEM'"):
        watch(Options(raw / "SEM", "sem", tmp_path / "watched"), model, stop, print)


def test_samples_that_lack_the_target_are_candidates(trained: Project, raw: Path, model: Predictor) -> None:
    known = survey(trained, [], "saxs", model)
    assert known.candidates == ("00001",) and (known.source, known.target) == ("saxs", "sem")
    assert survey(trained, [], "iq", model, "saxs").candidates == ("00002",)
    assert survey(trained, [str(raw / "IQ/00004.csv")], None, model).source == "iq"
    with pytest.raises(InputError, match="expected another technique than iq, found 'iq'"):
        survey(trained, [], "iq", model, "iq")


def test_a_server_predicts_from_several_files(trained: Project, raw: Path, model: Predictor) -> None:
    models = Models({"m": Choice(str(trained.model("train-pair")), "m")})
    files = {"saxs": raw / "SAXS/00004.jpg", "iq": raw / "IQ/00004.csv"}
    first, second = (file.read_bytes() for file in files.values())
    asked = Asked("saxs", target="sem", samples=2, beside=[f"iq:{len(second)}"])
    found = _explained(models, first + second, asked, Known())
    given = {name: str(file) for name, file in files.items()}
    np.testing.assert_array_equal(found.samples, model.predict(given, target="sem", samples=2)[0])
    other = _explained(models, first, Asked("saxs", target="iq", samples=1), Known())
    assert other.target == "iq"
