"""`pairvae gc`: everything that is referred to survives, the rest goes, and only with --yes."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mlflow.exceptions import MlflowException
from typer.testing import CliRunner

from pairvae import store
from pairvae.cli import app
from pairvae.commands.gc import gc, render
from pairvae.tracking.database import connect, prepare_store
from pairvae.tracking.registry.aliases import CANDIDATE, CHAMPION, download
from pairvae.tracking.registry.registration import About, register_pyfunc
from pairvae.tracking.runs.mlflow_run import start_run
from pairvae.tracking.runs.outbox import Outbox
from pairvae.training import checkpoints
from pairvae.training.checkpoints import Progressed

CODE = """
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel
class Same(PythonModel):
    def predict(self, context, model_input):
        return model_input
set_model(Same())
"""
OLD = time.time() - 3 * 86400


def tracked(root: Path, name: str, stage: str, parent: str | None = None) -> str:
    with start_run(root, "pairvae", name, tags={"stage": stage}, parent=parent) as tracker:
        tracker.log_metrics({"loss": 1.0}, 1)
        tracker.log_text("x" * 1000, "notes.txt")
    return str(tracker.run_id)


def register(root: Path, run_id: str | None, name: str = "pairvae") -> int:
    (root / "same.py").write_text(CODE)
    about = About("pairvae", run_id)
    return register_pyfunc(root, name, root / "same.py", ((-1, 2), (-1, 2)), about, artifacts={}, params={})


def checkpoint(root: Path, name: str, run_id: str | None, written: float = OLD) -> Path:
    folder = root / ".pairvae" / "checkpoints" / name
    folder.mkdir(parents=True)
    module = torch.nn.Linear(1, 1)
    checkpoints.save(folder, module, torch.optim.Adam(module.parameters()), Progressed(1, [], run_id))
    aged(folder, written)
    return folder


def aged(folder: Path, written: float = OLD) -> None:
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (written, written))


def cached(root: Path, md5: str, content: object) -> None:
    path = root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A project with runs of every standing, by name."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME"):
            patch.delenv(name, raising=False)
        root = tmp_path_factory.mktemp("gc") / "project"
        (root / "data" / "raw").mkdir(parents=True)
        (root / "data" / "raw" / "kept.txt").write_text("kept")
        (root / "params.yaml").write_text("preset: fast\n")
        runs = {name: tracked(root, name, "train-pair") for name in ("old", "present", "locked", "champion")}
        runs["study"] = tracked(root, "study", "study")
        runs["cell"] = tracked(root, "cell", "study-cell", runs["study"])
        runs["foreign"] = foreign(root)
        store.write_json(root / "models" / "train-pair" / "card.json", {"run_id": runs["present"]})
        numbers = [register(root, runs[name]) for name in ("old", "champion", "old", "locked")]
        assert numbers == [1, 2, 3, 4]
        connect(root).set_registered_model_alias("pairvae", CHAMPION, "2")
        connect(root).set_registered_model_alias("pairvae", CANDIDATE, "3")
        register(root, None, "of-somebody")
        runs["running"] = open_run(root)
        yield root, runs


def foreign(root: Path) -> str:
    """A run that pairvae did not make."""
    with start_run(root, "notebook", "foreign") as tracker:
        tracker.log_text("mine", "mine.txt")
    return str(tracker.run_id)


def open_run(root: Path) -> str:
    client = connect(root)
    run = client.create_run(prepare_store(root, "pairvae"), run_name="running", tags={"stage": "train-sem"})
    client.log_text(run.info.run_id, "x", "notes.txt")
    return str(run.info.run_id)


@pytest.fixture
def project(
    template: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, dict[str, str]]:
    from pairvae.tracking.relocate import fix_paths

    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "project"
    shutil.copytree(template[0], root)
    fix_paths(root)
    return root, template[1]


def artifacts(root: Path, run_id: str) -> list[str]:
    return [one.path for one in connect(root).list_artifacts(run_id)]


def test_what_is_referred_to_survives_and_the_rest_goes(project: tuple[Path, dict[str, str]]) -> None:
    root, runs = project
    # dvc.lock names a model folder that is only in DVC's cache, and the version that was registered of it
    cached(root, "a" * 32 + ".dir", [{"md5": "b" * 32, "relpath": "card.json"}])
    cached(root, "b" * 32, {"run_id": runs["locked"]})
    cached(root, "c" * 32, {"versions": {"pairvae": 4}})
    outs = [("models/train-pair", "a" * 32 + ".dir"), ("models/registered.json", "c" * 32)]
    listed = "".join(f"    - path: {path}\n      md5: {md5}\n" for path, md5 in outs)
    (root / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  train-pair:\n    cmd: x\n    outs:\n{listed}")
    planned = gc(root)
    assert {(item.kind, item.name) for item in planned} == {
        ("model version", "pairvae version 1"),
        ("artifacts of a run", "cell"),
    }
    assert all(item.size > 500 for item in planned)
    assert artifacts(root, runs["cell"])  # a list alone removes nothing
    assert gc(root, yes=True)
    assert gc(root) == []
    for name in ("old", "present", "locked", "champion", "study", "foreign", "running"):
        assert artifacts(root, runs[name]), name
    assert artifacts(root, runs["cell"]) == []
    cell = connect(root).get_run(runs["cell"])
    assert cell.data.metrics == {"loss": 1.0} and "artifacts_removed" in cell.data.tags
    for uri in ("models:/pairvae@champion", "models:/pairvae@candidate", "models:/pairvae/4"):
        assert (download(root, uri) / "MLmodel").is_file()
    assert (download(root, "models:/of-somebody/1") / "MLmodel").is_file()
    with pytest.raises(MlflowException):
        connect(root).get_model_version("pairvae", "1")
    assert (root / "data" / "raw" / "kept.txt").read_text() == "kept"


def test_checkpoints_of_finished_runs_go_and_those_that_can_go_on_stay(
    project: tuple[Path, dict[str, str]],
) -> None:
    root, runs = project
    gone = {checkpoint(root, "finished", runs["old"]), checkpoint(root, "cell", None)}
    stay = {
        checkpoint(root, "running", runs["running"]),
        checkpoint(root, "unknown", "0" * 32),
        checkpoint(root, "fresh", runs["old"], time.time()),
        checkpoint(root, "young", None, time.time() - 7200),
    }
    gc(root, yes=True)
    assert {path for path in gone | stay if path.exists()} == stay


def test_trials_but_the_best_go_unless_the_search_is_at_work(project: tuple[Path, dict[str, str]]) -> None:
    from pairvae.commands.tune.optuna_study import RUN, StudyLocation, open_study
    from pairvae.settings import load_settings

    root, _ = project
    location = StudyLocation(root, "tune-1", None)
    settings = load_settings(root / "params.yaml", [])
    study = open_study(location, settings.tune, new=True)
    runs = [tracked(root, f"trial {number}", "trial") for number in range(3)]
    for number, score in enumerate((0.3, 0.1, 0.2)):
        trial = study.ask()
        trial.set_user_attr(RUN, runs[number])
        study.tell(trial, score)
        (location.folder / f"trial-{number}").mkdir(parents=True)
    for name, written in (("data-a", OLD), ("data-b", OLD + 1)):
        (location.home / name).mkdir()
        aged(location.home / name, written)
    aged(location.folder)
    busy = Outbox.opened(root, "a" * 32, {"uri": "", "name": ""})
    os.link(busy.folder / "lock", location.folder / "study.lock")  # held
    assert not [item for item in gc(root) if item.kind == "trial of a search"]
    busy.close()
    (location.folder / "study.lock").unlink(missing_ok=True)
    aged(location.folder)
    names = {item.name for item in gc(root, yes=True)}
    assert {"tune-1 trial-0", "tune-1 trial-2", "trial 0", "trial 2", "data-a"} <= names
    assert not {"tune-1 trial-1", "trial 1", "data-b"} & names
    assert [path.name for path in sorted(location.folder.glob("trial-*"))] == ["trial-1"]
    assert artifacts(root, runs[1]) and not artifacts(root, runs[0])
    assert study.best_trial.number == 1 and (location.home / "tune-1.log").is_file()


def test_cells_of_other_settings_go(
    project: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _ = project
    home = root / ".pairvae" / "study"
    for name in ("present", "other"):
        (home / name / "cell").mkdir(parents=True)
        aged(home / name)
    assert not [item for item in gc(root) if "study" in item.kind]  # no prepared data: nobody can tell
    from pairvae.commands.study import grid
    from pairvae.stages.project import Project

    monkeypatch.setattr(Project, "prepared", lambda self: None)
    monkeypatch.setattr(grid, "study_folder", lambda project, prepared: home / "present")
    assert [item.name for item in gc(root, yes=True) if "study" in item.kind] == ["other"]
    assert [path.name for path in home.iterdir()] == ["present"]


def test_the_table_begins_with_the_largest(project: tuple[Path, dict[str, str]]) -> None:
    root, runs = project
    checkpoint(root, "finished", runs["old"])
    items = gc(root)
    lines = render(items, removed=False).splitlines()
    sizes = [float(line.split()[0]) for line in lines[:-1]]
    assert sizes == sorted(sizes, reverse=True) and len(lines) == len(items) + 1
    assert lines[-1].endswith("in all; remove it with: pairvae gc --yes")
    assert render([], removed=True) == "nothing to remove"


def test_only_yes_removes(project: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    root, runs = project
    gone = checkpoint(root, "finished", runs["old"])
    monkeypatch.chdir(root)
    for arguments in (["gc"], ["gc", "--dry-run"]):
        listed = CliRunner().invoke(app, arguments)
        assert listed.exit_code == 0
        assert listed.output.splitlines()[-1].endswith("in all; remove it with: pairvae gc --yes")
        assert gone.is_dir()
    assert CliRunner().invoke(app, ["gc", "--dry-run", "--yes"]).exit_code == 2
    assert gone.is_dir()
    assert "in all, removed" in CliRunner().invoke(app, ["gc", "--yes"]).output
    assert not gone.exists()


def test_caches_go_after_a_day(project: tuple[Path, dict[str, str]]) -> None:
    own = project[0] / ".pairvae"
    for name, written in (("old", OLD), ("young", time.time() - 7200)):
        network = own / "baselines" / name
        network.mkdir(parents=True)
        (network / "weights.safetensors").write_bytes(bytes(3000))
        aged(network, written)
        table = own / "statistics" / f"{name}.safetensors"
        table.parent.mkdir(exist_ok=True)
        table.write_bytes(bytes(2000))
        os.utime(table, (written, written))
    found = {item.kind: (item.name, item.size) for item in gc(project[0], yes=True)}
    assert found["U-Net of a baseline"] == ("old", 3000)
    assert found["texture statistics"] == ("old", 2000)
    assert [path.name for path in (own / "baselines").iterdir()] == ["young"]
    assert [path.name for path in (own / "statistics").iterdir()] == ["young.safetensors"]
