"""`pairvae explain`: drawings and a table of which part of a measurement moved the predicted descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pairvae.evaluation.attribution import shares
from pairvae.inference.attribution import WORDS, Attribution, attribute
from pairvae.inference.known_acquisition import known_of
from pairvae.inference.loader import load
from pairvae.inference.prediction_inputs import Input, inputs_of
from pairvae.modalities import main_pair
from pairvae.reports.explanations import Panel, explanation_figure, explanation_png
from pairvae.store.files import atomic_path
from pairvae.store.rows import write_table

COLUMNS = (
    "input",
    "descriptor",
    "value",
    "part",
    "q_low",
    "q_high",
    "azimuth_deg",
    "change",
    "share",
    "random",
)


def explain(
    files: Sequence[str],
    *,
    to: str | None,
    out: Path,
    model: str,
    seed: int,
    check: bool,
    source: str | None = None,
) -> list[str]:
    """Explain each raw file: ``<name>-explained.png`` and ``explanations.csv`` in ``out``; returns lines to print.

    ``to``: the modality that is predicted, by default the images of the main pair. Without ``source``, the folders and
    endings of the files tell theirs.
    """
    predictor = load(model)
    to = to or main_pair(predictor.modalities)[1]
    predictor.shape(to)  # an unknown one is an InputError
    inputs = inputs_of(files, predictor.modalities, to, source)
    out.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    rows: list[dict[str, str | int | float]] = []
    for one in inputs:
        known = known_of(predictor, one.given, one.source)
        array = predictor.prepare(one.given, one.source, known)
        found = attribute(predictor, array, one.source, seed, check, known, to)
        drawing = drawing_of(found)
        with atomic_path(out / f"{one.name}-explained.png") as temporary:
            temporary.write_bytes(explanation_png(drawing))
        rows += _rows(one, found)
        shown = one.shown if len(predictor.modalities) == 2 else f"{one.shown}, {one.source} to {to}"
        lines += [f"{shown}: {line}" for line in found.sentences()]
    write_table(out / "explanations.csv", rows, COLUMNS)
    return lines


def drawing_of(found: Attribution) -> Figure:
    """The explanation over its measurement, a panel a descriptor."""
    shown = [
        Panel(WORDS[name], sentence.partition(": ")[2], found.parts.painted(changes))
        for (name, changes), sentence in zip(found.changes.items(), found.sentences(), strict=True)
    ]
    return explanation_figure(found.given, found.polar, shown, found.q_per_px)


def _rows(one: Input, found: Attribution) -> list[dict[str, str | int | float]]:
    scale = found.q_per_px or 1.0
    rows: list[dict[str, str | int | float]] = []
    for name, changes in found.changes.items():
        for part, (change, share) in enumerate(zip(changes, shares(changes), strict=True)):
            low, high = found.parts.radii[part] * scale
            polar = bool(np.isfinite(low))
            rows.append({
                "input": one.shown, "descriptor": name, "value": _short(found.values[name]), "part": part,
                "q_low": _short(low) if polar else "", "q_high": _short(high) if polar else "",
                "azimuth_deg": _short(found.parts.azimuths[part]) if polar else "",
                "change": _short(change), "share": _short(share), "random": _short(found.random.get(name, np.nan)),
            })  # fmt: skip
    return rows


def _short(value: float) -> float | str:
    return float(f"{value:.4g}") if np.isfinite(value) else ""
