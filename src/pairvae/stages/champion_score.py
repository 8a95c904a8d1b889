"""Whether a new version becomes the champion; a champion of other data is scored anew on today's validation pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pairvae import store
from pairvae.errors import InputError
from pairvae.evaluation.scores.evaluate import Reference, model_errors, require_finite, summarise
from pairvae.evaluation.scores.reconstruct import EvaluationSet, reconstruct
from pairvae.inference.loader import load
from pairvae.inference.predictor import Predictor
from pairvae.reports.validation_scores import validation_score
from pairvae.stages.assess import evaluated
from pairvae.stages.project import Project
from pairvae.store import project_root as roots
from pairvae.store.prepared import Prepared

if TYPE_CHECKING:
    from pairvae.tracking.registry.aliases import Version

FRAME = ("rows", "columns")  # which part of a micrograph is used: not how it is prepared


@dataclass(frozen=True)
class Anew:
    """A champion's score on today's validation pairs and what limits it; None, and why, where it has none."""

    score: float | None
    remark: str = ""


def promote(
    project: Project, card: Mapping[str, Any], metrics: Mapping[str, Any], versions: Mapping[str, int]
) -> None:
    """Move the aliases to new versions; write and print how they stand.

    Parameters
    ----------
    project : Project
        Names the registered pair; gets ``models/registered.json``.
    card : mapping
        Of the new model.
    metrics : mapping
        ``reports/metrics.json`` of the new model.
    versions : mapping of str to int
        Registered name to number, of the pair and of each program.
    """
    from pairvae.tracking.registry import aliases

    name, root, score = project.settings.tracking.models, project.root, validation_score(metrics)
    data = validation_data(metrics, card)
    champion = aliases.version_for_alias(root, name, aliases.CHAMPION)
    anew, beaten = None, None
    if champion is not None and champion.number == versions[name]:
        champion = None
    if champion is not None and not aliases.comparable(data, champion):
        anew = score_anew(project, champion, card, metrics)
        beaten = champion if anew.score is not None and score < anew.score else None
    better = aliases.promote_if_better(
        root, list(versions), versions, score, validation_data=data, beaten=beaten
    )
    holds = aliases.version_for_alias(root, name, aliases.CHAMPION)
    is_champion = holds is not None and holds.number == versions[name]
    store.write_json(
        project.folder / "models" / "registered.json",
        {
            "versions": dict(versions),
            "validation_score": score,
            "champion": is_champion,
            "undecided": not is_champion and anew is not None and anew.score is None,
            "tracking": roots.shown(roots.tracking_uri(root)),
        },
    )
    standing = "champion" if is_champion else "candidate"
    print(f"registered {', '.join(versions)} as {standing}; validation score {score:.4g}")
    for line in _reasons(champion, anew, versions[name], better=better):
        print(line)


def _reasons(champion: Version | None, anew: Anew | None, number: int, *, better: bool) -> Iterator[str]:
    """Why the champion changed or stayed, and how to decide where the scores cannot."""
    if champion is None:
        return
    who = f"version {champion.number}"
    if anew is None:
        if not better:
            yield f"{who} stays champion: its score, {champion.score:.4g}, is as good or better"
        return
    yield f"{who}, champion until now, was scored on other data, another split or in another way"
    if anew.score is not None:
        yield f"scored anew on today's validation pairs it has {anew.score:.4g}{anew.remark}"
    if better:
        return
    if anew.score is None:
        yield f"it could not be scored anew on today's validation pairs: {anew.remark}"
    yield f"it stays champion; to replace it: pairvae register --promote {number} --force --why TEXT"


def score_anew(
    project: Project, champion: Version, card: Mapping[str, Any], metrics: Mapping[str, Any]
) -> Anew:
    """The validation score that the registered ``champion`` has on the pairs that ``metrics`` are of.

    ``card`` is that of the model that ``metrics`` score. Only a champion of the same modalities, prepared in the same
    way, can be scored. One that was trained on some of these pairs has a better score than it deserves: where it
    loses all the same, it is worse.
    """
    try:
        predictor = load(f"models:/{champion.name}/{champion.number}", project.root)
        difference = _difference(predictor, card)
        if difference is not None:
            return Anew(None, difference)
        prepared = project.prepared_pairs()
        if prepared.digest != card["data_digest"]:
            return Anew(None, f"{project.prepared_folder} holds other data than the scores are of")
        score = _score(project, prepared, predictor, metrics)
    except InputError as error:
        return Anew(None, str(error))
    known = set(predictor.card.get("train_ids", ()))
    ids = {prepared.pairs[index].id for index in project.split(prepared).validation}
    seen = len(known & ids)
    return Anew(
        score, f" (its training pairs hold {seen} of these by name, which flatters it)" if seen else ""
    )


def _difference(predictor: Predictor, card: Mapping[str, Any]) -> str | None:
    """What keeps a model from being applied to arrays prepared for the model of ``card``."""
    today = Predictor(dict.fromkeys(card["modalities"]), card)  # type: ignore[arg-type]  # no networks: its card alone
    if set(predictor.modalities) != set(today.modalities):
        return f"it pairs {', '.join(predictor.modalities)}"
    for name in today.modalities:
        if predictor.shape(name) != today.shape(name):
            return f"its {name} arrays have the shape {predictor.shape(name)}, today's {today.shape(name)}"
        own, other = (one.prepared_with(name).model_dump() for one in (predictor, today))
        changed = sorted(key for key in own if key not in FRAME and own[key] != other[key])
        if changed:
            return f"its {name} data were prepared with another {changed[0]}"
    return None


def _score(project: Project, prepared: Prepared, predictor: Predictor, metrics: Mapping[str, Any]) -> float:
    what = _validation_alone(evaluated(project, prepared, predictor.card))
    vaes = {name: predictor.vaes[name] for name in what.names}
    errors = model_errors(Reference(what), reconstruct(vaes, what).images)
    ids = [prepared.pairs[index].id for index in project.split(prepared).validation]
    require_finite(errors, ids)
    baselines = metrics["splits"]["validation"]["baselines"]
    pair = summarise(errors, range(len(ids)))
    return validation_score({"splits": {"validation": {"pair": pair, "baselines": baselines}}})


def _validation_alone(what: EvaluationSet) -> EvaluationSet:
    rows = np.asarray(what.validation)
    return replace(
        what,
        patterns=what.patterns[rows],
        crops=what.crops[rows],
        shift=None if what.shift is None else what.shift[torch.from_numpy(rows)],
        train=(),
        validation=range(len(rows)),
        morphologies=[what.morphologies[row] for row in rows],
    )


def validation_data(metrics: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    """A name of the pairs and the scoring that the score comes from: others cannot be compared with it."""
    return store.digest([card["data_digest"], split_digest(card), metrics["estimator"]])


def split_digest(card: Mapping[str, Any]) -> str:
    """A name of the training pairs; all others validate."""
    return store.digest(sorted(card["train_ids"]))
