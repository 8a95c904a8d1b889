"""The repetition study on eight pairs: tables, runs, variants, failures, and going on after a kill."""

import csv
import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pairvae.commands.study import Grid, Outcome, draw, protocols, read_variants, study
from pairvae.stages.preprocess import preprocess
from pairvae.stages.project import open_project
from pairvae.stages.raw import make_raw
from small_project import run_here, run_pairvae
from tiny_project import tiny_project

SIDES = ("train", "validation")
GRID = ("--sizes", "4,5", "--seeds", "42")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def results(project: Path) -> list[Path]:
    return sorted((project / ".pairvae" / "study").glob("*/cells/*.json"))


def tracked(project: Path) -> list[Any]:
    """All runs of the project."""
    from pairvae.tracking.database import connect

    client = connect(project)
    experiment = client.get_experiment_by_name("pairvae")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings and prepared data, nothing else: a study trains all it needs."""
    return tiny_project(tmp_path_factory.mktemp("study") / "project").folder


@pytest.fixture
def new_project(prepared: Path, tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(prepared / "params.yaml", folder / "params.yaml")
        (folder / "data").mkdir()
        shutil.copytree(prepared / "data" / "prepared", folder / "data" / "prepared")
        return folder

    return make


@pytest.fixture(scope="module")
def studied(prepared: Path) -> tuple[Path, Outcome]:
    """A finished study of two cells, and what came out."""
    return prepared, study(open_project(folder=prepared), Grid((4, 5), (42,)))


def test_study_fills_tidy_tables(studied: tuple[Path, Outcome]) -> None:
    folder, _ = studied
    rows = read(folder / "reports" / "study.csv")
    assert {(row["variant"], row["train_pairs"], row["split_seed"]) for row in rows} == {
        ("", "4", "42"),
        ("", "5", "42"),
    }
    key = ("validation", "pair", "saxs_sem", "s2_mae")
    chosen = [row for row in rows if (row["split"], row["model"], row["direction"], row["score"]) == key]
    assert [int(row["n"]) for row in chosen] == [(8 - 4) * 2, (8 - 5) * 2]
    assert {"baseline retrieval", "floor", "solo", "whole"} <= {row["model"] for row in rows}
    assert not list((folder / ".pairvae" / "study").glob("*/work/*/*"))


def test_what_draws_are_worth_has_a_table(studied: tuple[Path, Outcome]) -> None:
    rows = read(studied[0] / "reports" / "study_draws.csv")
    assert {(row["train_pairs"], row["split"], row["direction"]) for row in rows} == {
        ("4", "validation", "saxs_sem"),
        ("5", "validation", "saxs_sem"),
    }
    found = {row["quantity"]: row for row in rows if row["train_pairs"] == "4"}
    assert {"phase_fraction", "s2", "s2_at_4"} <= set(found)
    assert 0 <= float(found["phase_fraction"]["coverage"]) <= 1
    assert float(found["phase_fraction"]["diversity"]) >= 0
    assert found["s2"]["coverage"] == "", "a curve has no interval"


def test_single_scores_have_the_medians_of_the_table(studied: tuple[Path, Outcome]) -> None:
    import numpy as np

    folder, _ = studied
    names = ("train_pairs", "split", "model", "direction", "score")
    medians = {tuple(row[n] for n in names): row for row in read(folder / "reports" / "study.csv")}
    values: dict[tuple[str, ...], list[float]] = {}
    samples: dict[tuple[str, ...], set[str]] = {}
    for row in read(folder / "reports" / "study_images.csv"):
        key = tuple(row[n] for n in names)
        values.setdefault(key, []).append(float(row["value"]))
        samples.setdefault(key, set()).add(row["sample"])
    assert {key[2] for key in values} == {"solo", "pair", "floor", "baseline retrieval"}
    for key, found in values.items():
        assert len(found) == int(medians[key]["n"]) == len(samples[key])
        assert np.median(found) == pytest.approx(float(medians[key]["median"]), rel=1e-5)
    crops = samples["5", "validation", "pair", "saxs_sem", "s2_mae"]
    assert {name.rpartition("/")[2] for name in crops} == {"1", "2"}


def test_the_summary_stands_beside_retrieval_and_floor(studied: tuple[Path, Outcome]) -> None:
    lines = studied[1].lines
    assert "validation pairs: medians" in lines
    assert "all pairs: medians" in lines
    (line, _) = [one for one in lines if "5 training pairs  saxs_sem s2_mae" in one]
    assert all(name in line for name in ("pair 0.", "retrieval 0.", "floor 0."))


def test_study_shows_as_one_run_with_a_child_for_each_cell_also_when_repeated(
    studied: tuple[Path, Outcome],
) -> None:
    folder, _ = studied
    before = {path.name: path.read_bytes() for path in (folder / "reports").glob("study*.csv")}
    times = [path.stat().st_mtime_ns for path in results(folder)]
    study(open_project(folder=folder), Grid((4, 5), (42,)))
    assert [path.stat().st_mtime_ns for path in results(folder)] == times
    assert {path.name: path.read_bytes() for path in (folder / "reports").glob("study*.csv")} == before
    runs = tracked(folder)
    (parent,) = [run for run in runs if run.data.tags["stage"] == "study"]
    children = [run for run in runs if run.data.tags["stage"] == "study-cell"]
    assert sorted(run.info.run_name for run in children) == ["4-pairs-seed-42", "5-pairs-seed-42"]
    for child in children:
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert {"val/score", "val/s2_mae.saxs_sem"} <= set(child.data.metrics)
        assert len(child.data.metrics) < 20, "the study's tables have all scores"
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_figures_are_drawn_from_the_tables_alone(studied: tuple[Path, Outcome], tmp_path: Path) -> None:
    for name in ("study.csv", "study_images.csv"):
        shutil.copy(studied[0] / "reports" / name, tmp_path / name)
    figures = draw(tmp_path)
    assert (figures / "table_s2.csv").is_file()
    assert list(figures.glob("*.png"))


@pytest.mark.slow
def test_a_killed_study_goes_on_to_the_same_tables(
    studied: tuple[Path, Outcome], new_project: Callable[[str], Path]
) -> None:
    folder = new_project("killed")
    command = [sys.executable, "-m", "pairvae.cli", "study", *GRID]
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, start_new_session=True)
    limit = time.monotonic() + 200
    while not list((folder / ".pairvae").glob("study/*/work/*/.pairvae/checkpoints/*/*.safetensors")):
        assert time.monotonic() < limit and process.poll() is None, (folder / "output").read_text()
        time.sleep(0.02)
    process.kill()  # in the middle of a pair's training
    process.wait()
    assert len(results(folder)) < 2
    study(open_project(folder=folder), Grid((4, 5), (42,)))
    for name in ("study.csv", "study_images.csv"):
        assert (folder / "reports" / name).read_bytes() == (studied[0] / "reports" / name).read_bytes()
    runs = tracked(folder)
    assert sorted(run.data.tags["stage"] for run in runs) == ["study", "study-cell", "study-cell"]
    assert {run.info.status for run in runs} == {"FINISHED"}


@pytest.mark.slow
def test_variants_are_cells_and_a_failing_one_names_itself(new_project: Callable[[str], Path]) -> None:
    folder = new_project("variants")
    (folder / "mine.yaml").write_text(
        "whole: {}\n"
        "no-noise: {pair.training.input_noise: 0.0}\n"
        "wild: {pair: {training: {learning_rate: 10.0, gradient_clip: 0.0, kl_weight: 1.0e+38}}}\n"
    )
    project = open_project(folder=folder, track=False)
    variants = read_variants(folder / "mine.yaml", project.settings)
    outcome = study(project, Grid((5,), (42,), "mine", variants), workers=2)
    (reason,) = outcome.failed
    assert reason.startswith("5-pairs-seed-42-wild: epoch")
    rows = read(folder / "reports" / "mine.csv")
    assert {row["variant"] for row in rows} == {"whole", "no-noise"}
    assert any("no-noise, 5 training pairs" in line for line in outcome.lines)
    shared = list((folder / ".pairvae" / "study").glob("*/shared/*/models/train-sem-*/card.json"))
    assert len(shared) == 1
    assert not (folder / "reports" / "study.csv").exists()


@pytest.mark.slow
def test_the_protocols_write_losses_by_epoch(new_project: Callable[[str], Path]) -> None:
    folder = new_project("protocols")
    run_pairvae("study", "--protocols", "--workers", "2", cwd=folder)
    rows = read(folder / "reports" / "protocols.csv")
    assert {row["protocol"] for row in rows} == {"direct", "random-1", "random-2", "random-all"}
    losses = {
        split: {(row["protocol"], row["epoch"]) for row in rows if row["split"] == split} for split in SIDES
    }
    assert losses["train"] == losses["validation"]
    assert {row["epoch"] for row in rows} == {"1", "2", "3"}
    assert {"loss", "similarity", "saxs_sem"} <= {row["term"] for row in rows}
    scores = read(folder / "reports" / "protocols_scores.csv")
    assert {row["variant"] for row in scores} == {row["protocol"] for row in rows}


@pytest.mark.slow
def test_the_five_protocols_train_in_the_preset_paper(
    new_project: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(
        "pairvae.commands.study.variants"
    )  # the package has a function of that name
    monkeypatch.setattr(module, "PUBLISHED_RANDOM", (3, 2, 1))
    folder = new_project("paper")
    small = [
        "preset=paper", "pretrain.epochs=0", "saxs.training.epochs=1", "sem.training.epochs=1", "sem.network.filters=2",
        "sem.network.kernel=3", "pair.training.random_epochs=3", "pair.training.focused_epochs=1", "split.train=5",
        "assess.crops=2", "generate.samples=4", "device.checkpoint_seconds=0", "data.simulated.pairs=8",
        "data.simulated.parameters={sem_rows: 208, sem_columns: 240, saxs_px: 128, saxs_window_nm: 600}",
        "sem.prepare.rows=208", "sem.prepare.columns=240",
    ]  # fmt: skip
    (folder / "params.yaml").write_text("preset: paper\n")
    project = open_project(small, folder=folder, track=False)
    shutil.rmtree(folder / "data")  # the tiny project's patterns are of another size
    make_raw(project)
    preprocess(project)
    total = project.settings.pair.training.epochs
    variants = protocols(project.settings.pair.training)
    assert total == 4
    outcome = study(project, Grid((5,), (42,), "protocols", variants))
    assert not outcome.failed
    rows = read(folder / "reports" / "protocols.csv")
    assert {row["protocol"] for row in rows} == set(variants)


@pytest.mark.parametrize(
    "option",
    [("--sizes", "8"), ("--sizes", "4,x"), ("--seeds", "1,1"), ("--variants", "none.yaml"), ("--draw",)],
)
def test_study_refuses_what_cannot_be_in_one_line(
    prepared: Path, option: tuple[str, ...], tmp_path: Path
) -> None:
    folder = prepared
    if option == ("--draw",):
        folder = tmp_path
        shutil.copy(prepared / "params.yaml", folder / "params.yaml")
    done = run_here("study", *option, cwd=folder, check=False)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1)


def test_failed_cells_are_told_at_the_end(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = Outcome((Path("reports/mine.csv"),), ("a line",), ("cell a: why",))
    monkeypatch.setattr("pairvae.commands.study.study", lambda *arguments, **options: outcome)
    done = run_here("study", "--ablation", cwd=prepared, check=False)
    assert done.returncode == 1
    assert done.stdout == "a line\ntables: reports/mine.csv\n"
    assert done.stderr == "failed: cell a: why\n"


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(new_project: Callable[[str], Path]) -> None:
    folder = new_project("stopped")
    command = [sys.executable, "-m", "pairvae.cli", "study", *GRID]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    limit = time.monotonic() + 120
    while not list((folder / ".pairvae").glob("study/*/work/*/log")):
        assert time.monotonic() < limit and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 130, printed
    assert "the same command goes on" in printed
    assert "Traceback" not in printed
