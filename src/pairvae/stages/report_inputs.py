"""What the report shows beyond the assessment, and where its numbers come from.

Raw micrographs, latent maps, ensembles and the study's tables; data, code, settings, packages, machine and time.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import pairvae
from pairvae import store
from pairvae.data.pairs.manifest import read_pairs
from pairvae.evaluation import latent_map
from pairvae.modalities import MODALITIES
from pairvae.modalities.sem import image_area
from pairvae.numerics import thresholds as thresholding
from pairvae.numerics.images import grey_levels
from pairvae.reports.captions import paper_rank
from pairvae.reports.protocols import NAMES
from pairvae.reports.report_data import Ensemble, LatentMap, Maps, Row, Thresholded
from pairvae.settings import flatten
from pairvae.stages.preprocess import raw_of
from pairvae.stages.project import Project
from pairvae.store.model_folder import REMEDY, load_card
from pairvae.store.prepared import read_arrays
from pairvae.store.rows import read_table
from pairvae.tracking.runs.lineage import lineage_tags

SHOWN_THRESHOLDS = ("ladders", "alternating_lines", "alternating lines")  # those that tell the methods apart
SHOWN_RAW = 2
THUMBNAIL_PX = {"saxs": 48, "sem": 48}
PROTOCOLS = "protocols.csv"
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


def thresholds(project: Project) -> tuple[Thresholded, ...]:
    """The thresholding methods on raw micrographs, of the morphologies that the paper names; none without raw data."""
    if not project.raw.is_dir():
        return ()
    found = read_pairs(project.raw, project.settings.data.unpaired)
    by_name = {pair.morphology or pair.id: pair for pair in reversed(found)}
    wanted = [name for name in SHOWN_THRESHOLDS if name in by_name] or sorted(by_name, key=paper_rank)
    settings, views = project.settings.sem.prepare, []
    for name in wanted[:SHOWN_RAW]:
        raw = raw_of(by_name[name], MODALITIES["sem"])
        area = image_area(raw, settings)
        if area.dtype != np.uint8:
            continue
        grey = grey_levels(area)
        compared = thresholding.compare(grey, settings.blur_px, settings.blur_sigma, settings.crop)
        size = (int(grey.shape[0]), int(grey.shape[1]))
        views.append(
            Thresholded(name, size, compared.grey, compared.binary, compared.fractions, raw.nm_per_px)
        )
    return tuple(views)


def maps(project: Project, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> Maps | None:
    """t-SNE maps of the latents alone (where they were assessed) and of the pair; None for very few pairs."""
    names = [name for name in facts["modalities"] if f"latent_{name}" in arrays]
    if len(facts["pairs"]) < latent_map.LEAST or len(names) < 2:
        return None
    seed, found = project.settings.seed, []
    for name in names:
        alone = arrays.get(f"latent_solo_{name}")
        if alone is not None:
            points = latent_map.separate_maps({name: alone}, seed)
            found.append(LatentMap(f"{name.upper()} trained alone", points, joint=False))
    paired = latent_map.joint_map({name: arrays[f"latent_{name}"] for name in names}, seed)
    found.append(LatentMap("paired", paired, joint=True))
    training = set(facts["train"])
    count = len(facts["pairs"])
    return Maps(
        tuple(found),
        _thumbnails(project, names),
        tuple(pair["id"] for pair in facts["pairs"]),
        tuple(pair["morphology"] for pair in facts["pairs"]),
        tuple("train" if row in training else "validation" for row in range(count)),
    )


def _thumbnails(project: Project, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Each sample's pattern, shrunk, and the middle of its first crop, so that domains stay visible."""
    prepared = project.prepared()
    found: dict[str, np.ndarray] = {}
    for name in names:
        side = THUMBNAIL_PX[name]
        if MODALITIES[name].cropped:
            first = prepared.crops(name)[:, 0]
            start = (first.shape[-1] - side) // 2
            found[name] = np.array(first[:, start : start + side, start : start + side])
        else:
            patterns = [pattern.transpose(1, 2, 0) for pattern in prepared.whole(name)]
            small = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in patterns]
            found[name] = np.stack(small).transpose(0, 3, 1, 2)
    return found


def ensembles(project: Project) -> tuple[dict[str, Ensemble], ...]:
    """The ensembles by morphology, one dictionary per variance scale in the order of the settings."""
    folder = project.reports / "ensembles"
    by_scale: dict[float, dict[str, Ensemble]] = {}
    for entry in store.read_json(folder / "ensembles.json")["ensembles"]:
        arrays = read_arrays(folder / entry["file"], REMEDY)
        by_scale.setdefault(float(entry["scale"]), {})[entry["morphology"]] = Ensemble(
            images=arrays["images"], s2=arrays["s2"], true_s2=arrays["true_s2"], scale=entry["scale"]
        )
    return tuple(by_scale.values())


def bands(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """``band/<kind>/<split>/<key>`` of the assessment, nested."""
    found: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for name, values in arrays.items():
        if name.startswith("band/"):
            _, kind, split, key = name.split("/", 3)
            found.setdefault(kind, {}).setdefault(split, {})[key] = values
    return found


def protocols(project: Project) -> tuple[Row, ...]:
    """Rows of the protocol study's ``reports/protocols.csv``; none where it was not run."""
    path = project.reports / PROTOCOLS
    if not path.is_file():
        return ()
    rows = read_table(path, NAMES, ("epoch", "value"), "run `pairvae study --protocols` again")
    return tuple({**row, "epoch": round(float(row["epoch"])), "value": float(row["value"])} for row in rows)


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
