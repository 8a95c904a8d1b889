"""Commands and Python of README and tutorial, executed in order on a small finished project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
# What a block may not do within a test: the whole of `make`, servers, the environment itself.
ELSEWHERE = ("make ", "source ", "pairvae ui", "git ", "pip ")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def commands(text: str) -> list[str]:
    """Every command of the ``sh`` blocks that can run in a test, comments cut."""
    lines = [line.split("  #")[0].strip() for one in blocks(text, "sh") for line in one.splitlines()]
    return [line for line in lines if line and not line.startswith((*ELSEWHERE, "#"))]


def test_there_is_something_to_execute() -> None:
    assert len(commands(TUTORIAL)) >= 4
    assert len(blocks(TUTORIAL, "python")) == 1
    for block in [*blocks(TUTORIAL, "python"), *blocks(README, "python")]:
        compile(block, "block", "exec")


@pytest.mark.parametrize("page", ["tutorial", "readme"])
def test_commands_of_the_pages_exist(page: str) -> None:
    """Every ``pairvae ...`` of the page names a command with options that it has."""
    import typer
    from typer.main import get_command

    from pairvae.cli import app

    text = TUTORIAL if page == "tutorial" else README
    for line in re.findall(r"(?:^|`)(pairvae [^`\n]+)", text, re.M):
        words = line.split("  #")[0].split()[1:]
        command = get_command(app)
        context = typer.Context(command, info_name="pairvae")
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words[0]]  # type: ignore[attr-defined]  # a group's
            context = typer.Context(command, info_name=words.pop(0), parent=context)
        assert context.parent is not None or words[0].startswith("-") or words[0].isupper(), line
        known = {option for parameter in command.params for option in parameter.opts} | {
            "--help",
            "--install-completion",
        }
        for word in words:
            if word.startswith("--"):
                assert word.rstrip(",.;)]").partition("=")[0] in known, line


@pytest.mark.slow
def test_tutorial_runs(finished_project: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished_project, project, symlinks=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        ["pairvae", "doctor", "--fix-paths"], cwd=project, env=environment, capture_output=True, timeout=280
    )
    for command in commands(TUTORIAL):
        done = subprocess.run(
            command, shell=True, cwd=project, env=environment, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    (code,) = blocks(TUTORIAL, "python")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert "(2, 8, 192, 192)" in done.stdout
    images = sorted(file.name for file in (project / "predictions").glob("00000-sem-*.png"))
    assert images == [f"00000-sem-{number:02d}.png" for number in range(8)]
