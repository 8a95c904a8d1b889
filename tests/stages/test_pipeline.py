"""The whole pipeline on eight pairs, as a user runs it: commands in processes of their own, real DVC, real MLflow."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from pairvae.stages.project import open_project
from pairvae.stages.raw import raw_is_stale
from pairvae.store.model_folder import load_card
from pairvae.store.prepared import open_prepared
from small_project import make_project, run_here, run_pairvae

DIRECTIONS = {"saxs_saxs": "mae", "sem_saxs": "mae", "sem_sem": "s2_mae", "saxs_sem": "s2_mae"}


def dvc(folder: Path, *commands: str) -> str:
    """What several commands of DVC print, run one after the other by one interpreter."""
    code = "import sys; from dvc.cli import main; sys.exit(max(main(line.split()) for line in sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, *commands], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_summary(summary: dict[str, float]) -> None:
    assert set(summary) - {"interval"} == {"median", "q1", "q3", "n"}
    assert 0 <= summary["q1"] <= summary["median"] <= summary["q3"]
    assert summary["n"] > 0


def test_metrics_follow_the_contract(finished_project: Path) -> None:
    metrics = json.loads((finished_project / "reports" / "metrics.json").read_text())
    assert (metrics["preset"], metrics["estimator"], metrics["train_pairs"]) == ("fast", "unbiased", 5)
    assert set(metrics["splits"]) == {"validation", "train", "all"}
    for split in metrics["splits"].values():
        for direction, score in DIRECTIONS.items():
            check_summary(split["pair"][direction][score])
        check_summary(split["pair"]["saxs_sem"]["lineal_path_mae"])
        check_summary(split["solo"]["saxs_saxs"]["mae"])
        check_summary(split["solo"]["sem_sem"]["s2_mae"])
        check_summary(split["floor"]["sem_sem"]["s2_mae"])
        for baseline in ("retrieval", "mean"):
            check_summary(split["baselines"][baseline]["saxs_sem"]["s2_mae"])
            check_summary(split["baselines"][baseline]["sem_saxs"]["mae"])
    counts = {name: split["pair"]["saxs_saxs"]["mae"]["n"] for name, split in metrics["splits"].items()}
    assert counts == {"validation": 3, "train": 5, "all": 8}
    assert metrics["splits"]["validation"]["pair"]["saxs_sem"]["s2_mae"]["n"] == 3 * 2
    for generated in metrics["generation"].values():
        check_summary(generated["s2_mae"])


def test_files_of_the_contract_exist(finished_project: Path) -> None:
    for name in (
        "data/raw/pairs.csv",
        "data/prepared/card.json",
        "reports/index.html",
        "models/registered.json",
    ):
        assert (finished_project / name).is_file(), name
    for stage in ("pretrain", "train-saxs", "train-sem", "train-pair"):
        assert (finished_project / "models" / stage / "card.json").is_file()
    assert list((finished_project / "reports" / "figures").glob("*.png"))


def test_dvc_is_clean_and_shows_metrics_and_plots(finished_project: Path) -> None:
    status, heads, scores, plots = dvc(finished_project, "status", "metrics show", "plots show").splitlines()
    assert "up to date" in status and "index.html" in plots
    assert "saxs_sem.s2.pair" in heads and max(len(heads), len(scores)) < 400, "one screen"
    left = subprocess.run(
        ["git", "status", "--porcelain"], cwd=finished_project, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(left[1::2]) <= {"dvc.lock", "repro.log"}


def test_second_run_changes_nothing(finished_project: Path) -> None:
    before = (finished_project / "dvc.lock").read_bytes()
    done = run_pairvae("repro", cwd=finished_project)
    assert "Running stage" not in done.stdout + done.stderr
    assert (finished_project / "dvc.lock").read_bytes() == before


def test_runs_carry_parameters_losses_images_and_validation_scores(finished_project: Path) -> None:
    from pairvae.tracking.database import connect

    client = connect(finished_project)
    experiment = client.get_experiment_by_name("pairvae")
    assert experiment is not None
    runs = {run.data.tags["stage"]: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"train-saxs", "train-sem", "train-pair"}
    metrics = json.loads((finished_project / "reports" / "metrics.json").read_text())
    pair = runs["train-pair"]
    score = metrics["splits"]["validation"]["pair"]["saxs_sem"]["s2_mae"]["median"]
    assert pair.data.metrics["val/s2_mae.saxs_sem"] == pytest.approx(score, rel=1e-3)
    assert len(pair.data.metrics) < 30, "a page of charts that one reads"
    told = pair.data.tags["mlflow.note.content"]
    assert told.startswith(
        "The VAEs of SAXS and SEM as a pair, preset fast, on 5 of 8 pairs (simulated; split seed 42)."
    )
    assert "\n| SAXS → SEM, S(r) error | " in told and "retrieval" in told
    assert pair.data.params["split.train"] == "5"
    assert pair.info.status == "FINISHED"
    assert len(client.get_metric_history(pair.info.run_id, "loss")) == 3
    assert pair.data.tags["preset"] == "fast"
    artifacts = {item.path for item in client.list_artifacts(pair.info.run_id)}
    assert {"images", "reconstructions.png", "calibration.csv"} <= artifacts


def test_the_registry_says_what_its_models_are_and_how_good(finished_project: Path) -> None:
    from pairvae.tracking.database import connect

    client = connect(finished_project)
    assert "--to sem" in client.get_registered_model("pairvae").description
    assert (
        "models:/pairvae-sem-decoder@champion"
        in client.get_registered_model("pairvae-sem-decoder").description
    )
    version = client.get_model_version_by_alias("pairvae", "champion")
    assert version.description.startswith("On 3 samples that no training saw"), "lists show the first line"


def test_registered_models_run_without_pairvae(finished_project: Path) -> None:
    code = """
import sys, mlflow, numpy as np, torch, warnings
warnings.simplefilter("ignore")
mlflow.set_tracking_uri("sqlite:///mlflow.db")
shapes = {"saxs-encoder": (3, 192, 192), "sem-encoder": (1, 192, 192)}
shapes |= {"saxs-decoder": (16, 1, 1), "sem-decoder": (16, 1, 1)}
for name, shape in shapes.items():
    model = mlflow.pytorch.load_model(f"models:/pairvae-{name}@champion")
    for batch in (1, 3, 8):
        out = model(torch.rand(batch, *shape))
        assert out.shape[0] == batch, (name, batch, out.shape)
        if "decoder" in name:
            assert 0 <= float(out.min()) and float(out.max()) <= 1 and out.shape[-1] == 192
pair = mlflow.pyfunc.load_model("models:/pairvae@champion")
patterns = np.random.default_rng(0).random((2, 3, 192, 192)).astype("float32")
first = pair.predict(patterns, params={"direction": "saxs_sem", "samples": 3, "seed": 1})
again = pair.predict(patterns, params={"direction": "saxs_sem", "samples": 3, "seed": 1})
assert first.shape == (6, 1, 192, 192) and set(np.unique(first)) <= {0.0, 1.0}
assert (first == again).all()
assert pair.predict(first[:2], params={"direction": "sem_saxs"}).shape == (2, 3, 192, 192)
assert not [name for name in sys.modules if name.partition(".")[0] == "pairvae"]
print("fine")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=finished_project, capture_output=True, text=True, timeout=200
    )
    assert done.stdout.strip().endswith("fine"), done.stderr


def test_python_interface_of_the_contract(finished_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pairvae

    monkeypatch.chdir(finished_project)
    model = pairvae.load("models:/pairvae@champion")
    patterns = np.array(open_prepared(finished_project / "data" / "prepared").whole("saxs")[:2])
    images = model.predict(patterns, source="saxs", target="sem", samples=8, seed=0)
    assert images.shape == (2, 8, 192, 192)
    assert set(np.unique(images)) <= {0, 1}
    folder = pairvae.load(finished_project / "models" / "train-pair")
    np.testing.assert_array_equal(folder.predict(patterns, "saxs", "sem", samples=8, seed=0), images)


@pytest.mark.parametrize(("folder", "to"), [("SAXS", "sem"), ("SEM", "saxs")])
def test_predict_writes_images_and_a_table(
    finished_project: Path, tmp_path: Path, folder: str, to: str
) -> None:
    files = sorted((finished_project / "data" / "raw" / folder).iterdir())[:2]
    run_here(
        "predict", *map(str, files), "--to", to, "--samples", "2", "--out", str(tmp_path), cwd=finished_project,
    )  # fmt: skip
    pictures = sorted(tmp_path.glob(f"*-{to}-*.png"))
    assert len(pictures) == 4
    assert (tmp_path / "contact-sheet.png").is_file()
    picture = cv2.imread(str(pictures[0]), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.shape == ((192, 192) if to == "sem" else (192, 192, 3))
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 5


def test_own_folder_goes_through_and_is_watched(finished_project: Path, tmp_path: Path) -> None:
    own, project = tmp_path / "own", tmp_path / "project"
    shutil.copytree(finished_project / "data" / "raw", own)
    shutil.copytree(finished_project, project, symlinks=True)
    listing = (own / "pairs.csv").read_text()
    (own / "pairs.csv").write_text(listing.replace("skew", "bilayer"))
    run_here("repro", "preprocess", "--set", f"data.source={own}", cwd=project)
    assert "# training pairs" in (project / "params.yaml").read_text(), "comments are kept"
    prepared = open_prepared(project / "data" / "prepared")
    assert len(prepared.pairs) == 8 and {pair.morphology for pair in prepared.pairs} > {"bilayer"}
    (own / "pairs.csv").write_text(listing)
    assert raw_is_stale(open_project(folder=project, track=False))


def test_missing_partner_and_unknown_key_leave_everything_as_it_was(
    finished_project: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    (own / "SAXS").mkdir(parents=True)
    (own / "SEM").mkdir()
    source = finished_project / "data" / "raw"
    (own / "SAXS" / "a.jpg").write_bytes(next((source / "SAXS").iterdir()).read_bytes())
    before = (finished_project / "reports" / "metrics.json").read_bytes()
    params = (finished_project / "params.yaml").read_bytes()
    for changes, word in ((f"data.source={own}", "partner"), ("saxs.trainig.epochs=1", "training")):
        done = run_here("repro", "--set", changes, cwd=finished_project, check=False)
        assert done.returncode == 1, done.stdout
        told = [line for line in done.stderr.strip().splitlines() if not line.startswith("check: ")]
        assert len(told) == 1, done.stderr
        assert word in told[0]
        assert (finished_project / "params.yaml").read_bytes() == params
    assert (finished_project / "reports" / "metrics.json").read_bytes() == before


@pytest.mark.slow  # test_loop kills and resumes one in every `make test`
def test_killed_training_resumes_to_the_same_weights(finished_project: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    shutil.copytree(finished_project / "data", project / "data")
    long = ["--set", "saxs.training.epochs=300", "--set", "saxs.training.log_every=2"]
    undisturbed = make_project(tmp_path / "undisturbed")
    shutil.copytree(finished_project / "data", undisturbed / "data")
    run_pairvae("train", "saxs", *long, cwd=undisturbed)
    process = subprocess.Popen(
        [sys.executable, "-m", "pairvae.cli", "train", "saxs", *long], cwd=project, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not list((project / ".pairvae").rglob("checkpoint.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the training ended before it could be killed"
    assert not (project / "models" / "train-saxs").exists()
    run_pairvae("train", "saxs", *long, cwd=project)
    cards = [load_card(folder / "models" / "train-saxs") for folder in (project, undisturbed)]
    assert cards[0]["weights_sha256"] == cards[1]["weights_sha256"]
    histories = [
        (folder / "models" / "train-saxs" / "history.csv").read_text() for folder in (project, undisturbed)
    ]
    assert histories[0] == histories[1]


@pytest.fixture
def paper_project(finished_project: Path, tmp_path: Path) -> Path:
    """A project with prepared data, the published networks in small, and a backbone of random weights."""
    project = make_project(tmp_path / "project")
    shutil.copytree(finished_project / "data", project / "data")
    values = [
        "preset: paper\ndata: {source: simulated, simulated: {pairs: 8}}\nsplit: {train: 5}\n",
        "saxs: {prepare: {}, network: {filters: 4}, training: {epochs: 2, batch: 2}}\n",
        "sem:\n  prepare: {rows: null, columns: null}\n",
        "  network: {filters: 4, kernel: 5}\n  training: {epochs: 2, batch: 2}\n",
        "pretrain: {epochs: 0}\nassess: {crops: 2}\ngenerate: {samples: 2}\nlatent: {}\ntracking: {}\n",
        "pair: {training: {random_epochs: 1, focused_epochs: 1, batch: 2}}\nseed: 0\ndevice: {threads: 1}\n",
    ]
    (project / "params.yaml").write_text("".join(values))
    done = run_here("pretrain", cwd=project)
    assert "random weights" in done.stdout
    return project


@pytest.mark.slow
def test_paper_preset_scores_registers_and_predicts(
    paper_project: Path, finished_project: Path, tmp_path: Path
) -> None:
    for command in (("train", "saxs"), ("train", "sem"), ("train", "pair"), ("assess",), ("register",)):
        run_here(*command, cwd=paper_project)
    card = load_card(paper_project / "models" / "train-sem")
    assert card["modalities"]["sem"]["latent"] == {"channels": 32, "grid": 6}
    assert (paper_project / "models" / "train-sem" / "backbone.safetensors").is_file()
    metrics = json.loads((paper_project / "reports" / "metrics.json").read_text())
    assert metrics["preset"] == "paper"
    patterns = sorted((finished_project / "data" / "raw" / "SAXS").iterdir())[:1]
    out = tmp_path / "out"
    run_here("predict", str(patterns[0]), "--to", "sem", "--out", str(out), cwd=paper_project)
    assert len(list(out.glob("*-sem-*.png"))) == 1
