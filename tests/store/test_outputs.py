"""What is not pairvae's is never deleted or replaced: thirty-nine ways of placing data, links and settings."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from own_files import SETTINGS, WAYS, Way, digests, write_pairs
from pairvae import store
from pairvae.commands import repro as module
from pairvae.commands.code_digests import FOLDER
from pairvae.commands.repro import dvc_environment, repro
from pairvae.errors import InputError
from pairvae.settings import parse_yaml
from pairvae.stages.project import open_project
from pairvae.stages.raw import make_raw
from pairvae.store.outputs import ALL_OUTPUTS, OUTPUTS, guarded, meets, refuse_outputs
from pairvae.store.written import RECORD, WrittenFiles
from small_project import ROOT

IN_MAKE_TEST = "own pairs in data/raw, named"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("own") / "pairs")


def laid(way: Way, tmp_path: Path, pairs: Path) -> tuple[Path, list[Path]]:
    """A project with the own files of ``way``, and where those are."""
    own = shutil.copytree(pairs, tmp_path / "around", dirs_exist_ok=True)
    project = own / "project"
    project.mkdir()
    places, source = way.lay(project, own if way.name.startswith("own pairs beside the project") else pairs)
    (project / "params.yaml").write_text(SETTINGS.format(source=source))
    shutil.copy(ROOT / "dvc.yaml", project)
    (project / ".dvc").mkdir()
    (project / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (project / "src").symlink_to(ROOT / "src", target_is_directory=True)
    return project, places


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_repro_leaves_own_files(
    way: Way, tmp_path: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard of `pairvae repro`, and of the stage `raw` below a plain `dvc repro`; what is refused is unchanged."""
    project, places = laid(way, tmp_path, pairs)
    before, settings = digests(*places), (project / "params.yaml").read_bytes()
    assert before
    ran: list[list[str]] = []
    monkeypatch.setattr(
        module.subprocess,
        "run",
        lambda command, **_: ran.append(command) or subprocess.CompletedProcess(command, 0),
    )
    monkeypatch.chdir(project)
    monkeypatch.setenv("DVC_STAGE", "raw")
    if way.refused:
        with pytest.raises(InputError, match=r"params\.yaml is unchanged"):
            repro(project, None, ["seed=5"])
        assert ran == []
        assert (project / "params.yaml").read_bytes() == settings
        with pytest.raises(InputError):
            stage_raw(project)
    else:
        assert repro(project, None, []) == 0
        stage_raw(project)
        assert (project / "data" / "raw" / "SAXS").is_dir()
    assert before.items() <= digests(*places).items()


def stage_raw(project: Path) -> None:
    """What `pairvae raw` does."""
    from typer.testing import CliRunner

    from pairvae.cli import app

    done = CliRunner().invoke(app, ["raw"], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0


def run_dvc(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = dvc_environment() | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=250)


@pytest.mark.parametrize(
    "way",
    [way if way.name == IN_MAKE_TEST else pytest.param(way, marks=pytest.mark.slow) for way in WAYS],
    ids=lambda way: way.name,
)
def test_plain_dvc_leaves_own_files(way: Way, tmp_path: Path, pairs: Path) -> None:
    """`dvc repro`, forced, alone, and `dvc checkout`, as a person who knows DVC runs them."""
    project, places = laid(way, tmp_path, pairs)
    before = digests(*places)
    for arguments in (("repro", "--force", "--single-item", "raw"), ("repro", "raw"), ("checkout",)):
        done = run_dvc(project, *arguments)
        if arguments[0] == "repro":
            assert (done.returncode != 0) == way.refused, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert before.items() <= digests(*places).items(), arguments


def test_outputs_are_those_of_the_pipeline_and_dvc_leaves_them_alone() -> None:
    stages = parse_yaml((ROOT / "dvc.yaml").read_text("utf-8"), "dvc.yaml")["stages"]
    found = {
        name: {
            path: how
            for key in ("outs", "metrics")
            for one in stage.get(key, [])
            if one != FOLDER  # below .pairvae, which is pairvae's own
            for path, how in one.items()
        }
        for name, stage in stages.items()
    }
    assert {name: tuple(outputs) for name, outputs in found.items()} == OUTPUTS
    assert all(how == {"persist": True} for outputs in found.values() for how in outputs.values())


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A project with simulated raw data, written by the guarded stage."""
    (tmp_path / "params.yaml").write_text(SETTINGS.format(source="simulated").replace("pairs: 8", "pairs: 2"))
    with guarded(tmp_path, "raw"):
        make_raw(open_project([], folder=tmp_path))
    return tmp_path


def test_what_a_stage_wrote_may_be_written_again(made: Path) -> None:
    before = digests(made / "data" / "raw")
    for changes in ([], ["data.simulated.seed=1"], ["data.simulated.pairs=1"], []):
        with guarded(made, "raw"):
            make_raw(open_project(changes, folder=made))
    assert digests(made / "data" / "raw") == before


@pytest.mark.parametrize("name", ["pairs.csv", "SAXS/00000.jpg"])
def test_a_file_that_was_changed_by_hand_is_not_replaced(made: Path, name: str) -> None:
    path = made / "data" / "raw" / name
    path.write_bytes(path.read_bytes() + b"mine")
    with pytest.raises(InputError, match=f"1 other file .*data/raw/{name}"), guarded(made, "raw"):
        pass
    assert path.read_bytes().endswith(b"mine")


def test_a_file_put_there_while_the_stage_runs_is_kept(made: Path) -> None:
    note = made / "data" / "raw" / "note.txt"
    with pytest.raises(InputError, match=r"note\.txt"), guarded(made, "raw"):
        note.write_text("mine")
        make_raw(open_project(["data.simulated.seed=1"], folder=made))
    assert note.read_text() == "mine"


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db"])
def test_litter_of_file_managers_is_in_nobodys_way(made: Path, name: str) -> None:
    (made / "data" / "raw" / name).write_bytes(b"0")
    refuse_outputs(WrittenFiles(made))


def test_without_the_record_dvc_lock_tells(made: Path) -> None:
    """What `dvc pull` brought, also after the cache was emptied; a copied folder has other times."""
    import hashlib
    import json

    raw = made / "data" / "raw"
    entries = sorted(
        (
            {"md5": hashlib.md5(path.read_bytes()).hexdigest(), "relpath": path.relative_to(raw).as_posix()}
            for path in raw.rglob("*")
            if path.is_file()
        ),
        key=lambda entry: entry["relpath"],
    )
    text = json.dumps(entries)
    md5 = hashlib.md5(text.encode()).hexdigest()
    (made / "dvc.lock").write_text(
        f"schema: '2.0'\nstages:\n  raw:\n    cmd: x\n    outs:\n    - path: data/raw\n      md5: {md5}.dir\n"
    )
    for cached in (True, False):
        (made / ".pairvae" / RECORD).unlink()
        for path in raw.rglob("*"):
            os.utime(path, (1, 1))
        if cached:
            place = made / ".dvc" / "cache" / "files" / "md5" / md5[:2]
            place.mkdir(parents=True)
            (place / f"{md5[2:]}.dir").write_text(text)
        else:
            shutil.rmtree(made / ".dvc")
        refuse_outputs(WrittenFiles(made))
    (made / ".pairvae" / RECORD).unlink()
    (raw / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        refuse_outputs(WrittenFiles(made))


def test_model_folders_of_before_are_known_by_their_card(tmp_path: Path) -> None:
    import torch

    from pairvae.store.model_folder import save_model

    folder = tmp_path / "models" / "train-saxs"
    save_model(folder, {"saxs.a": torch.zeros(2)}, {"modalities": {}}, [{"loss": 1.0}])
    refuse_outputs(WrittenFiles(tmp_path))
    (folder / "weights.safetensors").write_bytes(b"others")
    with pytest.raises(InputError, match=r"weights\.safetensors"):
        refuse_outputs(WrittenFiles(tmp_path))


def test_a_torn_record_is_read_and_gone_on_with(made: Path) -> None:
    record = made / ".pairvae" / RECORD
    record.write_bytes(record.read_bytes() + b'["data/raw/pa')
    with guarded(made, "raw"):
        make_raw(open_project(["data.simulated.seed=1"], folder=made))
    refuse_outputs(WrittenFiles(made))


def test_a_killed_swap_leaves_nothing_unknown(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record is written before the folder takes its place: killed between the two, both are known."""

    def killed(self: Path, target: Path) -> None:
        if self.name.startswith(".raw-"):
            raise KeyboardInterrupt
        renamed(self, target)

    renamed = Path.replace
    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt), guarded(made, "raw"):
        make_raw(open_project(["data.simulated.seed=1"], folder=made))
    monkeypatch.undo()
    refuse_outputs(WrittenFiles(made))
    with guarded(made, "raw"):
        make_raw(open_project(["data.simulated.seed=1"], folder=made))


def test_places_meet_by_name_and_by_file(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "c").symlink_to(tmp_path / "a")
    assert meets(tmp_path / "a", tmp_path / "a" / "b" / "not" / "there")
    assert meets(tmp_path / "c" / "b", tmp_path / "a")
    assert not meets(tmp_path / "a" / "b", tmp_path / "a" / "bc")
    assert not meets(tmp_path / "elsewhere", tmp_path / "a")


def test_writes_elsewhere_are_nobodys_business(tmp_path: Path) -> None:
    with guarded(tmp_path, "raw"):
        store.write_text(tmp_path / "notes.txt", "x")
        store.write_text(tmp_path / ".pairvae" / "x.txt", "x")
    assert not (tmp_path / ".pairvae" / RECORD).exists()
    assert ALL_OUTPUTS[0] == "data/raw"
