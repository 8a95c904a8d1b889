"""Tags that record the code, data and settings of a run, its machine and its packages."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pairvae
from pairvae import operating_system
from pairvae.store import digest
from pairvae.store.dvc_lock import input_hashes, output_hashes

DESCRIPTION = "mlflow.note.content"  # a tag: Markdown that the UI shows
NOT_IN_A_TAG = re.compile(r"[^\w\-. /:]")
PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "opencv-python",
    "scikit-image",
    "scikit-learn",
    "mlflow",
    "dvc",
    "matplotlib",
)
COMMIT = "mlflow.source.git.commit"
CPU_LIST = Path("/proc/cpuinfo")


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints, or None without git or outside a repository."""
    try:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _has_changes(root: Path) -> bool:
    """Whether files under git differ from the commit, apart from those that the pipeline itself writes."""
    written = [path for path, _ in output_hashes(root)]
    excluded = [f":(exclude){path}" for path in ("dvc.lock", *written) if not path.startswith(("/", ".."))]
    excluded.append(":(exclude,glob)**/.gitignore")  # DVC lists its outputs there
    status = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *excluded)
    return bool(status)


def lineage_tags(root: Path, stage: str, params: Mapping[str, object]) -> dict[str, str]:
    """Tags that lead from a run back to its code, data and settings.

    ``root`` is the folder whose dvc.lock and commit count (``checkout_root``); ``params`` the settings of the
    stage. Without git, DVC or a dvc.lock the tags in question are absent.
    """
    tags = {"DVC_STAGE": os.environ.get("DVC_STAGE", stage), "params_hash": digest(dict(params))}
    if os.environ.get("DVC_EXP_NAME"):
        tags["DVC_EXP_NAME"] = os.environ["DVC_EXP_NAME"]
    commit = _git(root, "rev-parse", "HEAD")
    if commit:
        # mlflow's own key: the UI shows it in the column "Version"
        tags[COMMIT] = commit
        tags["git_dirty"] = str(_has_changes(root)).lower()
    for path, md5 in input_hashes(root, stage).items():
        tags[NOT_IN_A_TAG.sub("_", f"input_md5/{path}")] = md5
    return tags


def commit_of(folder: Path) -> str:
    """The git commit of ``folder``, marked if files were changed; "none" outside a repository."""
    tags = lineage_tags(folder, "report", {})
    if COMMIT not in tags:
        return "none: not under git"
    changed = " with uncommitted changes" if tags.get("git_dirty") == "true" else ""
    return f"{tags[COMMIT]}{changed}"


def versions() -> list[str]:
    """Name and version of pairvae and of the installed packages that numbers depend on."""
    packages = [f"pairvae {pairvae.__version__}"]
    for name in PACKAGES:
        try:
            packages.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return packages


def machine() -> str:
    """Processor, cores and operating system."""
    name = platform.processor() or platform.machine()
    if CPU_LIST.is_file():
        lines = CPU_LIST.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = names[0] if names else name
    cores = operating_system.cores()
    return f"{name}, {cores} cores, {platform.system()} {platform.machine()}"
