"""Recipes that cannot run here - Actions, containers, hooks: they name what exists, and call what developers call."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
DOCKERFILES = sorted((ROOT / "containers").glob("*.Dockerfile"))


def parsed(file: str) -> Any:
    return YAML(typ="safe").load(ROOT / file)


def make_targets(command: str) -> set[str]:
    """The targets of a ``make`` command, without its options and variables."""
    words = shlex.split(command)
    assert words[0] == "make", command
    return {word for word in words[1:] if not word.startswith("-") and "=" not in word}


def test_actions_call_targets_of_the_makefile_and_nothing_else() -> None:
    jobs = parsed(".github/workflows/test.yml")["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    called = {target for step in steps if "run" in step for target in make_targets(step["run"])}
    assert {"setup", "notebooks", "test", "docs", "package", "test-all"} <= called
    assert called <= TARGETS
    for step in steps:
        assert "run" in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]), step


def test_actions_hold_no_rights_and_end() -> None:
    workflow = parsed(".github/workflows/test.yml")
    assert workflow["permissions"] == {"contents": "read"}
    assert all(0 < job["timeout-minutes"] <= 360 for job in workflow["jobs"].values())
    assert set(workflow["on"]) == {"push", "pull_request", "schedule"}


def test_actions_run_every_python_that_the_package_names() -> None:
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: Python :: 3." in line]
    matrix = parsed(".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert matrix == named
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_the_systems_are_three_with_every_python() -> None:
    matrix = parsed(".github/workflows/systems.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["system"] == ["ubuntu-latest", "windows-latest", "macos-latest"]
    assert (
        matrix["python"]
        == parsed(".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    )


def test_hooks_are_local_and_call_the_makefile_or_a_tool() -> None:
    for repository in parsed(".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local", "a hook from elsewhere needs a network"
        for hook in repository["hooks"]:
            if hook["entry"].startswith("make "):
                assert make_targets(hook["entry"]) <= TARGETS
            else:
                module = hook["entry"].partition(" -m ")[2].replace(".", "/")
                assert (ROOT / f"{module}.py").exists(), hook["entry"]


def copied(dockerfile: Path) -> list[str]:
    """What an image takes from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.*)$", dockerfile.read_text("utf-8"), re.M)
    return [name for line in lines for name in line.split()[:-1]]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.name)
def test_images_name_files_that_exist_and_the_lock(dockerfile: Path) -> None:
    text, names = dockerfile.read_text("utf-8"), copied(dockerfile)
    assert "requirements.lock" in names
    assert all((ROOT / name).exists() for name in names)
    bases = set(re.findall(r"^FROM python:(\d+\.\d+)-slim", text, re.M))
    assert len(bases) == 1
    assert f"Programming Language :: Python :: {bases.pop()}" in PROJECT["classifiers"]
    (entry,) = re.findall(r'^ENTRYPOINT \["(.*)"\]$', text, re.M)
    assert entry in PROJECT["scripts"]


@pytest.mark.slow
@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.name)
def test_what_an_image_copies_is_enough_for_the_wheel(dockerfile: Path, tmp_path: Path) -> None:
    for name in copied(dockerfile):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    code = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "wheels")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "wheels").glob("pairvae-*.whl"))


def test_the_lock_has_one_version_of_torch_that_the_gpu_image_replaces() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert len(re.findall(r"^torch==[\d.]+$", lock, re.M)) == 1  # what the image greps for
    assert "grep '^torch=='" in (ROOT / "containers" / "cuda.Dockerfile").read_text("utf-8")


def test_guides_of_the_containers_name_them() -> None:
    pages = [ROOT / "containers" / "README.md", ROOT / "docs" / "guides" / "gpu.md"]
    named = {
        name
        for page in pages
        for name in re.findall(r"containers/[a-z]+\.Dockerfile", page.read_text("utf-8"))
    }
    assert named == {f"containers/{file.name}" for file in DOCKERFILES}
