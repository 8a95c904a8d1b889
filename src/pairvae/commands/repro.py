"""`pairvae repro`: `dvc repro` with this interpreter's commands first on the PATH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from pairvae import store
from pairvae.commands.code_digests import made_by_other_code, refresh_link
from pairvae.commands.preflight import check_before
from pairvae.errors import InputError
from pairvae.modalities import check_modalities
from pairvae.parallel.parent_process import REPRO
from pairvae.reports.terminal import score_lines, time_lines
from pairvae.settings import PARAMS_FILE, assignments, merge, read_params, resolve
from pairvae.settings.plugins import code_files
from pairvae.stages.project import Project, open_project
from pairvae.stages.raw import raw_is_stale
from pairvae.store.locks import LockTakenError, held_alone
from pairvae.store.outputs import STAGES, refuse_outputs, stage_seconds
from pairvae.store.project_root import OWN_FILES
from pairvae.store.written import WrittenFiles

LOCK = "repro.lock"
UNCHANGED = "params.yaml is unchanged"


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
    folder = folder.resolve()
    with _alone(folder, changes):
        try:
            _refuse_busy(folder)
            project = open_project(changes, folder=folder)
            refresh_link(folder)
            refuse_outputs(WrittenFiles(folder))
            check_before(project)
            # DVC watches this package, not those of plugins: the stage `raw` writes down what their code is, too
            stale = raw_is_stale(project) or bool(code_files() and made_by_other_code(project))
        except InputError as error:
            raise _unchanged(error, changes) from error
        complete = missing_settings(folder, project.settings.model_dump(mode="json"), assignments(changes))
        if complete:
            write_params(folder / PARAMS_FILE, complete)
        started = time.time()
        code = _run_dvc(project, stage, stale=stale)
        if code == 0:
            _summarise(project, started, scores=stage in (None, *STAGES[STAGES.index("assess") :]))
        return code


def _run_dvc(project: Project, stage: str | None, *, stale: bool) -> int:
    environment = dvc_environment() | {REPRO: str(os.getpid())}
    dvc = [sys.executable, "-m", "pairvae.commands.dvc_process"]
    if project.raw.exists() and stale:
        first = subprocess.run(
            [*dvc, "repro", "--single-item", "--force", "raw"], cwd=project.folder, env=environment
        )
        if _exit_code(first.returncode):
            return 1
    done = subprocess.run([*dvc, "repro", *([stage] if stage else [])], cwd=project.folder, env=environment)
    return _exit_code(done.returncode)


def _exit_code(code: int) -> int:
    """1 where DVC failed; it cannot say so itself where a signal ended it."""
    if code < 0:
        reason = f"DVC was ended by signal {-code}, as the system does where memory runs out"
        print(f"{reason}; the same command continues", file=sys.stderr)
    return 1 if code else 0


def _summarise(project: Project, started: float, *, scores: bool) -> None:
    """Print how long the stages took that ran, and the scores beside their baselines."""
    metrics = project.reports / "metrics.json"
    found = score_lines(store.read_json(metrics, "scores")) if scores and metrics.is_file() else []
    for lines in (time_lines(stage_seconds(project.folder, started)), found):
        if lines:
            print("", *lines, sep="\n")
    if found:
        page = (project.reports / "index.html").relative_to(project.folder)
        print(f"\nPictures, curves and scores: {page}. All runs and models: pairvae ui")


@contextmanager
def _alone(folder: Path, changes: Sequence[str]) -> Iterator[None]:
    """No other `pairvae repro` here, which would go on with other settings than it began with (``InputError``)."""
    try:
        with held_alone(folder / OWN_FILES / LOCK, str(folder), kind="pipeline"):
            yield
    except LockTakenError as error:
        raise _unchanged(error, changes) from error


def _refuse_busy(folder: Path) -> None:
    """``InputError`` where DVC runs a stage here: the next one would begin with other settings than it."""
    busy: dict[str, Any] | None = None
    with suppress(
        OSError, ValueError, AttributeError, TypeError, KeyError
    ):  # DVC's own file, read as it may be
        locks = json.loads((folder / ".dvc" / "tmp" / "rwlock").read_bytes())
        holders = locks["write"].values()
        busy = next((holder for holder in holders if holder and psutil.pid_exists(int(holder["pid"]))), None)
    if busy is not None:
        raise LockTakenError(
            expected="no other process that runs the pipeline",
            found=f"`{busy.get('cmd')}` (process {busy.get('pid')})",
            where=str(folder),
            remedy="wait until it ends",
        )


def _unchanged(error: InputError, changes: Sequence[str]) -> InputError:
    """The same error, which says that no setting was written."""
    if not changes:
        return error
    remedy = "; ".join(part for part in (error.remedy, UNCHANGED) if part)
    return InputError(expected=error.expected, found=error.found, where=error.where, remedy=remedy)


def missing_settings(folder: Path, values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``changes``, and what DVC watches according to dvc.yaml and params.yaml does not have.

    DVC stops at a stage whose parameters are absent from the file. A section that is missing is added as an empty one:
    its values stay those of the preset.
    """
    given, needed = merge(read_params(folder / PARAMS_FILE), changes), dict(changes)
    for key in watched_parameters(folder):
        *sections, last = key.split(".")
        place: Any = given
        for part in (*sections, last):
            place = place.get(part) if isinstance(place, Mapping) else None
        if place is not None:
            continue
        value: Any = values
        for part in (*sections, last):
            value = value.get(part) if isinstance(value, Mapping) else None
        addition: Any = {} if isinstance(value, Mapping) else value
        for part in (last, *reversed(sections)):
            addition = {part: addition}
        needed = merge(needed, addition)
    return needed


def watched_parameters(folder: Path) -> list[str]:
    """Keys of params.yaml that the stages of dvc.yaml name."""
    stages = read_params(folder / "dvc.yaml").get("stages")
    found = [
        key
        for stage in (stages.values() if isinstance(stages, dict) else ())
        for key in (stage.get("params") or () if isinstance(stage, dict) else ())
    ]
    return list(dict.fromkeys(key for key in found if isinstance(key, str)))


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
    with store.atomic_path(path.resolve()) as temporary, temporary.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream)


def _update(document: CommentedMap, changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping):
            if not isinstance(document.get(key), CommentedMap):
                document[key] = CommentedMap()
            _update(document[key], value)
        else:
            document[key] = value
