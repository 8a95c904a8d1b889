"""The command line: help at once, exit codes 0, 1 and 2, one line for a mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pairvae import __version__
from pairvae.errors import InputError
from small_project import run_here

HEAVY = ("torch", "mlflow", "porespy", "matplotlib", "scipy", "pandas")


def pairvae(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAIRVAE_DEBUG", "")
        patch.setenv("COLUMNS", "80")
        return run_here(*arguments, cwd=cwd, check=False)


def test_what_is_not_there_is_told_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    calls = {
        "predict no.tif also-no.tif --to SEM": "no.tif: expected a file, found none - check the name",
        f"predict {'x' * 300}.tif --to both": f"{'x' * 300}.tif: expected a file, found none - check the name",
        "predict no.h5::/entry/data --to sem": "no.h5::/entry/data: expected a file, found none",
        "predict a.png --to sem --model nowhere": "nowhere: expected a model folder, models:/pairvae@champion",
        "watch nowhere --to Sem --out out": "nowhere: expected a folder to watch, found none",
        "watch . --to sem --out out --model a.png": "a.png: expected a model folder",
        "movie 1.tif 2.tif --out a.mp4": "1.tif: expected a file, found none",
        "ensemble --between 1.tif 2.tif --out a.h5": "1.tif: expected a file, found none",
        "app --model nowhere": "nowhere: expected a model folder",
    }
    code = (
        "import sys\nfrom pairvae.cli import main\n"
        f"for call in {list(calls)!r}:\n    sys.argv = ['pairvae', *call.split()]\n"
        "    try:\n        main()\n    except SystemExit as end:\n        print('END', end.code)\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
        "print('\\udcff.tif')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.stdout.splitlines() == ["END 1"] * len(calls) + ["HEAVY []", "\\udcff.tif"], done.stderr
    for line, expected in zip(done.stderr.splitlines(), calls.values(), strict=True):
        assert line.startswith(expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("data --help", "Usage"),
        ("train --help", "Usage"),
        ("predict --help", "Usage"),
        ("repro --help", "Usage"),
        ("data simulate --help", "Usage"),
        ("data check -h", "Usage: "),
        ("params -h", "params.yaml stays"),
    ],
)
def test_every_level_has_help(arguments: str, expected: str, tmp_path: Path) -> None:
    done = pairvae(*arguments.split(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert expected in done.stdout


@pytest.mark.parametrize("module", ["pairvae", "pairvae.cli"])
def test_version_as_a_module(module: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", module, "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"pairvae {__version__}\n", "")


@pytest.mark.parametrize("group", [(), ("data",), ("tune",)])
def test_a_list_of_commands_is_whole_at_80_columns(group: tuple[str, ...], tmp_path: Path) -> None:
    lines = pairvae(*group, "-h", cwd=tmp_path).stdout.partition("Commands:\n")[2].splitlines()
    assert [line for line in lines if line.endswith("...")] == []
    names = [line.split()[0] for line in lines]
    if not group:
        assert names[:3] == ["init", "data", "repro"], "what a new user needs comes first"
        stages = ["raw", "preprocess", "pretrain", "train", "assess", "generate", "report", "register"]
        assert names[-8:] == stages


def test_params_are_printed(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("preset: fast\n")
    done = pairvae("params", "--set", "split.train=32", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "split.train: 32" in done.stdout.splitlines()
    assert "saxs.network.architecture: levels" in done.stdout.splitlines()


@pytest.mark.parametrize("arguments", [
    ("nonsense",),
    ("data", "simulate"),
    ("data", "simulate", "out", "--pairs", "0"),
    ("predict", "a", "--to", "raman"),
])  # fmt: skip
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = pairvae(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def assert_one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    for part in parts:
        assert part in line


def test_mistake_in_params_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("saxs:\n  training:\n    lerning_rate: 0.1\n")
    done = pairvae("params", cwd=tmp_path)
    assert_one_line(done, "params.yaml", "saxs.training.lerning_rate", "did you mean learning_rate?")


def test_no_project_is_one_line(tmp_path: Path) -> None:
    assert_one_line(pairvae("params", cwd=tmp_path), "expected a settings file, found none", "run inside")
    assert list(tmp_path.iterdir()) == []


def test_bad_assignment_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("preset: fast\n")
    assert_one_line(pairvae("params", "--set", "split.train", cwd=tmp_path), "--set", "key=value")


def test_debug_shows_where_it_came_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a settings file"):
        pairvae("--debug", "params", cwd=tmp_path)


def test_predictions_have_one_thread_unless_the_caller_says(monkeypatch: pytest.MonkeyPatch) -> None:
    from pairvae.cli.common import one_thread

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    for given, expected in ((None, "1"), ("3", "3")):
        if given is None:
            monkeypatch.setenv("OMP_NUM_THREADS", "")  # so that it is put back
            monkeypatch.delenv("OMP_NUM_THREADS")
        else:
            monkeypatch.setenv("OMP_NUM_THREADS", given)
        one_thread()
        assert os.environ["OMP_NUM_THREADS"] == expected
