"""The stage `report`: finished scores and arrays in, figures and one self-contained page out."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np

import pairvae
from pairvae import store
from pairvae.reports.content import Ensemble, Example, Latents, ReportContent, Sheet
from pairvae.reports.page import write_report
from pairvae.stages.project import Project
from pairvae.store.models import load_card, read_history

TRAININGS = ("train-saxs", "train-sem", "train-pair")
DRAWN = {"saxs", "sem"}
CURVES = ("s2", "lineal_vertical", "lineal_horizontal")


def report(project: Project) -> None:
    """Draw everything into ``reports/figures`` and ``reports/index.html``."""
    shutil.rmtree(project.reports / "figures", ignore_errors=True)
    page = write_report(gather(project), project.reports)
    print(f"report: {page.relative_to(project.folder)}")


def gather(project: Project) -> ReportContent:
    """Everything on the page; of other pairs than SAXS and SEM the scores and losses, without pictures."""
    folder = project.reports / "assessment"
    facts = store.read_json(folder / "assessment.json")
    metrics = store.read_json(project.reports / "metrics.json")
    with np.load(folder / "arrays.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    pairs = facts["pairs"]
    drawn = set(facts["modalities"]) == DRAWN
    sizes = {pair["sem_nm_per_px"] for pair in pairs}
    return ReportContent(
        metrics=metrics,
        distributions=facts["distributions"],
        examples=[_example(arrays, facts, row) for row in range(len(facts["examples"]))] if drawn else [],
        histories={stage: rows for stage in TRAININGS if (rows := read_history(project.model(stage)))},
        generated=_ensembles(project),
        sheets=_sheets(arrays) if drawn else {},
        latents=_latents(arrays, facts) if drawn else None,
        nm_per_px=sizes.pop() if len(sizes) == 1 else None,
        facts=_facts(project, facts, metrics),
    )


def _example(arrays: dict[str, np.ndarray], facts: dict[str, Any], row: int) -> Example:
    identity = facts["examples"][row]
    pair = next(pair for pair in facts["pairs"] if pair["id"] == identity)
    images = {
        name.removeprefix("image/"): array[row] for name, array in arrays.items() if name.startswith("image/")
    }
    curves = {
        kind: {
            name.removeprefix(f"curve/{kind}/"): array[row]
            for name, array in arrays.items()
            if name.startswith(f"curve/{kind}/")
        }
        for kind in CURVES
    }
    return Example(
        identity, pair["morphology"], "validation", arrays["saxs"][row], arrays["sem"][row], images, curves
    )


def _ensembles(project: Project) -> dict[str, Ensemble]:
    """The ensembles at the first scale of the settings, by morphology."""
    folder = project.reports / "ensembles"
    listing = store.read_json(folder / "ensembles.json")["ensembles"]
    found: dict[str, Ensemble] = {}
    for entry in listing:
        if entry["morphology"] in found:
            continue
        with np.load(folder / entry["file"], allow_pickle=False) as archive:
            found[entry["morphology"]] = Ensemble(
                images=archive["images"],
                s2=archive["s2"],
                true_s2=archive["true_s2"],
                scale=entry["scale"],
            )
    return found


def _sheets(arrays: dict[str, np.ndarray]) -> dict[str, Sheet]:
    names = [name.split("/")[1] for name in arrays if name.startswith("sheet/") and name.endswith("/true")]
    return {
        name: Sheet(true=arrays[f"sheet/{name}/true"], predicted=arrays[f"sheet/{name}/predicted"])
        for name in names
    }


def _latents(arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> Latents:
    training = set(facts["train"])
    return Latents(
        saxs=arrays["latent_saxs"],
        sem=arrays["latent_sem"],
        ids=[pair["id"] for pair in facts["pairs"]],
        morphology=[pair["morphology"] for pair in facts["pairs"]],
        split=["train" if row in training else "validation" for row in range(len(facts["pairs"]))],
    )


def _facts(project: Project, facts: dict[str, Any], metrics: dict[str, Any]) -> dict[str, str]:
    seconds = {stage: load_card(project.model(stage))["seconds"] for stage in TRAININGS}
    return {
        "preset": metrics["preset"],
        "data": project.settings.data.source,
        "data digest": facts["data_digest"],
        "pairs": f"{len(facts['train'])} training, {len(facts['validation'])} validation",
        "split seed": str(project.settings.split.seed),
        "seed": str(project.settings.seed),
        "training time": ", ".join(f"{stage} {value:.0f} s" for stage, value in seconds.items()),
        "pairvae": pairvae.__version__,
    }
