"""The page's drawings: small plots of their own, and the saved figures, all at their natural size."""

from __future__ import annotations

from pathlib import Path

from pairvae.reports import plots
from pairvae.reports.captions import SCORES, readable
from pairvae.reports.encode import Picture, plot_picture, saved_image, saved_plot
from pairvae.reports.report_data import ReportData

SCORE_PLOTS = 3  # box plots on the page; the figure shows all
# Section of the page -> the saved figures it shows, with words for each. Those that hold images keep their colours
# on a dark page, plots do not.
IMAGES = {
    "overview": {"figure_1": "pattern, crop and annotated crop of each morphology"},
    "scale_plots": {
        "figure_s7": "generated images and their S(r) at another variance scale",
        "figure_s8": "generated images and their S(r) at a third variance scale",
    },
    "map_plots": {
        "latent_maps": "t-SNE maps of the latents of both models alone and of the pair, with thumbnails",
        "condition_maps": "the map of the pair, coloured by the conditions of the samples; R² is the share of "
        "its variance that a regression on other samples' latents predicts",
    },
    "threshold_plots": {"figure_s2": "one micrograph binarised in several ways"},
}
PLOTS = {
    "band_plots": {
        "figure_5": "mean and standard deviation of S(r) over all and over validation pairs",
        "figure_s6": "mean and standard deviation of lineal paths over all and over validation pairs",
    },
    "study_plots": {
        "figure_6a": "pixel errors over training sizes",
        "figure_6b": "S(r) errors over training sizes",
    },
    "latent_plots": {"latents": "SAXS and SEM latents on their common principal plane, lines join pairs"},
    "protocol_plots": {"figure_s3": "losses of the training protocols"},
}
SECTIONS = (*IMAGES, *PLOTS, "score_plots", "loss_plots")


def drawings(report: ReportData, figures: Path) -> dict[str, list[Picture]]:
    """By section of the page; empty where ``figures`` lacks a section's files."""
    saved = {section: _saved(names, figures, ".png") for section, names in IMAGES.items()}
    saved |= {section: _saved(names, figures, ".svg") for section, names in PLOTS.items()}
    saved["score_plots"] = _scores(report)
    saved["loss_plots"] = [
        plot_picture(plots.losses({stage: rows}), "", f"losses of {readable(stage)} against the epoch")
        for stage, rows in report.histories.items()
    ]
    return saved


def _saved(names: dict[str, str], figures: Path, ending: str) -> list[Picture]:
    read = saved_image if ending == ".png" else saved_plot
    paths = {name: figures / f"{name}{ending}" for name in names}
    return [read(paths[name], words) for name, words in names.items() if paths[name].is_file()]


def _scores(report: ReportData) -> list[Picture]:
    panels = list(plots.score_panels(report.distributions).items())[:SCORE_PLOTS]
    names = [SCORES[score].label if score in SCORES else score for (_, score), _ in panels]
    return [
        plot_picture(plots.scores({key: splits}), "", f"box plots of {name}")
        for (key, splits), name in zip(panels, names, strict=True)
    ]
