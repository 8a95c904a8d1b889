"""Where a report's numbers come from: data, code, settings, packages, machine, time."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pairvae
from pairvae.settings import flatten
from pairvae.stages.project import Project
from pairvae.store.model_folder import load_card
from pairvae.tracking.runs.lineage import lineage_tags

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


def lineage(
    project: Project, facts: Mapping[str, Any], metrics: Mapping[str, Any], trainings: tuple[str, ...]
) -> dict[str, str]:
    """Label -> value, in the order in which the page lists them."""
    settings = project.settings
    seconds = {stage: float(load_card(project.model(stage))["seconds"]) for stage in trainings}
    entries = load_card(project.model("train-pair"))["modalities"]
    lone = [f", {one['unpaired']} of {name} alone" for name, one in entries.items() if "unpaired" in one]
    return {
        "preset": str(metrics.get("preset", settings.preset)),
        "data": settings.data.source,
        "data digest": str(facts["data_digest"]),
        "pairs": f"{len(facts['train'])} training, {len(facts['validation'])} validation{''.join(lone)}",
        "split seed": str(settings.split.seed),
        "seed": str(settings.seed),
        "git commit": commit(project.folder),
        "training time": ", ".join(f"{stage} {duration(value)}" for stage, value in seconds.items())
        + f"; together {duration(sum(seconds.values()))}",
        "trained on": ", ".join(
            sorted({str(load_card(project.model(s)).get("device", "cpu")) for s in trainings})
        ),
        "machine": machine(),
        "Python": platform.python_version(),
        "packages": ", ".join(versions()),
    }


def parameters(project: Project) -> dict[str, str]:
    """Every setting as ``section.key`` -> value, sorted by key."""
    values = flatten(project.settings.model_dump(mode="json"))
    return {key: str(value) for key, value in sorted(values.items())}


def commit(folder: Path) -> str:
    """The git commit of ``folder``, with a word about changed files; "none" outside a repository."""
    tags = lineage_tags(folder, "report", {})
    if COMMIT not in tags:
        return "none: not under git"
    changed = " with uncommitted changes" if tags.get("git_dirty") == "true" else ""
    return f"{tags[COMMIT]}{changed}"


def duration(seconds: float) -> str:
    """``75.2`` as ``1 min 15 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def versions() -> list[str]:
    """Name and version of pairvae and of the installed packages that numbers depend on."""
    found = [f"pairvae {pairvae.__version__}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Processor, cores and operating system."""
    name = platform.processor() or platform.machine()
    if CPU_LIST.is_file():
        lines = CPU_LIST.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = names[0] if names else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores, {platform.system()} {platform.machine()}"
