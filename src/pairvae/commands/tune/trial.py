"""What a trial of `pairvae tune` computes: solo stages shared by content, the pair, scores on held-out pairs."""

from __future__ import annotations

import copy
import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pairvae import store
from pairvae.commands.shared_stages import (
    PREPARED,
    SharingProject,
    solo_stages,
    train_once,
    with_own_backbone,
)
from pairvae.data.split import hold_out
from pairvae.evaluation.scores.evaluate import Reference, model_errors, summarise
from pairvae.evaluation.scores.reconstruct import reconstruct
from pairvae.inference.card import load_vaes
from pairvae.modalities import MODALITIES
from pairvae.models.conditions import shifts_of
from pairvae.models.vae import VAE
from pairvae.settings import with_values
from pairvae.settings.search_space import TIME
from pairvae.stages.assess import evaluated
from pairvae.stages.project import Project
from pairvae.stages.train_pair import train_pair
from pairvae.store.locks import locked
from pairvae.store.model_folder import CARD, load_card
from pairvae.store.prepared import UNPAIRED, Prepared, create_array, write_card
from pairvae.training.plans import Plan

Scores = dict[str, float]
Score = Callable[[Mapping[str, VAE], Mapping[str, Any]], Scores]  # of VAEs, and the card of a finished pair
Report = Callable[[int, Mapping[str, float], Scores | None], None]


def tuning_data(project: Project) -> Path:
    """The folder ``.pairvae/tune/data-<digest>``: training pairs, a share of them held out, and unpaired samples.

    The report's validation pairs are not in it, so that no trial can see them. ``InputError`` for fewer than two
    training pairs.
    """
    prepared = project.prepared()
    rows, settings = project.split(prepared).train, project.settings
    held = hold_out(prepared.pairs, rows, settings.tune.held_out, settings.split.seed).validation
    pairs = [
        dataclasses.replace(prepared.pairs[row], split="validation" if row in held else "train")
        for row in rows
    ]
    known = [dataclasses.asdict(pair) for pair in pairs]
    lone = prepared.card.get("unpaired", {})
    name = store.digest({"data": prepared.digest, "pairs": known, **({"unpaired": lone} if lone else {})})
    shared = project.root / ".pairvae" / "tune" / f"data-{name}"
    with locked(shared / "data.lock"):
        if not (shared / PREPARED / CARD).is_file():
            with store.atomic_folder(shared / PREPARED) as folder:
                _write_rows(prepared, rows, known, name, folder)
                for modality in lone:
                    samples = f"{UNPAIRED}{modality}"
                    shutil.copytree(prepared.folder / samples, folder / samples)
    return shared


def _write_rows(
    prepared: Prepared, rows: tuple[int, ...], known: list[dict[str, Any]], digest: str, folder: Path
) -> None:
    files: list[str] = []
    for name in prepared.card["shapes"]:
        if MODALITIES[name].cropped:
            images = prepared.images(name)
            flat = create_array(folder, f"{name}.npy", (sum(images[row].size for row in rows),), "uint8")
            start = 0
            for row in rows:
                flat[start : start + images[row].size] = images[row].ravel()
                start += images[row].size
            np.save(folder / f"{name}-crops.npy", prepared.crops(name)[list(rows)])
            files += [f"{name}.npy", f"{name}-crops.npy"]
        else:
            np.save(folder / f"{name}.npy", prepared.whole(name)[list(rows)])
            files.append(f"{name}.npy")
    per_pair = {
        key: {name: [values[row] for row in rows] for name, values in prepared.card[key].items()}
        for key in ("shapes", "done")
    }
    card = {**prepared.card, **per_pair, "pairs": known, "digest": digest}
    kept = {key: value for key, value in card.items() if key not in ("format", "sha256")}
    write_card(folder, kept, files)


def trial_project(project: Project, shared: Path, folder: Path, changes: Mapping[str, Any]) -> SharingProject:
    """The project of a trial with ``changes`` (dotted keys) of the settings; ``folder`` is its own."""
    settings = with_own_backbone(with_values(project.settings, changes, "tune.space"), project.folder)
    return SharingProject(folder, folder, settings, track=False, shared=shared)


def scorer(project: Project) -> Score:
    """What gives the median scores, ``<from>_<to>.<score>``, of VAEs on the held-out pairs of a trial's data.

    The card of a finished pair says what the conditions of these pairs do to the posteriors of patterns.
    """
    prepared = project.prepared()
    what = evaluated(project, prepared)
    rows = list(what.validation)
    told = [prepared.pairs[row].conditions for row in rows]
    held = dataclasses.replace(
        what,
        patterns=what.patterns[rows],
        crops=what.crops[rows],
        train=(),
        validation=range(len(rows)),
        morphologies=[what.morphologies[row] for row in rows],
    )
    truth = Reference(held)

    def score(vaes: Mapping[str, VAE], card: Mapping[str, Any]) -> Scores:
        still = {name: copy.deepcopy(vae).cpu().eval() for name, vae in vaes.items()}
        moved = dataclasses.replace(held, shift=shifts_of(card, told, held.names[0]))
        errors = model_errors(truth, reconstruct(still, moved).images)
        found = summarise(errors, held.validation)
        return {
            f"{direction}.{name}": float(value["median"])
            for direction, scores in found.items()
            for name, value in scores.items()
        }

    return score


def run_trial(trial: SharingProject, score: Score, report: Report) -> Scores:
    """Train what is not there yet and the pair; returns its scores on the held-out pairs and its ``seconds``.

    ``report`` is told the epochs done, the losses and, ``tune.reports`` times, scores; it may end the trial with an
    exception. A trial that was killed goes on from its checkpoint; the folder of a finished one is removed.
    """
    stages = solo_stages(trial.settings)
    from_solo = trial.settings.pair.training.from_solo
    for stage in ("pretrain", *(stages if from_solo else ())):
        train_once(trial, stage)
    logged = trial.settings.pair.training.logged_epochs
    every = max(1, len(logged) // trial.settings.tune.reports)
    scored = set(logged[every - 1 : -1 : every])

    def watch(epoch: int, row: dict[str, float], plan: Plan) -> None:
        report(epoch, row, score(plan.vaes, {}) if epoch in scored else None)

    train_pair(trial, watch)
    vaes, card = load_vaes(trial.model("train-pair"))
    solo = [load_card(trial.model(stage))["seconds"] for stage in stages] if from_solo else []
    scores = score(vaes, card) | {TIME: float(card["seconds"]) + sum(float(seconds) for seconds in solo)}
    shutil.rmtree(trial.folder, ignore_errors=True)
    return scores
