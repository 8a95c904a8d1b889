"""`pairvae gc`: what nothing refers to any more, with sizes; removed only where the user says so."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pairvae import store
from pairvae.errors import InputError
from pairvae.stages.project import Project, open_project
from pairvae.store.dvc_lock import output_hashes
from pairvae.store.project_root import OWN_FILES, PREPARED_FILES, database_path, project_root
from pairvae.store.written import dvc_caches

DAY_S = 86400.0
BUSY_S = 600.0  # written to so lately: somebody may be at work there
MB = 1e6
CARD, REGISTERED = "card.json", "registered.json"


@dataclass(frozen=True)
class Item:
    """One line of the table, and how it goes."""

    kind: str
    name: str
    size: int
    remove: Callable[[], None]


@dataclass(frozen=True)
class Kept:
    """What the project refers to: runs, and versions by the name of the model."""

    runs: frozenset[str]
    versions: dict[str, set[int]]


def gc(folder: Path, *, yes: bool = False) -> list[Item]:
    """What nothing refers to; removed where ``yes``. Never anything under data/, nor what is at work.

    Kept: models with an alias and those of models/ and dvc.lock, their runs, the best trials of searches, runs of
    studies, everything that has not ended. ``InputError`` outside of a project or where a file cannot be read.
    """
    project = open_project(folder=project_root(folder))
    items = list(found(project))
    if yes:
        for item in items:
            item.remove()
    return items


def render(items: list[Item], *, removed: bool) -> str:
    """The table, the largest first."""
    if not items:
        return "nothing to remove"
    ordered = sorted(items, key=lambda item: -item.size)
    width = max(len(item.kind) for item in ordered)
    lines = [f"{item.size / MB:10.1f} MB  {item.kind:{width}}  {item.name}" for item in ordered]
    total = f"{sum(item.size for item in ordered) / MB:10.1f} MB  in all"
    return "\n".join(
        [*lines, f"{total}, removed" if removed else f"{total}; remove it with: pairvae gc --yes"]
    )


def found(project: Project) -> Iterator[Item]:
    """Everything that can go."""
    kept = referred_to(project)
    if database_path(project.root).is_file():
        from pairvae.tracking.unused import remove, unused  # 3 s of mlflow

        for entry in unused(project.root, kept.runs, kept.versions):
            yield Item(entry.kind, entry.name, entry.size, partial(remove, project.root, entry))
    own = project.root / OWN_FILES
    yield from _checkpoints(project, own / "checkpoints")
    yield from _study_cells(project, own / "study")
    yield from _searches(project, own / "tune")
    yield from _caches(own)
    for path in sorted((own / "models").glob("*/*")):
        if not _busy(path):
            yield _folder("copy of a server's model", path)


def referred_to(project: Project) -> Kept:
    """Runs and versions that models/, dvc.lock and the best trials of searches name."""
    facts = [store.read_json(path) for path in sorted(project.model("").rglob(CARD))]
    registered = project.model(REGISTERED)
    facts += [store.read_json(registered)] if registered.is_file() else []
    facts += _locked(project.folder)
    versions: dict[str, set[int]] = {}
    for card in facts:
        for name, number in card.get("versions", {}).items():
            versions.setdefault(name, set()).add(int(number))
    runs = {str(fact["run_id"]) for fact in facts if fact.get("run_id")}
    runs |= {run for _, _, run in _best_trials(project.root) if run}
    return Kept(frozenset(runs), versions)


def _locked(folder: Path) -> list[dict[str, Any]]:
    """The cards of the models in dvc.lock, from DVC's cache: the models themselves may have been removed."""
    caches = list(dvc_caches(folder))

    def read(md5: str) -> Any:
        paths = (cache / md5[:2] / md5[2:] for cache in caches)
        path = next((candidate for candidate in paths if candidate.is_file()), None)
        return json.loads(path.read_text("utf-8")) if path is not None else None

    facts = []
    for path, md5 in output_hashes(folder):
        if not path.startswith("models/"):
            continue
        listed = read(md5) if md5.endswith(".dir") else [{"md5": md5, "relpath": Path(path).name}]
        for entry in listed or []:
            if Path(entry["relpath"]).name in (CARD, REGISTERED):
                facts.append(read(entry["md5"]))
    return [fact for fact in facts if isinstance(fact, dict)]


def _best_trials(root: Path) -> Iterator[tuple[str, int, str]]:
    """Study, number of its folder and run of the best trials of each search in a journal file."""
    if not list((root / OWN_FILES / "tune").glob("*.log")):
        return
    from pairvae.commands.tune.optuna_study import ORIGIN, RUN, StudyLocation, open_study, study_names

    settings = open_project(folder=root).settings.tune
    for name in study_names(root, None):
        for trial in open_study(StudyLocation(root, name, None), settings, new=False).best_trials:
            number = int(trial.user_attrs.get(ORIGIN, trial.number))
            yield name, number, str(trial.user_attrs.get(RUN, ""))


def _checkpoints(project: Project, home: Path) -> Iterator[Item]:
    """Of finished runs, and of trainings without a run (cells, trials) that nobody went on with for a day."""
    from pairvae.training.checkpoints import peek_run  # torch

    for path in sorted(home.glob("*")):
        if not path.is_dir() or _busy(path):
            continue
        try:
            run_id = peek_run(path)
        except InputError:  # damaged: nothing can go on from it
            yield _folder("damaged checkpoint", path)
            continue
        if run_id is None:
            if time.time() - _touched(path) > DAY_S:
                yield _folder("checkpoint of a cell or trial", path)
        elif _finished(project.root, run_id):
            yield _folder("checkpoint of a finished stage", path)


def _finished(root: Path, run_id: str) -> bool:
    from pairvae.tracking.health import status_of

    return status_of(root, run_id) == "FINISHED"


def _study_cells(project: Project, home: Path) -> Iterator[Item]:
    """Cells of other settings, data or code than the present ones."""
    folders = [path for path in sorted(home.glob("*")) if path.is_dir()]
    if not folders:
        return
    from pairvae.commands.study.grid import study_folder

    try:
        present = study_folder(project, project.prepared()).name
    except InputError:
        return  # without prepared data nobody can tell which ones are of use
    for path in folders:
        if path.name != present and not _busy(path):
            yield _folder("study of other settings, data or code", path)


def _searches(project: Project, home: Path) -> Iterator[Item]:
    """Trials that are not the best, and shared data that the newest search did not use."""
    if not home.is_dir():
        return
    best: dict[str, set[str]] = {}
    for name, number, _ in _best_trials(project.root):
        best.setdefault(name, set()).add(f"trial-{number}")
    for name in best:
        folder = home / name
        if folder.is_dir() and not _busy(folder):
            for path in sorted(folder.glob("trial-*")):
                if path.name not in best[name]:
                    yield _folder("trial of a search", path, f"{name} {path.name}")
    shared = sorted((path for path in home.glob("data-*") if path.is_dir()), key=_touched)
    for path in shared[:-1]:
        if not _busy(path):
            yield _folder("data of an earlier search", path)


def _caches(own: Path) -> Iterator[Item]:
    """What a stage makes again where it needs it, after a day: U-Nets, texture statistics, prepared files."""
    for path in sorted((own / "baselines").glob("*")):
        if path.is_dir() and not _busy(path) and time.time() - _touched(path) > DAY_S:
            yield _folder("U-Net of a baseline", path)
    for path in sorted((own / "statistics").glob("*.safetensors")):
        if time.time() - path.lstat().st_mtime > DAY_S:
            yield Item("texture statistics", path.stem, path.lstat().st_size, path.unlink)
    prepared = own / PREPARED_FILES
    if prepared.is_dir() and time.time() - _touched(prepared) > DAY_S:
        yield _folder("prepared files", prepared)


def _folder(kind: str, path: Path, name: str = "") -> Item:
    size = sum(file.lstat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())
    return Item(kind, name or path.name, size, partial(shutil.rmtree, path))


def _touched(folder: Path) -> float:
    """When something in ``folder`` was written last, links not followed (s since 1970)."""
    return max([folder.lstat().st_mtime, *(path.lstat().st_mtime for path in folder.rglob("*"))])


def _busy(folder: Path) -> bool:
    """Whether a process holds a lock in ``folder``, or wrote there lately."""
    from pairvae.store.locks import is_free

    locks = folder.glob("*.lock")
    return not all(is_free(path) for path in locks) or time.time() - _touched(folder) < BUSY_S
