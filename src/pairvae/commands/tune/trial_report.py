"""What comes out of `pairvae tune`, in words and as YAML."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from pairvae.evaluation.scores.definitions import curve_errors, saxs_errors
from pairvae.evaluation.scores.evaluate import CURVES
from pairvae.modalities import MODALITIES
from pairvae.settings import Settings
from pairvae.settings.search_space import TIME


@dataclass(frozen=True)
class Ranked:
    """A finished trial: its scores in the order of the objectives, and its settings by dotted key."""

    number: int
    scores: tuple[float, ...]
    values: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """A study after `pairvae tune`: trials by state, the best ones, and the one of the current params.yaml."""

    study: str
    metrics: tuple[str, ...]
    states: dict[str, int]
    best: tuple[Ranked, ...]
    current: Ranked | None
    reasons: tuple[str, ...] = ()
    interrupted: bool = False

    def lines(self) -> list[str]:
        """The outcome in words."""
        counted = ", ".join(f"{number} {state}" for state, number in self.states.items())
        told = [f"study {self.study}: {counted or 'no trials'}"]
        told += [f"  failed: {reason}" for reason in self.reasons]
        if self.current is not None:
            told.append(f"  now    {self._scores(self.current)}  (trial {self.current.number}, params.yaml)")
        told += [f"  best   {self._scores(ranked)}  (trial {ranked.number})" for ranked in self.best]
        if self.interrupted:
            told.append(f"interrupted; go on with: pairvae tune --resume --study {self.study}")
        elif self.best:
            which = f" --trial {self.best[0].number}" if len(self.best) > 1 else ""
            told.append(f"use it with: pairvae tune apply {self.study}{which} --then-repro")
        return told

    def _scores(self, ranked: Ranked) -> str:
        return "  ".join(
            f"{metric} {score:.5g}" for metric, score in zip(self.metrics, ranked.scores, strict=True)
        )


def about_study(name: str, found: Outcome | None = None) -> str:
    """What the page of a study's run says, as Markdown: what it is and, once there is one, the outcome."""
    told = (
        f"Study `{name}` of `pairvae tune`, one run below it for each trial. Scores are those of training pairs that "
        "were held out; the report's validation pairs are not used."
    )
    if found is None or not found.best:
        return told
    rows = [("params.yaml", found.current)] if found.current else []
    rows += [("best", ranked) for ranked in found.best]
    table = ["| | trial | " + " | ".join(found.metrics) + " |", "| --- " * (2 + len(found.metrics)) + "|"]
    for what, ranked in rows:
        scores = " | ".join(f"{score:.4g}" for score in ranked.scores)
        table.append(f"| {what} | {ranked.number} | {scores} |")
    return "\n\n".join([told, "\n".join(table), f"`{found.lines()[-1]}`"])


def about_trial(study: str, chosen: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    """What the page of a trial's run says, as Markdown: the settings in which it differs from params.yaml."""
    other = {key: value for key, value in chosen.items() if current.get(key) != value}
    if not other:
        return f"Trial of study `{study}` with the settings of params.yaml."
    lines = [f"* `{key}`: {rounded(value)} (now {rounded(current.get(key))})" for key, value in other.items()]
    return "\n".join([f"Trial of study `{study}`. Other than in params.yaml:", "", *lines])


def rounded(value: object) -> str:
    """A number with four digits, anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def known_metrics(settings: Settings) -> list[str]:
    """Every score that an objective may name: those of the pair's four directions, and the training's time."""
    curve, pixel = np.zeros((1, 1)), np.zeros((1, 1, 1, 1), np.float32)
    curves, grey = dict.fromkeys(CURVES, curve), settings.sem.prepare.grey
    if not grey:
        del curves["quantiles"]
    of_images = list(curve_errors(curves, curves, grey=grey))
    of_arrays = list(saxs_errors(pixel, pixel))
    cropped = [name for name in settings.modalities if MODALITIES[name].cropped]
    return [TIME] + [
        f"{source}_{target}.{score}"
        for source in settings.modalities
        for target in settings.modalities
        for score in (of_images if target in cropped else of_arrays)
    ]


def yaml_text(values: Mapping[str, Any]) -> str:
    """Nested values as YAML."""
    stream = io.StringIO()
    YAML().dump(dict(values), stream)
    return stream.getvalue()
