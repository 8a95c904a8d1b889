"""What the report draws beyond the assessment: raw micrographs, latent maps, ensembles, the study's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from pairvae import store
from pairvae.data.pairs.manifest import read_pairs
from pairvae.evaluation import latent_map, thresholding
from pairvae.modalities import MODALITIES
from pairvae.modalities.sem import image_area
from pairvae.numerics.images import grey_levels
from pairvae.reports.captions import paper_rank
from pairvae.reports.protocols import NAMES
from pairvae.reports.report_data import Ensemble, LatentMap, Maps, Row, Thresholded
from pairvae.stages.preprocess import raw_of
from pairvae.stages.project import Project
from pairvae.store.arrays import read_arrays
from pairvae.store.model_folder import REMEDY
from pairvae.store.rows import read_table

SHOWN_THRESHOLDS = ("ladders", "alternating_lines", "alternating lines")  # those that tell the methods apart
SHOWN_RAW = 2
THUMBNAIL_PX = {"saxs": 48, "sem": 48}
PROTOCOLS = "protocols.csv"


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
