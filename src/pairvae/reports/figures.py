"""All figures of a run as files: 300 dpi PNG, SVG, and the drawn data beside each."""

from __future__ import annotations

import re
from pathlib import Path

from pairvae.reports import curves, latents, pictures, plots
from pairvae.reports.content import Example, ReportContent
from pairvae.reports.style import save_figure
from pairvae.reports.words import paper_rank

LEAST_FOR_MAP = 3  # pairs; fewer span no plane


def ordered_examples(content: ReportContent) -> list[Example]:
    """The examples in the order of the paper's figures."""
    return sorted(content.examples, key=lambda example: paper_rank(example.title))


def file_name(text: str) -> str:
    """``text`` as a file name: letters, digits, underscores."""
    return re.sub(r"\W+", "_", text).strip("_").lower() or "unnamed"


def _save_examples(content: ReportContent, folder: Path) -> None:
    examples = ordered_examples(content)
    for plan in ("pair", "solo"):
        if any(key.startswith(f"{plan}/") for example in examples for key in example.images):
            drawing = pictures.reconstructions(examples, plan)
            save_figure(
                drawing, folder, f"reconstructions_{plan}", pictures.reconstruction_data(examples, plan)
            )
    if any(lines for example in examples for lines in example.curves.values()):
        rows = curves.curve_rows(examples, content.nm_per_px)
        save_figure(curves.curves(examples, content.nm_per_px), folder, "curves", rows)


def save_figures(content: ReportContent, folder: Path) -> None:
    """Write every figure that ``content`` has data for into ``folder``."""
    if content.examples:
        _save_examples(content, folder)
    if content.histories:
        save_figure(plots.losses(content.histories), folder, "losses", plots.loss_rows(content.histories))
    found = plots.score_panels(content.distributions)
    if found:
        save_figure(plots.scores(found), folder, "scores", plots.score_rows(content.distributions))
    if content.generated:
        ordered = {name: content.generated[name] for name in sorted(content.generated, key=paper_rank)}
        rows = curves.generation_rows(ordered, content.nm_per_px)
        save_figure(curves.generation(ordered, content.nm_per_px), folder, "generation", rows)
    for name, sheet in content.sheets.items():
        drawing = pictures.look_alikes(name, sheet)
        save_figure(drawing, folder, f"sheet_{file_name(name)}", pictures.look_alike_data(name, sheet))
    if content.latents is not None and len(content.latents["ids"]) >= LEAST_FOR_MAP:
        save_figure(
            latents.latent_map(content.latents), folder, "latents", latents.latent_rows(content.latents)
        )
