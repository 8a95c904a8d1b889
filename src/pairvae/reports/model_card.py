"""The model card in Markdown: model, training data, scores, intended use and limits."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pairvae.errors import printable
from pairvae.reports.answer import headline
from pairvae.reports.comparisons import warnings
from pairvae.reports.report_data import ReportData
from pairvae.reports.tables import ScoreTable, score_tables
from pairvae.store import write_text

LICENCE = "BSD-3-Clause (the code and the weights that it trains; the data keep their own licence)"
SHOWN_TABLES = 3
MARKS = re.compile(r"([\\`*\[\]|~])")
LONGEST_DESCRIPTION = 5000  # characters in a registry's database
FILE = "model-card.md"
SOURCES = {
    "simulated": "the built-in simulation of block copolymer films on a chemical grating",
    "mdf": "72 pairs of Doerk et al. (Sci. Adv. 2023, eadd3687; Materials Data Facility, CC BY 4.0)",
}
USES = (
    "Predicting the statistics of a morphology (S(r), lineal paths, spacing, phase fraction) from a SAXS pattern of a"
    " sample of the same kind as the training pairs, with images that show what such a morphology looks like.",
    "Predicting the SAXS pattern that belongs to an SEM image of such a sample.",
    "Drawing ensembles of images around one pattern.",
)
LIMITS = (
    "A predicted SEM image is one of many that fit the pattern: a pattern holds no positions, so no single domain or"
    " defect in it is real.",
    "The model covers the morphologies, spacings, pixel sizes and the detector of its training pairs. Inputs of another"
    " instrument or preparation need training pairs of their own.",
    "Scores are medians over the validation pairs. With few of them they are uncertain: see n.",
    "A prediction is not a measurement. Confirm what matters with the technique that it replaces.",
)


def write_model_card(report: ReportData, path: Path) -> None:
    """Write the card of ``report`` to ``path``, atomically."""
    write_text(path, model_card(report))


def model_card(report: ReportData) -> str:
    """The card as Markdown; sections without content are left out."""
    parts = [
        _head(report),
        _section("Answer", "\n".join(plain(sentence) for sentence in headline(report.metrics).sentences)),
        _section(
            "Warnings",
            _bullets(
                f"**{plain(finding.name)}**: {plain(finding.text)}" for finding in warnings(report.metrics)
            ),
        ),
        _section("Model", _model(report)),
        _section("Training data", _data(report)),
        _section("Training", _training(report)),
        _section("Scores", _scores(report.metrics)),
        _section("Intended use", _bullets(USES)),
        _section("Limits", _bullets(LIMITS)),
        _section("Licence", LICENCE),
        _section("Lineage", _lines_of(report.facts)),
    ]
    return "\n".join(part for part in parts if part)


def description_of(card: str) -> str:
    """The beginning of a card, to its training data: what a registry shows beside a version.

    It begins with the answer, not with titles: lists of versions show the first line.
    """
    answer = card.partition("## Answer\n")[2] or card
    return answer.partition("## Training\n")[0].strip()[:LONGEST_DESCRIPTION].strip()


def plain(text: str) -> str:
    """``text`` from outside (labels, names of folders) as Markdown that shows it as it is: no HTML, no links."""
    return MARKS.sub(r"\\\1", html.escape(printable(text), quote=False))


def _head(report: ReportData) -> str:
    preset = report.metrics.get("preset", "")
    return f"# Model card: pairvae{f' ({plain(str(preset))})' if preset else ''}\n"


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}\n" if text else ""


def _bullets(lines: Any) -> str:
    return "\n".join(f"* {line}" for line in lines)


def _lines_of(facts: Mapping[str, str]) -> str:
    return _bullets(f"{plain(name)}: {plain(str(value))}" for name, value in facts.items())


def _model(report: ReportData) -> str:
    return (
        "Two variational autoencoders, one for 2D SAXS patterns and one for "
        f"{'grey' if report.grey else 'binarised'} {report.technique.upper()} images, trained alone and"
        " then as a pair, so that the latent of either measurement is decoded to the other (after Lu and Jayaraman,"
        " JACS Au 2023, 3, 2510). Four directions: each measurement from itself and from the other."
    )


def _data(report: ReportData) -> str:
    source = report.facts.get("data", "")
    lines = [SOURCES.get(source, f"pairs of the folder {source}" if source else "")]
    if "pairs" in report.facts:
        lines.append(f"{report.facts['pairs']}; split seed {report.facts.get('split seed', 'unknown')}")
    if report.nm_per_px:
        lines.append(f"{report.technique.upper()} pixel size {report.nm_per_px:g} nm")
    if report.q_per_px:
        lines.append(f"SAXS pixel size {report.q_per_px:g} 1/nm")
    if report.latents is not None:
        names = sorted({name for name in report.latents["morphology"] if name})
        lines += [f"morphologies: {', '.join(names)}"] if names else []
    return _bullets(plain(line) for line in lines if line)


def _training(report: ReportData) -> str:
    return _bullets(
        f"{plain(stage)}: {rows[-1]['epoch']:.0f} epochs, loss {rows[0]['loss']:.4g} to {rows[-1]['loss']:.4g}"
        for stage, rows in report.histories.items()
        if rows and "loss" in rows[0]
    )


def _scores(metrics: Mapping[str, Any]) -> str:
    tables = [_markdown(table) for table in score_tables(metrics)[:SHOWN_TABLES]]
    note = f"Medians of single scores; S(r) by the {metrics.get('estimator', 'unknown')} estimator.\n"
    return "\n".join([note, *tables]) if tables else ""


def _markdown(table: ScoreTable) -> str:
    columns = " | ".join(plain(column) for column in table.columns)
    lines = [f"**{plain(table.title)}**", "", f"| method | {columns} |"]
    lines.append("| --- |" + " --- |" * len(table.columns))
    for row in table.rows:
        cells = [f"{cell.median} (n = {cell.n})" if cell else "" for cell in row.cells]
        lines.append(f"| {plain(row.label)} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])
