"""`pairvae doctor`: the installation, the settings, the data, the stores and the device, one line for each."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from pairvae.commands.code_digests import made_by_other_code
from pairvae.commands.repro import dvc_environment
from pairvae.errors import InputError, number_of, reason
from pairvae.settings import PARAMS_FILE
from pairvae.stages.project import Project, open_project
from pairvae.store.code import PACKAGE
from pairvae.store.model_folder import CARD as MODEL_CARD
from pairvae.store.model_folder import load_card, load_model
from pairvae.store.outputs import STAGES
from pairvae.store.prepared import CARD
from pairvae.store.project_root import (
    database_path,
    how_to_register,
    is_local,
    local_uri,
    project_root,
    shown,
    store_name,
    tracking_uri,
)
from pairvae.tracking.runs.outbox import Outbox, target_of, waiting

Level = Literal["ok", "note", "problem"]
PACKAGES = ("torch", "mlflow", "dvc", "optuna", "numpy", "opencv-python", "porespy", "typer", "pydantic")
NO_SCM = re.compile(r"^\s*no_scm\s*=\s*true", re.IGNORECASE | re.MULTILINE)
EXTRA = re.compile(r"(?P<package>[A-Za-z0-9._-]+).*;\s*extra\s*==\s*['\"](?P<extra>[\w-]+)['\"]")
DEVELOPMENT = frozenset({"dev", "docs"})
STUCK_S = 3600.0  # a run that nothing was written to for so long has lost its process
ROOM_GB, LITTLE_GB = 5.0, 1.0
GB = 1e9


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table."""

    check: str
    level: Level
    found: str
    remedy: str = ""


Findings = Iterator[Finding]


def doctor(folder: Path, *, fix_paths: bool = False) -> list[Finding]:
    """Check everything that the project in ``folder`` stands on; ``fix_paths`` first mends moved paths.

    ``InputError`` outside of a project.
    """
    root = project_root(folder)
    findings = [*_installation(), *_extras()]
    if fix_paths:
        findings += _examined("fix paths", partial(_mend, root))
    findings += _examined("files", partial(_files, root))
    try:
        project = open_project(folder=root)
    except InputError as error:
        findings.append(Finding("settings", "problem", str(error)))
    else:
        findings.append(Finding("settings", "ok", f"{PARAMS_FILE}, preset {project.settings.preset}"))
        findings += _examined("data", partial(_data, project))
        findings += _examined("code", partial(_code, project))
        findings += _examined("models", partial(_models, project))
        findings += _examined("device", partial(_device, project))
        findings += _examined("experiment", partial(_experiment, project))
        findings += _examined("runs", partial(_origins, project))
    store_checks: dict[str, Callable[[Path], Findings]] = {
        "store": _store,
        "waiting": _waiting,
        "runs": _runs,
        "registry": _registry,
        "disk": _disk,
    }
    for name, check in store_checks.items():
        findings += _examined(name, partial(check, root))
    return findings


def render(findings: list[Finding]) -> str:
    """The findings as a table, remedies below their lines."""
    width = max(len(finding.check) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.level:8}{finding.check:{width}}  {finding.found}")
        if finding.remedy:
            lines.append(f"{'':8}{'':{width}}  -> {finding.remedy}")
    problems = sum(finding.level == "problem" for finding in findings)
    lines.append(number_of(problems, "problem") if problems else "no problems")
    return "\n".join(lines)


def _examined(name: str, check: Callable[[], Findings]) -> list[Finding]:
    """What a check finds; where it cannot go on, for whatever reason, that is a problem."""
    findings = []
    try:
        for finding in check():
            findings.append(finding)
    except (InputError, OSError) as error:
        findings.append(Finding(name, "problem", str(error)))
    except Exception as error:  # of a store or a library: the other checks still tell
        findings.append(Finding(name, "problem", f"{type(error).__name__}: {shown(reason(error))}"))
    return findings


def _install() -> str:
    """How the packages come: by the Makefile of a source tree, else by pip."""
    if (PACKAGE.parents[1] / "Makefile").is_file():
        return "run: make setup"
    return f"run: {sys.executable} -m pip install --upgrade pairvae"


def _installation() -> Findings:
    cores = len(os.sched_getaffinity(0))
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    yield Finding("python", "ok", f"{platform.python_version()}, {cores} cores, OMP_NUM_THREADS {threads}")
    for package in ("pairvae", *PACKAGES):
        try:
            yield Finding(package, "ok", version(package))
        except PackageNotFoundError:
            yield Finding(package, "problem", "not installed", _install())
    path = dvc_environment()["PATH"]
    if shutil.which("dvc", path=path) is None:
        yield Finding("dvc", "problem", "no program of that name beside this Python", _install())
    if shutil.which("git", path=path) is None:
        yield Finding("git", "note", "not on the PATH", "install git: runs are linked to commits by it")


def _extras() -> Findings:
    """What ``pip install 'pairvae[NAME]'`` adds, by the package's own list, and whether it is there."""
    packages: dict[str, list[str]] = {}
    for requirement in requires("pairvae") or []:
        if found := EXTRA.match(requirement):
            packages.setdefault(found["extra"], []).append(found["package"])
    for extra, names in packages.items():
        missing = [name for name in names if not _installed(name)]
        if missing and extra not in DEVELOPMENT:
            remedy = f"where you need it: pip install 'pairvae[{extra}]'"
            yield Finding("extras", "note", f"[{extra}] without {', '.join(missing)}", remedy)
        elif extra not in DEVELOPMENT:
            yield Finding("extras", "ok", f"[{extra}] {', '.join(names)}")


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _files(root: Path) -> Findings:
    for name in (PARAMS_FILE, "dvc.yaml"):
        if (root / name).is_file():
            yield Finding("files", "ok", name)
        else:
            yield Finding("files", "problem", f"no {name}", _restored(root, name))
    config = root / ".dvc" / "config"
    alone = config.is_file() and NO_SCM.search(config.read_text("utf-8", errors="replace"))
    if not alone and not any((folder / ".git").exists() for folder in (root, *root.parents)):
        yield Finding(
            "files",
            "note",
            "no git repository: DVC, and `pairvae repro`, refuse to work",
            "run: git init; or do without git: dvc config core.no_scm true",
        )


def _restored(root: Path, name: str) -> str:
    """How to get a file of the project back."""
    tracked = subprocess.run(
        ["git", "-C", str(root), "ls-files", "--error-unmatch", name], capture_output=True
    )
    if tracked.returncode == 0:
        return f"restore it: git checkout {name}"
    return f"take {name} from a new project: pairvae init FOLDER"


def _code(project: Project) -> Findings:
    """Whether results were made by the code that is installed now."""
    other = made_by_other_code(project)
    if other:
        found = f"made by other code than is installed: {', '.join(other)}"
        yield Finding("code", "note", found, "pairvae repro makes them again")
    else:
        yield Finding("code", "ok", "results are of the code that is installed")


def _data(project: Project) -> Findings:
    if not project.raw.is_dir():
        yield Finding("data", "note", "no raw data yet", "run: pairvae repro")
    if not (project.prepared_folder / CARD).is_file():
        yield Finding("data", "note", "no prepared data yet", "run: pairvae repro")
        return
    prepared = project.prepared()
    split = project.split(prepared)
    found = f"{len(prepared.pairs)} pairs ({len(split.train)} train, {len(split.validation)} validation)"
    yield Finding("data", "ok", f"{found}, digest {prepared.digest} verified")


def _models(project: Project) -> Findings:
    trained = [stage for stage in STAGES if stage.startswith("train-") and project.model(stage).is_dir()]
    for stage in trained:
        try:
            load_model(project.model(stage))
        except InputError as error:
            yield Finding("models", "problem", str(error))
        else:
            yield Finding("models", "ok", f"{stage}, weights verified")
    if not trained:
        yield Finding("models", "note", "none trained yet", "run: pairvae repro")


def _experiment(project: Project) -> Findings:
    from pairvae.tracking.health import check_experiment_of

    check_experiment_of(project.root, project.settings.tracking.experiment)
    yield from ()


def _origins(project: Project) -> Findings:
    """Trained models whose run is in no store: deleted, or they were trained elsewhere."""
    from pairvae.tracking.health import has_run

    for card in sorted(project.model("").glob(f"*/{MODEL_CARD}")):
        run_id = load_card(card.parent).get("run_id")
        if run_id is not None and not has_run(project.root, str(run_id)):
            yield Finding(
                "runs",
                "note",
                f"{store_name(project.root)} has no run {run_id}, which trained {card.parent.name}",
                f"a deleted one comes back with: mlflow runs restore --run-id {run_id}; all else works without it",
            )


def _device(project: Project) -> Findings:
    import torch  # 2 s, only where it is wanted

    from pairvae.training.devices import choose

    device = choose(project.settings.device)
    kind = device.torch_device.type
    if kind == "cuda":
        free, total = torch.cuda.mem_get_info()
        name = f"{torch.cuda.get_device_name()}, {free / GB:.0f} of {total / GB:.0f} GB free"
    else:
        threads = torch.get_num_threads()
        name = f"{threads} thread{'' if threads == 1 else 's'}"
    yield Finding("device", "ok", f"{kind}, {name}{', bfloat16' if device.bfloat16 else ''}")


def _mend(root: Path) -> Findings:
    from pairvae.tracking.relocate import fix_paths

    repair = fix_paths(root)
    if repair.backup is None:
        yield Finding("fix paths", "ok", "nothing to mend")
        return
    yield Finding("fix paths", "ok", f"{sum(repair.rows.values())} paths mended, backup {repair.backup.name}")


def _store(root: Path) -> Findings:
    from pairvae.tracking.health import store_problem
    from pairvae.tracking.relocate import foreign_paths

    place = shown(tracking_uri(root))
    if is_local(root) and not database_path(root).is_file():
        yield Finding("store", "note", "no runs yet", "run: pairvae repro")
        return
    foreign = foreign_paths(root) if is_local(root) else []
    if foreign:
        found = f"{len(foreign)} places of artifacts lie in another folder, as {foreign[0]}"
        yield Finding("store", "problem", found, "run: pairvae doctor --fix-paths")
    problem = None if foreign else store_problem(root)
    if problem is not None:
        yield Finding("store", "problem", problem)
    elif not foreign:
        yield Finding("store", "ok", place)


def _waiting(root: Path) -> Findings:
    """Entries of runs whose store was away, or whose process was killed before they were sent."""
    for folder in waiting(root):
        with Outbox.abandoned(folder) as outbox:
            if outbox is None:
                continue  # its run is at work and sends for itself
            target, refused = target_of(folder), outbox.refused()
            if len(outbox):
                entries = number_of(len(outbox), "entry", "entries")
                found = f"{entries} of run {target['name']} to send to {target['uri']}"
                own = target["uri"] == shown(local_uri(root))
                remedy = "the next run sends them" if own else "run: pairvae sync " + target["uri"]
                yield Finding("waiting", "note", found, remedy)
            for path in refused:
                yield Finding(
                    "waiting", "note", f"refused by the store: {path}", "look at it, then delete it"
                )


def _runs(root: Path) -> Findings:
    from pairvae.tracking.health import open_runs, runs_without_files

    going = open_runs(root)
    lost = [run for run in going if run.alive is False or (run.alive is None and run.idle_s > STUCK_S)]
    for run in lost:
        silent = f"silent for {run.idle_s / 3600:.1f} h" if run.alive is None else "its process is gone"
        yield Finding(
            "runs",
            "note",
            f"{run.name} ({run.run_id}) is RUNNING, {silent}",
            "run its stage again (it resumes), or delete the run",
        )
    for name in runs_without_files(root):
        yield Finding("runs", "note", f"{name}: its pictures are gone", "restore mlruns from a backup")
    yield Finding("runs", "ok", f"{len(going) - len(lost)} running now")


def _registry(root: Path) -> Findings:
    from pairvae.tracking.health import alias_problems

    aliases, gone = alias_problems(root)
    for place in gone:
        again = how_to_register(root)
        moved = f"run: pairvae doctor --fix-paths; else {again.removeprefix('run: ')}"
        yield Finding("registry", "problem", place, moved if place.startswith("no files") else again)
    for name, known in aliases.items():
        listed = ", ".join(f"{alias} is version {number}" for alias, number in sorted(known.items()))
        yield Finding("registry", "ok", f"{name}: {listed or 'no aliases'}")
    if not aliases:
        yield Finding("registry", "note", "no registered models yet", how_to_register(root))


def _disk(root: Path) -> Findings:
    free = shutil.disk_usage(root).free / GB
    level: Level = "problem" if free < LITTLE_GB else "note" if free < ROOM_GB else "ok"
    remedy = "" if level == "ok" else "free some space: pairvae gc, dvc gc --workspace"
    yield Finding("disk", level, f"{free:.1f} GB free", remedy)
