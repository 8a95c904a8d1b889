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
from pairvae.reports.report_data import Example, ReportContent
from pairvae.reports.style import save_figure

LONGEST_NAME = 60  # characters, of up to 4 bytes each; a file system takes 255 bytes
LEAST_FOR_MAP = 3  # pairs; fewer span no plane
# File names follow the paper's numbering where a figure has one there.
PLAN_FIGURES = {"solo": ("figure_3", "figure_s4"), "pair": ("figure_4", "figure_s5")}
BAND_FIGURES = {"figure_5": ("s2",), "figure_s6": ("lineal_vertical", "lineal_horizontal")}
GENERATED = ("figure_7", "figure_s7", "figure_s8")


def ordered_examples(content: ReportContent) -> list[Example]:
    """The examples in the order of the paper's figures."""
    return sorted(content.examples, key=lambda example: paper_rank(example.title))


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


def _save_examples(content: ReportContent, folder: Path) -> None:
    examples, nm = ordered_examples(content), content.nm_per_px
    rows = curves.curve_rows(examples, nm)
    has_curves = any(lines for example in examples for lines in example.curves.values())
    save_figure(
        paper.figure_1(examples, nm, content.q_per_px), folder, "figure_1", paper.figure_1_rows(examples, nm)
    )
    for plan, (whole, horizontal) in PLAN_FIGURES.items():
        if not any(key.startswith(f"{plan}/") for example in examples for key in example.images):
            continue
        data = pictures.reconstruction_data(examples, plan)
        save_figure(pictures.reconstructions(examples, plan, nm), folder, f"reconstructions_{plan}", data)
        if has_curves:
            drawing = paper.reconstructions_and_curves(examples, plan, nm)
            save_figure(drawing, folder, whole, paper.plan_rows(rows, plan, paper.BESIDE_IMAGES))
            drawing = paper.horizontal_paths(examples, plan, nm)
            save_figure(drawing, folder, horizontal, paper.plan_rows(rows, plan, ("lineal_horizontal",)))
    if has_curves:
        save_figure(curves.curves(examples, nm), folder, "curves", rows)


def _save_bands(content: ReportContent, folder: Path) -> None:
    for name, kinds in BAND_FIGURES.items():
        present = [kind for kind in kinds if content.bands.get(kind)]
        if present:
            rows = bands.band_rows(content.bands, present, content.nm_per_px)
            save_figure(bands.bands(content.bands, present, content.nm_per_px), folder, name, rows)


def _save_generated(content: ReportContent, folder: Path) -> None:
    examples = ordered_examples(content)
    for name, ensembles in zip(GENERATED, (content.generated, *content.other_scales), strict=False):
        if ensembles:
            ordered = {key: ensembles[key] for key in sorted(ensembles, key=paper_rank)}
            rows = curves.generation_rows(ordered, content.nm_per_px)
            save_figure(curves.generation(ordered, content.nm_per_px, examples), folder, name, rows)


def _save_latents(content: ReportContent, folder: Path) -> None:
    if content.latents is not None and len(content.latents["ids"]) >= LEAST_FOR_MAP:
        rows = latents.latent_rows(content.latents)
        save_figure(latents.latent_map(content.latents), folder, "latents", rows)
    if content.maps is not None:
        rows = latent_maps.map_rows(content.maps)
        save_figure(latent_maps.latent_maps(content.maps), folder, "latent_maps", rows)
        if content.maps.conditions:
            save_figure(condition_maps.condition_maps(content.maps), folder, "condition_maps", rows)


def save_figures(content: ReportContent, folder: Path) -> None:
    """Write every figure that ``content`` has data for into ``folder``."""
    if content.examples:
        _save_examples(content, folder)
    if content.histories:
        save_figure(plots.losses(content.histories), folder, "losses", plots.loss_rows(content.histories))
    panels = plots.score_panels(content.distributions)
    if panels:
        save_figure(plots.scores(panels), folder, "scores", plots.score_rows(content.distributions))
    _save_bands(content, folder)
    _save_generated(content, folder)
    names = file_names(content.sheets)
    for label, sheet in content.sheets.items():
        drawing = pictures.look_alikes(label, sheet, content.nm_per_px)
        save_figure(drawing, folder, f"sheet_{names[label]}", pictures.look_alike_data(label, sheet))
    _save_latents(content, folder)
    if content.thresholds:
        rows = thresholds.threshold_rows(content.thresholds)
        save_figure(thresholds.thresholds(content.thresholds), folder, "figure_s2", rows)
    if content.protocols:
        save_figure(protocols.protocols(content.protocols), folder, "figure_s3", content.protocols)
    if content.study is not None:
        study_figures.draw_study(content.study, folder)
