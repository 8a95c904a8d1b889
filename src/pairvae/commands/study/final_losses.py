"""Losses of a cell's pair training: all logged ones on the training pairs, some on the validation pairs."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pairvae.data.batches import noise_generator
from pairvae.stages.project import Project
from pairvae.stages.training_inputs import arrays_of, likelihood, partners_in, schedule, source_of
from pairvae.store.model_folder import HISTORY
from pairvae.training.plans import PairPlan, Plan

FILE = "validation.jsonl"
POINTS = 10  # epochs at which the validation pairs are looked at
NOT_LOSSES = ("epoch", "learning_rate")


def loss_watch(project: Project, folder: Path) -> Callable[[int, dict[str, float], Plan], None]:
    """What to call after each round of the pair: now and then it appends the validation losses to a file.

    A training that goes on after a kill may repeat a round; the later line is the one that counts.
    """
    logged = project.settings.pair.training.logged_epochs
    every = max(1, len(logged) // POINTS)
    judged = {*logged[every - 1 :: every], logged[-1]}
    made: list[PairPlan | None] = []

    def watch(epoch: int, row: dict[str, float], plan: Plan) -> None:
        if epoch not in judged or not isinstance(plan, PairPlan):
            return
        if not made:
            made.append(_on_validation(project, plan))
        if made[0] is None:
            return
        with (folder / FILE).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"epoch": epoch, **losses(made[0])}) + "\n")

    return watch


def _on_validation(project: Project, plan: PairPlan) -> PairPlan | None:
    """The plan with the validation pairs in place of the training pairs, one epoch, all of them and without noise.

    None where there are fewer than two: the similarity compares samples with one another.
    """
    settings, prepared = project.settings, project.prepared()
    members = np.array(project.split(prepared).validation)
    if len(members) < 2:
        return None
    batch = min(settings.pair.training.batch, len(members))
    still = plan.settings.model_copy(update={"log_every": 1, "batch": batch, "input_noise": 0.0})
    rows = {name: np.array(prepared.rows_with([name], members)) for name in plan.vaes}
    sources = {
        name: source_of(
            arrays_of(prepared, rows[name], name), name, vae.encoder, schedule(settings, name, "pair")
        )
        for name, vae in plan.vaes.items()
    }
    return dataclasses.replace(
        plan,
        sources=sources,
        likelihoods={
            name: likelihood(settings, name, prepared, rows[name], plan.device) for name in plan.vaes
        },
        settings=still,
        adversarial={},
        partners=partners_in(prepared, sources, members.tolist()),
    )


@torch.no_grad()
def losses(plan: PairPlan) -> dict[str, float]:
    """Mean over one epoch of each loss term, networks in evaluation mode; crops and noise are always the same."""
    generator = noise_generator(plan.seed, 0, plan.device)
    rows: list[dict[str, float]] = []
    plan.module.eval()
    try:
        for batch in plan.batches(0):
            terms = plan.loss(batch, generator)
            rows.append({name: float(part) for name, part in {"loss": terms.total, **terms.parts}.items()})
    finally:
        plan.module.train()
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def loss_rows(project: Project, folder: Path) -> list[dict[str, Any]]:
    """Tidy rows ``epoch, term, split, value`` of both kinds of pairs, epochs from 1."""
    with (project.model("train-pair") / HISTORY).open(newline="", encoding="utf-8") as stream:
        trained = {int(row["epoch"]): row for row in csv.DictReader(stream)}
    seen: dict[int, dict[str, Any]] = {}
    if (folder / FILE).is_file():
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
        seen = {row["epoch"]: row for row in map(json.loads, lines)}
    return [
        {"epoch": epoch, "term": term, "split": split, "value": float(row[term])}
        for split, table in (("train", trained), ("validation", seen))
        for epoch, row in sorted(table.items())
        for term in row
        if term not in NOT_LOSSES
    ]
