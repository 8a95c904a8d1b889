"""All figures of a run as files: 300 dpi PNG, SVG, and the drawn data beside each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pairvae.reports import (
    bands,
    condition_maps,
    curves,
    latent_maps,
    pictures,
    plots,
    protocols,
    study_figures,
)
from pairvae.reports import latent_figures as latents
from pairvae.reports import paper_figures as paper
from pairvae.reports import threshold_figures as thresholds
from pairvae.reports.captions import paper_rank
from pairvae.reports.report_data import Example, ReportData
from pairvae.reports.style import save_figure

LONGEST_NAME = 60  # characters, of up to 4 bytes each; a file system takes 255 bytes
LEAST_FOR_MAP = 3  # pairs; fewer span no plane
# File names follow the paper's numbering where a figure has one there.
PLAN_FIGURES = {"solo": ("figure_3", "figure_s4"), "pair": ("figure_4", "figure_s5")}
BAND_FIGURES = {"figure_5": ("s2",), "figure_s6": ("lineal_vertical", "lineal_horizontal")}
GENERATED = ("figure_7", "figure_s7", "figure_s8")


def ordered_examples(report: ReportData) -> list[Example]:
    """The examples in the order of the paper's figures."""
    return sorted(report.examples, key=lambda example: paper_rank(example.title))


def file_names(labels: Iterable[str]) -> dict[str, str]:
    """A file name for each of ``labels``: letters, digits, underscores, short, and no two alike."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for label in labels:
        stem = re.sub(r"\W+", "_", label).strip("_").lower()[:LONGEST_NAME].rstrip("_") or "unnamed"
        numbered = (stem, *(f"{stem}_{number}" for number in range(2, len(taken) + 3)))
        names[label] = next(name for name in numbered if name not in taken)
        taken.add(names[label])
    return names


def _save_examples(report: ReportData, folder: Path) -> None:
    examples, nm = ordered_examples(report), report.nm_per_px
    rows = curves.curve_rows(examples, nm)
    has_curves = any(lines for example in examples for lines in example.curves.values())
    save_figure(
        paper.figure_1(examples, nm, report.q_per_px), folder, "figure_1", paper.figure_1_rows(examples, nm)
    )
    for plan, (whole, horizontal) in PLAN_FIGURES.items():
        if not any(key.startswith(f"{plan}/") for example in examples for key in example.images):
            continue
        data = pictures.reconstruction_data(examples, plan)
        save_figure(pictures.reconstructions(examples, plan, nm), folder, f"reconstructions_{plan}", data)
        if has_curves:
            drawing = paper.reconstructions_and_curves(examples, plan, nm)
            save_figure(drawing, folder, whole, paper.plan_rows(rows, plan, paper.BESIDE_IMAGES))
        paths = paper.plan_rows(rows, plan, ("lineal_horizontal",))
        if paths:  # grey levels have none
            save_figure(paper.horizontal_paths(examples, plan, nm), folder, horizontal, paths)
    if has_curves:
        save_figure(curves.curves(examples, nm), folder, "curves", rows)


def _save_bands(report: ReportData, folder: Path) -> None:
    for name, kinds in BAND_FIGURES.items():
        present = [kind for kind in kinds if report.bands.get(kind)]
        if present:
            rows = bands.band_rows(report.bands, present, report.nm_per_px)
            save_figure(bands.bands(report.bands, present, report.nm_per_px), folder, name, rows)


def _save_generated(report: ReportData, folder: Path) -> None:
    examples = ordered_examples(report)
    for name, ensembles in zip(GENERATED, (report.generated, *report.other_scales), strict=False):
        if ensembles:
            ordered = {key: ensembles[key] for key in sorted(ensembles, key=paper_rank)}
            rows = curves.generation_rows(ordered, report.nm_per_px)
            save_figure(curves.generation(ordered, report.nm_per_px, examples), folder, name, rows)


def _save_latents(report: ReportData, folder: Path) -> None:
    if report.latents is not None and len(report.latents["ids"]) >= LEAST_FOR_MAP:
        rows = latents.latent_rows(report.latents)
        save_figure(latents.latent_map(report.latents), folder, "latents", rows)
    if report.maps is not None:
        rows = latent_maps.map_rows(report.maps)
        save_figure(latent_maps.latent_maps(report.maps), folder, "latent_maps", rows)
        if report.maps.conditions:
            save_figure(condition_maps.condition_maps(report.maps), folder, "condition_maps", rows)


def save_figures(report: ReportData, folder: Path) -> None:
    """Write every figure that ``report`` has data for into ``folder``."""
    if report.examples:
        _save_examples(report, folder)
    if report.histories:
        save_figure(plots.losses(report.histories), folder, "losses", plots.loss_rows(report.histories))
    panels = plots.score_panels(report.distributions)
    if panels:
        save_figure(plots.scores(panels), folder, "scores", plots.score_rows(report.distributions))
    _save_bands(report, folder)
    _save_generated(report, folder)
    names = file_names(report.sheets)
    for label, sheet in report.sheets.items():
        drawing = pictures.look_alikes(label, sheet, report.nm_per_px)
        save_figure(drawing, folder, f"sheet_{names[label]}", pictures.look_alike_data(label, sheet))
    _save_latents(report, folder)
    if report.thresholds:
        rows = thresholds.threshold_rows(report.thresholds)
        save_figure(thresholds.thresholds(report.thresholds), folder, "figure_s2", rows)
    if report.protocols:
        save_figure(protocols.protocols(report.protocols), folder, "figure_s3", report.protocols)
    if report.study is not None:
        study_figures.draw_study(report.study, folder)
