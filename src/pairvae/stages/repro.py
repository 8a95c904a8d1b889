"""`pairvae repro`: `dvc repro` with this interpreter's commands first on the PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from pairvae import store
from pairvae.errors import InputError
from pairvae.modalities import check_modalities
from pairvae.settings import PARAMS_FILE, assignments, merge, read_params, resolve
from pairvae.stages import lifeline
from pairvae.stages.project import Project, open_project
from pairvae.stages.raw import raw_is_stale, source_folder

STAGES = (
    "raw",
    "preprocess",
    "pretrain",
    "train-saxs",
    "train-sem",
    "train-pair",
    "assess",
    "generate",
    "report",
    "register",
)


def repro(folder: Path, stage: str | None, changes: Sequence[str]) -> int:
    """Check what can be checked at once, write ``changes`` into params.yaml, run DVC; returns its exit code."""
    if stage is not None and stage not in STAGES:
        raise InputError(expected=f"a stage: {', '.join(STAGES)}", found=repr(stage), where="pairvae repro")
    if not (folder / "dvc.yaml").is_file():
        raise InputError(
            expected="a folder with dvc.yaml",
            found="none",
            where=str(folder),
            remedy="run in the project's root",
        )
    project = open_project(changes, folder=folder)
    stale = raw_is_stale(project)
    if stale:
        refuse_bad_folder(project)  # before params.yaml or anything else is replaced
    if changes:
        write_params(folder / PARAMS_FILE, assignments(changes))
    environment = dvc_environment() | {lifeline.REPRO: str(os.getpid())}
    dvc = [sys.executable, "-m", lifeline.__name__]
    if project.raw.exists() and stale:
        first = subprocess.run(
            [*dvc, "repro", "--single-item", "--force", "raw"], cwd=folder, env=environment
        )
        if first.returncode:
            return first.returncode
    done = subprocess.run([*dvc, "repro", *([stage] if stage else [])], cwd=folder, env=environment)
    return 1 if done.returncode else 0


def refuse_bad_folder(project: Project) -> None:
    """``InputError`` with the first error of the user's own folder, and how many more there are."""
    from pairvae.stages.check import check_project

    folder = source_folder(project)
    report = check_project(folder, project.settings)
    errors = [problem for problem in report.problems if problem.severity == "error"]
    if errors:
        first, more = errors[0], len(errors) - 1
        raise InputError(
            expected="pairs without problems",
            found=f"{first.file or first.pair}: {first.message}{f' (and {more} more problems)' if more else ''}",
            where=str(folder),
            remedy=f"`pairvae data check {folder}` lists every one",
        )


def dvc_environment() -> dict[str, str]:
    """The environment that stages run in: this interpreter's commands come first."""
    own = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([own, os.environ.get("PATH", "")])}


def write_params(path: Path, changes: Mapping[str, Any]) -> None:
    """Put ``changes`` into params.yaml, its comments kept; nothing is written where the result is not valid."""
    check_modalities(resolve(merge(read_params(path), changes), where=str(path)))
    yaml = YAML()
    yaml.preserve_quotes = True
    document = yaml.load(path.read_text("utf-8")) or CommentedMap()
    _update(document, changes)
    with store.atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream)


def _update(document: CommentedMap, changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping):
            if not isinstance(document.get(key), CommentedMap):
                document[key] = CommentedMap()
            _update(document[key], value)
        else:
            document[key] = value
