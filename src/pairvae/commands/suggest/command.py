"""The command: a table and a page of suggestions; or ask and tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pairvae.commands.suggest.campaign import STATE, Campaign
from pairvae.commands.suggest.ranking import TERMS, Ranking, Wanted, rank
from pairvae.commands.suggest.survey import Survey, survey
from pairvae.errors import InputError, number_of
from pairvae.evaluation.scores.patterns import properties_of
from pairvae.inference.latent_plane import plane_of
from pairvae.inference.loader import REGISTRY, load
from pairvae.inference.predictor import Predictor
from pairvae.modalities import MODALITIES
from pairvae.numerics.colormaps import levels
from pairvae.numerics.series import evenly_spread
from pairvae.reports.suggestions import Card, Suggestions, write_suggestions
from pairvae.stages.project import Project, open_project
from pairvae.store.rows import write_table

MOST_RINGS = 60  # measured patterns whose rings a reason is compared with
MOST_CARDS = 12
IMAGES = 3


@dataclass(frozen=True)
class Choice:
    """What is chosen from, and how: new ``files`` (none: the project's samples without a partner) of ``source``."""

    files: tuple[str, ...]
    model: str
    source: str | None
    wanted: Wanted
    target: str | None = None


@dataclass(frozen=True)
class SuggestResult:
    """The files that were written, and the lines for the terminal."""

    table: Path
    page: Path
    lines: tuple[str, ...]


def wanted_of(count: int, weights: str, cost: str | None, where: Sequence[str] | None, stop: float) -> Wanted:
    """What the options ask for (``InputError`` for invalid weights)."""
    found: dict[str, float] = {}
    for part in weights.split(","):
        name, _, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            found[name.strip()] = float("nan")
        if name.strip() not in TERMS or not found[name.strip()] >= 0:
            raise InputError(
                expected=f"weights such as error=1,novelty=0.5 of {', '.join(TERMS)}",
                found=repr(part), where="--weights"
            )  # fmt: skip
    if not any(found.values()):
        raise InputError(expected="a weight above 0", found=repr(weights), where="--weights")
    return Wanted(count, found, cost, tuple(where or ()), stop)


def suggest(chosen: Choice, out: Path, state: Path | None = None) -> SuggestResult:
    """Rank the candidates and write ``suggestions.csv`` and ``suggestions.html`` into ``out``.

    What a campaign has asked and been told (``state``) is taken into account where it is on these samples.
    """
    project = open_project(track=False)
    predictor = load(chosen.model, project.root if chosen.model.startswith(REGISTRY) else None)
    known, ranking = ranked(project, predictor, chosen, state)
    table = out / "suggestions.csv"
    out.mkdir(parents=True, exist_ok=True)
    write_table(table, _rows(known, ranking), _columns(known))
    page = write_suggestions(content_of(predictor, known, ranking), out / "suggestions.html")
    lines = [f"{place}. {known.candidates[number]}: {reason}" for place, (number, reason) in
             enumerate(zip(ranking.chosen, ranking.reasons, strict=True), 1)]  # fmt: skip
    if len(predictor.modalities) > 2:
        lines.insert(
            0, f"to measure by {MODALITIES[known.target].title}, of {MODALITIES[known.source].title}:"
        )
    return SuggestResult(table, page, (*lines, *ranking.errors, ranking.advice))


def ranked(
    project: Project, predictor: Predictor, chosen: Choice, state: Path | None = None
) -> tuple[Survey, Ranking]:
    """The survey of a project and the ranking of its candidates, with the rings of the chosen ones in their reasons."""
    known = survey(project, chosen.files, chosen.source, predictor, chosen.target)
    campaign = Campaign(known, state or project.root / STATE, chosen.wanted, predictor)
    ranking = rank(known, chosen.wanted, *campaign.told_and_pending())
    rings = _rings(predictor, known, ranking)
    reasons = tuple(
        f"{reason}{_ring_words(*ring)}" for reason, ring in zip(ranking.reasons, rings, strict=True)
    )
    return known, replace(ranking, reasons=reasons)


def ask_and_tell(
    chosen: Choice, told: Sequence[str], ask: int | None, state: Path | None = None
) -> list[str]:
    """Note measurements ``ID=FILE`` (or ``ID=failed``), then ask for samples: their ids, one a line."""
    project = open_project(track=False)
    predictor = load(chosen.model, project.root if chosen.model.startswith(REGISTRY) else None)
    known = survey(project, chosen.files, chosen.source, predictor, chosen.target)
    campaign = Campaign(known, state or project.root / STATE, chosen.wanted, predictor)
    for entry in told:
        name, given, file = entry.partition("=")
        if not given:
            raise InputError(expected="ID=FILE, or ID=failed", found=repr(entry), where="--tell")
        campaign.tell(name, None if file == "failed" else file)
    return [] if ask is None else campaign.ask(ask)


def _columns(known: Survey) -> list[str]:
    conditions = list(dict.fromkeys(name for condition in known.conditions for name in condition))
    files = ["file"] if known.files else []
    model = [
        *(["spread"] if known.spread is not None else []),
        *(["distance"] if known.distance is not None else []),
    ]
    return ["rank", "id", *files, "utility", "expected_gain", "novelty", *model, *conditions, "reason"]


def _rows(known: Survey, ranking: Ranking) -> list[dict[str, str | int | float]]:
    """The chosen ones by rank, then the others by their utility alone."""
    rows: list[dict[str, str | int | float]] = []
    for place, number in enumerate((*ranking.chosen, *ranking.order)):
        row: dict[str, str | int | float] = {
            "id": known.candidates[number],
            "utility": float(f"{ranking.utility[number]:.5g}"),
            "novelty": float(f"{ranking.novelty[number]:.4g}"),
            **(dict(known.conditions[number]) if known.conditions else {}),
        }
        if known.files:
            row["file"] = known.files[number]
        for name, values in (("spread", known.spread), ("distance", known.distance)):
            if values is not None:
                row[name] = float(f"{values[number]:.4g}")
        if place < len(ranking.chosen):
            row |= {
                "rank": place + 1,
                "expected_gain": float(f"{ranking.gains[place]:.4g}"),
                "reason": ranking.reasons[place],
            }
        rows.append(row)
    return rows


def _rings(predictor: Predictor, known: Survey, ranking: Ranking) -> list[tuple[float, float, float, str]]:
    """Position of each chosen pattern's ring, the measured ones' range, and the unit; nan where there is none."""
    scattering = predictor.facts.scattering if predictor.facts is not None else None
    if scattering is None or known.source != scattering.pattern:
        return [(np.nan, np.nan, np.nan, "")] * len(ranking.chosen)
    q = predictor.facts.q_per_px if predictor.facts is not None else None
    some = [known.measured_arrays[row] for row in evenly_spread(len(known.measured), MOST_RINGS)]
    shown = np.stack([*(known.arrays[number] for number in ranking.chosen), *some])
    rings = properties_of(levels(shown, scattering.colormap), scattering.mask).ring * (q or 1.0)
    own, measured = rings[: len(ranking.chosen)], rings[len(ranking.chosen) :]
    measured = measured[np.isfinite(measured)]
    low, high = (float(measured.min()), float(measured.max())) if len(measured) else (np.nan, np.nan)
    return [(float(one), low, high, "1/nm" if q else "px") for one in own]


def _ring_words(ring: float, low: float, high: float, unit: str) -> str:
    if not np.isfinite(ring):
        return ""
    digits = 3 if unit == "1/nm" else 1
    words = f"; ring at {ring:.{digits}f} {unit}"
    return f"{words}, measured so far {low:.{digits}f} to {high:.{digits}f}" if np.isfinite(low) else words


def content_of(predictor: Predictor, known: Survey, ranking: Ranking) -> Suggestions:
    """What the page shows: the map of the features, and a card for each choice."""
    count = len(known.measured)
    points = (
        plane_of(known.features).points
        if known.features.shape[1] > 1
        else np.pad(known.features, ((0, 0), (0, 1)))
    )
    cards = []
    for place, number in enumerate(ranking.chosen[:MOST_CARDS]):
        array = known.arrays[number]
        posterior = predictor.encode(np.asarray(array), known.source)
        images = predictor.decode(posterior, known.target, IMAGES, 0)[0]
        conditions = dict(known.conditions[number]) if known.conditions else {}
        facts_ = [f"{name} {value}" for name, value in conditions.items()]
        facts_.append(f"expected gain {100 * ranking.gains[place]:.1f} %")
        cards.append(
            Card(
                known.candidates[number],
                ranking.reasons[place],
                tuple(facts_),
                np.asarray(array),
                tuple(images),
            )
        )
    title = MODALITIES[known.target].title
    return Suggestions(
        f"Measure {number_of(len(ranking.chosen), 'sample')} next: {title}",
        points[:count], points[count:], ranking.chosen, known.candidates, tuple(cards), ranking.errors,
        ranking.advice, MODALITIES[known.source].title, title,
    )  # fmt: skip
