"""`pairvae doctor`: a sound project, a moved one that it mends, and what it tells of damage."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest

from pairvae.commands import doctor as module
from pairvae.commands import store_checks
from pairvae.commands.doctor import doctor, render
from pairvae.commands.store_checks import Finding
from pairvae.errors import InputError
from small_project import run_here


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def copied(finished_project: Path, tmp_path: Path) -> Path:
    """A copy elsewhere, whose database still names the old place."""
    folder = tmp_path / "copied"
    shutil.copytree(finished_project, folder, ignore=shutil.ignore_patterns("src", ".git"))
    return folder


def problems(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level == "problem"]


def test_a_sound_project_has_no_problems(finished_project: Path) -> None:
    done = run_here("doctor", cwd=finished_project)
    assert "no problems" in done.stdout
    for words in (
        "digest",
        "train-pair, weights verified",
        "champion is version",
        "GB free",
        "0 running now",
    ):
        assert words in done.stdout


def test_extras_are_listed_with_the_way_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["numpy>=2.0", 'fabio>=2024.9; extra == "saxs"', "nothing-here-of-it>=1; extra == 'geometry'"]
    monkeypatch.setattr(module, "requires", lambda name: [*lines, 'ruff>=0.8 ; extra == "dev"'])
    monkeypatch.setattr(module, "version", lambda name: "1" if name == "fabio" else version(name))
    saxs, geometry = module._extras()
    assert (saxs.level, saxs.found) == ("ok", "[saxs] fabio")
    assert (geometry.level, geometry.found) == ("note", "[geometry] without nothing-here-of-it")
    assert "pip install 'pairvae[geometry]'" in geometry.remedy


def test_a_moved_project_is_told_and_mended(copied: Path) -> None:
    from pairvae.inference.loader import load

    told = run_here("doctor", cwd=copied, check=False)
    assert told.returncode == 1
    assert "places of artifacts lie in another folder" in told.stdout
    assert "-> run: pairvae doctor --fix-paths" in told.stdout
    mended = run_here("doctor", "--fix-paths", cwd=copied)
    assert "paths mended, backup mlflow.db.backup-1" in mended.stdout
    assert not problems(doctor(copied))
    from pairvae.tracking.registry.aliases import download

    place = download(copied, "models:/pairvae@champion")
    assert place.is_relative_to(copied.resolve())
    assert set(load("models:/pairvae@champion", copied).vaes) == {"saxs", "sem"}


def test_damage_is_told_line_by_line(copied: Path) -> None:
    run_here("doctor", "--fix-paths", cwd=copied)
    weights = copied / "models" / "train-sem" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    array = copied / "data" / "prepared" / "saxs.npy"
    array.write_bytes(array.read_bytes()[:-8])
    for model in (copied / "mlruns").rglob("MLmodel"):
        model.unlink()
    found = problems(doctor(copied))
    assert {finding.check for finding in found} == {"data", "models", "registry"}
    assert any("saxs.npy: expected an array with sha256" in finding.found for finding in found)


def test_a_run_whose_process_is_gone_is_told(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pairvae.tracking.database import connect, prepare_store
    from pairvae.tracking.health import end_run, open_runs
    from pairvae.tracking.relocate import fix_paths

    fix_paths(copied)
    from pairvae.tracking.runs.mlflow_run import PROCESS_TAG, process_mark

    experiment = prepare_store(copied, "pairvae")
    here = {PROCESS_TAG: process_mark(os.getpid())}
    alive = connect(copied).create_run(experiment, run_name="alive", tags=here)
    gone = {
        PROCESS_TAG: process_mark(os.getpid()).rpartition(":")[0] + ":1"
    }  # the number, of an earlier process
    dead = connect(copied).create_run(experiment, run_name="dead", tags=gone)
    assert [(run.name, run.alive) for run in open_runs(copied)] == [("dead", False), ("alive", True)]
    told = [finding.found for finding in doctor(copied) if finding.check == "runs"]
    assert (
        len(told) == 2 and "dead" in told[0] and "process is gone" in told[0] and told[1] == "1 running now"
    )
    for one in (alive, dead):
        end_run(copied, one.info.run_id, "KILLED")
    run = connect(copied).create_run(experiment, run_name="lost")
    monkeypatch.setattr(store_checks, "STUCK_S", -1.0)
    found = [finding for finding in doctor(copied) if finding.check == "runs"]
    assert found[0].level == "note"
    assert "lost" in found[0].found
    end_run(copied, run.info.run_id, "KILLED")
    assert open_runs(copied) == []


def test_faulty_settings_and_a_damaged_store_do_not_stop_it(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("presett: fast\n")
    (tmp_path / "mlflow.db").write_text("no database")
    findings = doctor(tmp_path)
    assert {"settings", "files", "store"} <= {finding.check for finding in problems(findings)}
    assert "presett" in render(findings)
    assert render(findings).splitlines()[-1].endswith("problems")


def test_a_new_project_is_told_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("preset: fast\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    findings = doctor(tmp_path)
    assert not problems(findings)
    assert {finding.check for finding in findings if finding.level == "note"} >= {"data", "models", "store"}


def test_it_wants_a_project(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a project folder"):
        doctor(tmp_path)


def test_entries_that_wait_and_pictures_that_are_gone_are_told(copied: Path) -> None:
    from pairvae.tracking.runs.outbox import Outbox

    run_here("doctor", "--fix-paths", cwd=copied)
    shutil.rmtree(copied / "mlruns" / "pairvae")
    outbox = Outbox.opened(copied, "a" * 32, {"uri": "http://server", "name": "train saxs"})
    outbox.put("metrics", {"metrics": {"loss": 1.0}, "step": 1, "time": 1})
    assert not [finding for finding in doctor(copied) if finding.check == "waiting"]  # its process lives
    outbox.close()
    found = {finding.check: finding for finding in doctor(copied) if finding.level == "note"}
    assert found["waiting"].found == "1 entry of run train saxs to send to http://server"
    assert found["waiting"].remedy == "run: pairvae sync http://server"
    assert "its pictures are gone" in found["runs"].found


def test_what_was_deleted_is_told(tmp_path: Path) -> None:
    """An alias without its version (as a server may keep it), the experiment, the run of a model; no git around it."""
    from pairvae.store.model_folder import save_model
    from pairvae.tracking.database import connect
    from pairvae.tracking.runs.mlflow_run import start_run

    for name, text in {"params.yaml": "preset: fast\n", "dvc.yaml": "stages: {}\n"}.items():
        (tmp_path / name).write_text(text)
    with start_run(tmp_path, "pairvae", "train-pair") as tracker:
        pass
    save_model(tmp_path / "models" / "train-pair", {}, {"run_id": tracker.run_id}, [])
    assert not problems(doctor(tmp_path))
    client = connect(tmp_path)
    client.delete_run(tracker.run_id or "")
    client.delete_experiment(client.get_experiment_by_name("pairvae").experiment_id)
    client.create_registered_model("pairvae")
    client.create_model_version("pairvae", source=tmp_path.as_uri())
    client.set_registered_model_alias("pairvae", "champion", "1")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection, connection:
        connection.execute("DELETE FROM model_versions")
    findings = doctor(tmp_path)
    assert {finding.check for finding in problems(findings)} == {"experiment", "registry"}
    told = render(findings)
    assert "pairvae@champion is version 1, which was deleted" in told
    assert "mlflow experiments restore" in told
    assert f"mlflow.db has no run {tracker.run_id}, which trained train-pair" in told
    assert "no git repository" in told and "git init" in told


def test_a_check_that_fails_is_a_line_among_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(root: Path) -> Iterator[Finding]:
        raise RuntimeError("a store's own words")

    (tmp_path / "params.yaml").write_text("preset: fast\n")
    monkeypatch.setattr(store_checks, "registry", broken)
    findings = doctor(tmp_path)
    assert Finding("registry", "problem", "RuntimeError: a store's own words") in findings
    assert findings[-1].check == "disk"
