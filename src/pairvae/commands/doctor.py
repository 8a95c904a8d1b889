"""`pairvae doctor`: the installation, the settings, the data, the stores and the device, one line for each."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from pairvae import operating_system
from pairvae.commands import store_checks
from pairvae.commands.code_digests import made_by_other_code
from pairvae.commands.repro import dvc_environment
from pairvae.commands.store_checks import Finding, Findings
from pairvae.errors import InputError, number_of, reason
from pairvae.settings import PARAMS_FILE
from pairvae.stages.project import Project, open_project
from pairvae.store.code import PACKAGE
from pairvae.store.model_folder import CARD as MODEL_CARD
from pairvae.store.model_folder import load_card, load_model
from pairvae.store.outputs import STAGES
from pairvae.store.prepared import CARD
from pairvae.store.project_root import (
    project_root,
    shown,
    store_name,
)

PACKAGES = ("torch", "mlflow", "dvc", "optuna", "numpy", "opencv-python", "porespy", "typer", "pydantic")
NO_SCM = re.compile(r"^\s*no_scm\s*=\s*true", re.IGNORECASE | re.MULTILINE)
EXTRA = re.compile(r"(?P<package>[A-Za-z0-9._-]+).*;\s*extra\s*==\s*['\"](?P<extra>[\w-]+)['\"]")
DEVELOPMENT = frozenset({"dev", "docs"})


def doctor(folder: Path, *, fix_paths: bool = False) -> list[Finding]:
    """Check everything that the project in ``folder`` stands on; ``fix_paths`` first mends moved paths.

    ``InputError`` outside of a project.
    """
    root = project_root(folder)
    findings = [*_installation(), *_extras()]
    if fix_paths:
        findings += _examined("fix paths", partial(store_checks.mend_paths, root))
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
    of_store: dict[str, Callable[[Path], Findings]] = {
        "store": store_checks.store,
        "waiting": store_checks.waiting,
        "runs": store_checks.runs,
        "registry": store_checks.registry,
        "disk": store_checks.disk,
    }
    for name, check in of_store.items():
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
    cores = operating_system.cores()
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
        name = f"{torch.cuda.get_device_name()}, {free / 1e9:.0f} of {total / 1e9:.0f} GB free"
    else:
        threads = torch.get_num_threads()
        name = f"{threads} thread{'' if threads == 1 else 's'}"
    yield Finding("device", "ok", f"{kind}, {name}{', bfloat16' if device.bfloat16 else ''}")
