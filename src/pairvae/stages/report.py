"""The stage `report`: finished scores and arrays in, figures and one self-contained page out."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from pairvae import store
from pairvae.data.pairs.manifest import read_pairs
from pairvae.data.prepare import raw_of
from pairvae.evaluation import latent_map
from pairvae.inference.corrections import read_corrections
from pairvae.inference.neighbours import Micrographs
from pairvae.modalities import MODALITIES
from pairvae.modalities.sem import image_area
from pairvae.numerics import thresholds as thresholding
from pairvae.numerics.images import grey_levels
from pairvae.reports.assessment_data import bands, example, latents, pixel_size, shared, sheets
from pairvae.reports.captions import paper_rank
from pairvae.reports.dvc_files import summary_numbers, write_plots
from pairvae.reports.model_card import FILE, write_model_card
from pairvae.reports.page import write_report
from pairvae.reports.protocols import NAMES
from pairvae.reports.report_data import (
    Ensemble,
    Example,
    LatentMap,
    Maps,
    ReportData,
    Row,
    Thresholded,
)
from pairvae.reports.study_figures import read_study
from pairvae.settings import CroppedSettings, flatten
from pairvae.stages.project import Project
from pairvae.store.model_folder import REMEDY, load_card, read_history
from pairvae.store.prepared import read_arrays
from pairvae.store.rows import read_table
from pairvae.tracking.runs.lineage import commit_of, machine, versions

TRAININGS = ("train-saxs", "train-sem", "train-pair")
STUDY = "study.csv"
SHOWN_THRESHOLDS = ("ladders", "alternating_lines", "alternating lines")  # those that tell the methods apart
SHOWN_RAW = 2
THUMBNAIL_PX = 48
PROTOCOLS = "protocols.csv"
SHOWN_NEIGHBOURS = 3


def report(project: Project) -> None:
    """Draw ``reports/figures`` and ``reports/index.html``; the model card and the data of `dvc plots` beside them."""
    for name in ("figures", "plots"):
        shutil.rmtree(project.reports / name, ignore_errors=True)
    data = gather(project)
    page = write_report(data, project.reports)
    write_plots(data, project.reports / "plots")
    store.write_json(project.reports / "summary.json", summary_numbers(data.metrics))
    write_model_card(data, project.reports / FILE)
    print(f"report: {page.relative_to(project.folder)}")


def gather(project: Project) -> ReportData:
    """Everything on the page; of other pairs than SAXS and SEM the scores and losses, without pictures."""
    folder = project.reports / "assessment"
    facts = store.read_json(folder / "assessment.json")
    metrics = store.read_json(project.reports / "metrics.json")
    arrays = read_arrays(folder / "arrays.npz", REMEDY)
    pairs = facts["pairs"]
    first, technique = facts["modalities"]
    drawn = first == "saxs" and MODALITIES[technique].cropped
    section = project.settings.modality(technique)
    generated, grey = ensembles(project), isinstance(section, CroppedSettings) and section.grey
    return ReportData(
        metrics=metrics,
        distributions=facts["distributions"],
        examples=_examples(project, arrays, facts) if drawn else [],
        histories={stage: rows for stage in TRAININGS if (rows := read_history(project.model(stage)))},
        generated=generated[0] if generated else {},
        other_scales=generated[1:],
        sheets=sheets(arrays) if drawn else {},
        latents=latents(arrays, facts) if drawn else None,
        nm_per_px=pixel_size(pairs, technique),
        q_per_px=shared(pairs, "saxs_q_per_px_inv_nm"),
        bands=bands(arrays),
        thresholds=thresholds(project) if technique == "sem" and drawn and not grey else (),
        maps=maps(project, arrays, facts) if drawn else None,
        study=read_study(project.reports / STUDY),
        protocols=protocols(project),
        facts=lineage(project, facts, metrics, TRAININGS),
        parameters=parameters(project),
        corrections=read_corrections(project.model("train-pair")),
        grey=grey,
        technique=technique if drawn else "sem",
    )


def _examples(project: Project, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> list[Example]:
    """The example pairs, with the measured training micrographs that their patterns fit best."""
    train, pairs, technique = np.array(facts["train"]), facts["pairs"], facts["modalities"][1]
    library = Micrographs(
        [pairs[row]["id"] for row in train],
        [pairs[row]["morphology"] for row in train],
        np.array(project.prepared_pairs().crops(technique)[train, 0]),
        arrays[f"latent_{technique}"][train],
        arrays["latent_saxs"][train],
    )
    rows = {pair["id"]: row for row, pair in enumerate(pairs)}
    found = []
    for number, name in enumerate(facts["examples"]):
        pair = example(arrays, facts, number)
        predicted, latent = pair.images[f"pair/saxs_{technique}"], arrays["latent_saxs"][rows[name]]
        nearest = library.nearest(latent, predicted[None], SHOWN_NEIGHBOURS)
        found.append(replace(pair, measured=tuple((one.caption, one.image) for one in nearest)))
    return found


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
    conditions = [pair.get("conditions", {}) for pair in facts["pairs"]]
    metrics = store.read_json(project.reports / "metrics.json")
    return Maps(
        tuple(found),
        _thumbnails(project, names),
        tuple(pair["id"] for pair in facts["pairs"]),
        tuple(pair["morphology"] for pair in facts["pairs"]),
        tuple("train" if row in training else "validation" for row in range(count)),
        {
            name: tuple(one.get(name) for one in conditions)
            for name in dict.fromkeys(key for one in conditions for key in one)
        },
        metrics.get("conditions", {}),
    )


def _thumbnails(project: Project, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Each sample's pattern, shrunk, and the middle of its first crop, so that domains stay visible."""
    prepared = project.prepared_pairs()
    found: dict[str, np.ndarray] = {}
    for name in names:
        side = THUMBNAIL_PX
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
    lone = [
        f", {entry['unpaired']} of {name} alone" for name, entry in entries.items() if "unpaired" in entry
    ]
    return {
        "preset": str(metrics.get("preset", settings.preset)),
        "data": settings.data.source,
        "data digest": str(facts["data_digest"]),
        "pairs": f"{len(facts['train'])} training, {len(facts['validation'])} validation{''.join(lone)}",
        "split seed": str(settings.split.seed),
        "seed": str(settings.seed),
        "git commit": commit_of(project.folder),
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


def duration(seconds: float) -> str:
    """``75.2`` as ``1 min 15 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
