"""`pairvae repro`: what is refused changes nothing, and what params.yaml lacks is added."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from own_files import SETTINGS, write_pairs
from pairvae.commands import repro as module
from pairvae.commands.repro import missing_settings, repro, watched_parameters, write_params
from pairvae.errors import InputError
from pairvae.settings import load_settings, read_params
from pairvae.store.locks import held_alone
from small_project import ROOT


def contents(folder: Path) -> dict[str, str]:
    """sha256 of every file of a project, but for the empty locks and the cache of prepared files."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock" and path.parent.name != "files"
    }


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an older result, an own folder of twelve pairs, and no DVC that could run."""
    folder = tmp_path / "project"
    write_pairs(folder / "mine", 12)
    (folder / "params.yaml").write_text("# my settings\n" + SETTINGS.format(source="simulated"))
    shutil.copy(ROOT / "dvc.yaml", folder)
    (folder / "notes.txt").write_text("mine")

    def nothing(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        raise AssertionError(f"started {command}")

    monkeypatch.setattr(module.subprocess, "run", nothing)
    return folder


def without_files(project: Path) -> list[str]:
    (project / "mine" / "SEM" / "03.png").unlink()
    return ["data.source=mine"]


def damaged(project: Path) -> list[str]:
    (project / "mine" / "SAXS" / "03.png").write_bytes(b"no picture")
    return ["data.source=mine"]


def one_group_on_both_sides(project: Path) -> list[str]:
    rows = [
        f"{n:02d},SAXS/{n:02d}.png,SEM/{n:02d}.png,{'train' if n % 2 else 'validation'},one"
        for n in range(12)
    ]
    (project / "mine" / "pairs.csv").write_text("\n".join(["id,saxs,sem,split,group", *rows]) + "\n")
    return ["data.source=mine"]


def without_q(project: Path) -> list[str]:
    return ["data.source=mine", "modalities=[iq, sem]"]


def repeated_once_prepared(project: Path) -> list[str]:
    """Two pairs whose images differ only in what preprocessing cuts off."""
    import cv2
    import numpy as np

    image = cv2.imread(str(project / "mine" / "SEM" / "00.png"), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    for number in range(12):
        bar = np.random.default_rng(number).integers(0, 255, (10, 240), np.uint8)
        cv2.imwrite(str(project / "mine" / "SEM" / f"{number:02d}.png"), np.vstack([image, bar]))
    return ["data.source=mine"]


REFUSALS: tuple[tuple[str, Callable[[Path], list[str]], str], ...] = (
    ("more training pairs than pairs", lambda _: ["data.source=mine", "split.train=48"], "split.train to auto"),
    ("a folder that is not there", lambda _: ["data.source=their"], "found 'their'"),
    ("a folder of nobody", lambda _: ["data.source=~nobody-here/mine"], "found '~nobody-here/mine'"),
    ("a text that is no path", lambda _: ['data.source="a\\0b"'], "expected a path"),
    ("a missing partner", without_files, "partner"),
    ("a file that is no picture", damaged, "03.png"),
    ("a group on both sides", one_group_on_both_sides, "group one is in train and in validation"),
    ("a crop larger than the images", lambda _: ["data.source=mine", "sem.prepare.crop=224"], "224 x 224 px"),
    ("a crop larger than simulated images", lambda _: ["sem.prepare.crop=224"], "the simulated pairs"),
    ("no q for I(q)", without_q, "q per pixel"),
    ("a range of q that simulated patterns do not cover",
     lambda _: ["modalities=[iq, sem]", "iq.prepare.q_max=90"], "q from 0.05 to 90"),
    ("the same image in training and validation", repeated_once_prepared, "the same sem data"),
    ("a pixel size that no file has", lambda _: ["data.source=mine", "sem.prepare.nm_per_px=2"], "pixel size"),
    ("more data than the disk holds", lambda _: ["data.simulated.pairs=400000000"], "GB of room"),
    ("a model to start from that is not there", lambda _: ["saxs.training.start_from=nowhere"], "a trained model"),
    ("a model to start from that will be replaced",
     lambda _: ["pair.training.start_from=models/train-pair"], "apart from models/train-pair"),
    ("a backbone that is not there", lambda _: ["pretrain.enabled=true", "pretrain.backbone=x.pth"], "weight file"),
    ("an archive that is not there", lambda _: ["data.source=mdf", "data.mdf.archive=x.zip"], "archive"),
    ("a condition that no pair has", lambda _: ["data.source=mine", "pair.conditions=[pitch_nm]"], "pitch_nm"),
    ("a modality that cannot be unpaired", lambda _: ["data.source=mine", "data.unpaired=some"], "data.unpaired"),
    ("a single pair", lambda _: ["data.simulated.pairs=1"], "at least 2 pairs"),
    ("a misspelt key", lambda _: ["saxs.trainig.epochs=1"], "did you mean training"),
    ("a second line", lambda _: ["seed=1\ndata: {source: mine}"], "several lines"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "prepare", "told"), REFUSALS, ids=[one[0] for one in REFUSALS])
def test_a_refusal_leaves_every_file(
    project: Path, name: str, prepare: Callable[[Path], list[str]], told: str
) -> None:
    changes = prepare(project)
    before = contents(project)
    with pytest.raises(InputError) as error:
        repro(project, None, changes)
    assert told in str(error.value)
    assert str(error.value).endswith("params.yaml is unchanged")
    assert contents(project) == before


def test_a_refusal_without_changes_does_not_speak_of_them(project: Path) -> None:
    (project / "params.yaml").write_text(SETTINGS.format(source="nowhere"))
    with pytest.raises(InputError) as error:
        repro(project, None, [])
    assert "unchanged" not in str(error.value)


def test_beside_another_repro_nothing_is_written(project: Path) -> None:
    before = contents(project)
    with (
        held_alone(project / ".pairvae" / "repro.lock", "x"),
        pytest.raises(InputError, match="is unchanged"),
    ):
        repro(project, None, ["seed=5"])
    assert contents(project) == before


def test_beside_a_stage_of_dvc_nothing_is_written(project: Path) -> None:
    lock = project / ".dvc" / "tmp" / "rwlock"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"read": {}, "write": {"data/raw": {"pid": os.getpid(), "cmd": "dvc repro"}}}))
    before = contents(project)
    with pytest.raises(InputError, match=r"found `dvc repro` .* is unchanged"):
        repro(project, None, ["seed=5"])
    assert contents(project) == before


def test_sound_settings_are_written_and_dvc_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(
        module.subprocess,
        "run",
        lambda command, **_: ran.append(command) or subprocess.CompletedProcess(command, 0),
    )
    assert repro(project, "raw", ["data.source=mine", "seed=5"]) == 0
    text = (project / "params.yaml").read_text()
    assert text.startswith("# my settings")
    assert load_settings(project / "params.yaml").data.source == "mine"
    assert [command[3:] for command in ran] == [["repro", "raw"]]
    again = (project / ".pairvae" / "checked.json").stat().st_mtime_ns
    assert repro(project, None, []) == 0
    assert (project / ".pairvae" / "checked.json").stat().st_mtime_ns == again, (
        "what was sound is not read again"
    )


def test_a_dvc_that_was_killed_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = iter([-9, 1])
    monkeypatch.setattr(
        module.subprocess,
        "run",
        lambda command, **_: subprocess.CompletedProcess(command, next(codes)),
    )
    told = "DVC was ended by signal 9, as the system does where memory runs out; the same command continues"
    assert repro(project, "raw", ["data.source=mine"]) == 1
    assert told in capsys.readouterr().err
    assert repro(project, "raw", []) == 1  # DVC has said why
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "text", ["preset: fast\n", "", "preset: paper\n", "# mine\nsaxs:\nsem: {prepare: }\nseed: 3\n"]
)
def test_a_short_file_gets_the_sections_that_dvc_watches(tmp_path: Path, text: str) -> None:
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    path = tmp_path / "params.yaml"
    path.write_text(text)
    before = load_settings(path)
    write_params(path, missing_settings(tmp_path, before.model_dump(mode="json"), {}))
    assert load_settings(path) == before
    given = read_params(path)
    for key in watched_parameters(tmp_path):
        value = given
        for part in key.split("."):
            value = value[part]
        assert value is not None, key
    assert missing_settings(tmp_path, before.model_dump(mode="json"), {}) == {}
    if text.startswith("#"):
        assert path.read_text().startswith("# mine")


def test_params_that_are_a_link_stay_one(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text("preset: fast\n")
    (tmp_path / "params.yaml").symlink_to("shared.yaml")
    write_params(tmp_path / "params.yaml", {"seed": 4})
    assert (tmp_path / "params.yaml").is_symlink()
    assert load_settings(tmp_path / "shared.yaml").seed == 4
