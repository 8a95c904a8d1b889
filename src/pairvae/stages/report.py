"""The stage `report`: finished scores and arrays in, figures and one self-contained page out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pairvae import store
from pairvae.inference.neighbours import Micrographs
from pairvae.numerics.morphology import domain_spacing, phase_fraction
from pairvae.reports.dvc_files import summary_numbers, write_plots
from pairvae.reports.model_card import FILE, write_model_card
from pairvae.reports.page import write_report
from pairvae.reports.report_data import Example, Latents, ReportContent, Sheet
from pairvae.reports.study_figures import read_study
from pairvae.stages import report_inputs as report_material
from pairvae.stages.project import Project
from pairvae.stages.report_inputs import lineage, parameters
from pairvae.store.model_folder import REMEDY, read_corrections, read_history
from pairvae.store.prepared import read_arrays

TRAININGS = ("train-saxs", "train-sem", "train-pair")
DRAWN = {"saxs", "sem"}
STUDY = "study.csv"
SHOWN_NEIGHBOURS = 3
CURVES = ("s2", "lineal_vertical", "lineal_horizontal")


def report(project: Project) -> None:
    """Draw ``reports/figures`` and ``reports/index.html``; the model card and the data of `dvc plots` beside them."""
    for name in ("figures", "plots"):
        shutil.rmtree(project.reports / name, ignore_errors=True)
    content = gather(project)
    page = write_report(content, project.reports)
    write_plots(content, project.reports / "plots")
    store.write_json(project.reports / "summary.json", summary_numbers(content.metrics))
    write_model_card(content, project.reports / FILE)
    print(f"report: {page.relative_to(project.folder)}")


def gather(project: Project) -> ReportContent:
    """Everything on the page; of other pairs than SAXS and SEM the scores and losses, without pictures."""
    folder = project.reports / "assessment"
    facts = store.read_json(folder / "assessment.json")
    metrics = store.read_json(project.reports / "metrics.json")
    arrays = read_arrays(folder / "arrays.npz", REMEDY)
    pairs = facts["pairs"]
    drawn = set(facts["modalities"]) == DRAWN
    generated = report_material.ensembles(project)
    return ReportContent(
        metrics=metrics,
        distributions=facts["distributions"],
        examples=_examples(project, arrays, facts) if drawn else [],
        histories={stage: rows for stage in TRAININGS if (rows := read_history(project.model(stage)))},
        generated=generated[0] if generated else {},
        other_scales=generated[1:],
        sheets=_sheets(arrays) if drawn else {},
        latents=_latents(arrays, facts) if drawn else None,
        nm_per_px=_shared(pairs, "sem_nm_per_px"),
        q_per_px=_shared(pairs, "saxs_q_per_px_inv_nm"),
        bands=report_material.bands(arrays),
        thresholds=report_material.thresholds(project) if drawn else (),
        maps=report_material.maps(project, arrays, facts) if drawn else None,
        study=read_study(project.reports / STUDY),
        protocols=report_material.protocols(project),
        facts=lineage(project, facts, metrics, TRAININGS),
        parameters=parameters(project),
        corrections=read_corrections(project.model("train-pair")),
    )


def _shared(pairs: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """The value of ``key`` where all pairs have the same one."""
    values = {pair.get(key) for pair in pairs}
    return values.pop() if len(values) == 1 else None


def _examples(project: Project, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> list[Example]:
    """The example pairs, with the measured training micrographs that their patterns fit best."""
    train, pairs = np.array(facts["train"]), facts["pairs"]
    library = Micrographs(
        [pairs[row]["id"] for row in train],
        [pairs[row]["morphology"] for row in train],
        np.array(project.prepared().crops("sem")[train, 0]),
        arrays["latent_sem"][train],
        arrays["latent_saxs"][train],
    )
    rows = {pair["id"]: row for row, pair in enumerate(pairs)}
    found = []
    for number, name in enumerate(facts["examples"]):
        example = _example(arrays, facts, number)
        predicted, latent = example.images["pair/saxs_sem"], arrays["latent_saxs"][rows[name]]
        nearest = library.nearest(latent, predicted[None], SHOWN_NEIGHBOURS)
        found.append(replace(example, measured=tuple((one.caption, one.image) for one in nearest)))
    return found


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
    sem = arrays["sem"][row]
    spacing = float(domain_spacing(sem[None])[0])
    return Example(
        identity,
        pair["morphology"],
        "validation",
        arrays["saxs"][row],
        sem,
        images,
        curves,
        phase_fraction=float(phase_fraction(sem[None])[0]),
        spacing_px=spacing if np.isfinite(spacing) else None,
    )


def _sheets(arrays: dict[str, np.ndarray]) -> dict[str, Sheet]:
    names = [  # a label may hold a slash itself
        name.removeprefix("sheet/").removesuffix("/true")
        for name in arrays
        if name.startswith("sheet/") and name.endswith("/true")
    ]
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
