"""The stages `train <modality>` and `train pair`: prepared arrays in, a model folder out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pairvae import store
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.models.build import describe, load_weights, trained
from pairvae.models.pair import PairVAE
from pairvae.models.vae import VAE
from pairvae.predictor import Predictor
from pairvae.settings import EarlyStopSettings, Settings
from pairvae.stages.backbone import give_backbone
from pairvae.stages.calibration import read_mixing, refit, write_mixing
from pairvae.stages.length_scale import follow_lengths
from pairvae.stages.model_card import check_card, refusing
from pairvae.stages.project import SOLO_STAGES, Project
from pairvae.stages.samples import (
    covering,
    fit_closed_form,
    likelihood,
    schedule,
    shape_of,
    side,
    source,
    training_rows,
    untrained,
)
from pairvae.stages.start import begin_from
from pairvae.stages.training_facts import write_training_facts
from pairvae.stages.training_run import Run, Watch, run_training
from pairvae.store.models import load_model, save_model
from pairvae.store.prepared import Prepared
from pairvae.training.devices import Device, choose
from pairvae.training.early import EarlyStop
from pairvae.training.plans import PairPlan, Plan, SoloPlan
from pairvae.training.team import join

__all__ = [
    "likelihood",
    "load_vaes",
    "schedule",
    "shape_of",
    "side",
    "source",
    "train_pair",
    "train_solo",
]


def train_solo(project: Project, name: str) -> None:
    """Train one modality's VAE alone (paper, Figure 2A); only say so where the pair does without it."""
    settings, stage = project.settings, f"train-{name}"
    training = side(settings, name).training  # an unknown one is an InputError
    if name not in settings.modalities:
        _leave_out(project, name)
        return
    prepared, device = project.prepared(), choose(settings.device)
    rows = training_rows(project, prepared, training.early_stop)
    vae = untrained(settings, name)
    backbone = give_backbone([vae], project.model("pretrain"), bfloat16=device.bfloat16)
    plan = _solo_plan(project, name, vae, prepared, device, rows.train, "solo")
    description = {name: _description(settings, name, prepared)}
    key = f"{name}.training.start_from"
    started = begin_from(project.folder, vae, name, training.start_from, description[name], key)
    if started is None:
        fit_closed_form(vae, plan.source, settings.seed)
    vae.to(device.torch_device)
    relevant = {
        "latent": settings.latent,
        "seed": settings.seed,
        "split": settings.split,
        "backbone": backbone,
        name: side(settings, name),
        **({} if started is None else {"start": started}),
    }
    judge = (
        _solo_plan(project, name, vae, prepared, device, rows.validation, "held-out")
        if rows.validation
        else None
    )
    run = Run(project, stage, prepared, device, relevant, description)
    run_training(run, plan, _early_stop(judge, training.early_stop))


def _solo_plan(
    project: Project,
    name: str,
    vae: VAE,
    prepared: Prepared,
    device: Device,
    rows: tuple[int, ...],
    crops: str,
) -> SoloPlan:
    settings, members = project.settings, np.array(rows)
    return SoloPlan(
        name,
        vae,
        source(prepared, members, name, vae, schedule(settings, name, crops)),
        likelihood(settings, name, prepared, members, device.torch_device, _statistics_folder(project)),
        side(settings, name).training,
        settings.seed,
        device.torch_device,
    )


def _early_stop(judge: Plan | None, settings: EarlyStopSettings) -> EarlyStop | None:
    return None if judge is None else EarlyStop(judge, settings.patience)


def _statistics_folder(project: Project) -> Path:
    return project.root / ".pairvae" / "statistics"


def _leave_out(project: Project, name: str) -> None:
    """A model folder without a model, since the pipeline's stages are the same for every pair."""
    stage, pair = f"train-{name}", ", ".join(project.settings.modalities)
    team = join(choose(project.settings.device).torch_device)
    if team.first:
        card = {
            "stage": stage,
            "modalities": {},
            "left_out": f"the pair is {pair}",
            "seconds": 0.0,
            "run_id": None,
        }
        save_model(project.model(stage), {}, card, [])
        print(f"{stage}: nothing to train, the pair is {pair} (modalities in params.yaml)")
    team.wait()


def train_pair(project: Project, watch: Watch | None = None) -> None:
    """Train both VAEs as a pair (paper, Figure 2B), from the solo-trained weights where the settings say so.

    A modality without a stage of its own is trained alone first, and its model kept inside that of the pair.
    ``watch`` is called after each epoch with its number from 0, its losses and the plan; it may end the training
    with an exception.
    """
    settings, training = project.settings, project.settings.pair.training
    without_stage = [name for name in settings.modalities if name not in SOLO_STAGES]
    for name in without_stage:
        train_solo(project, name)
    prepared, device = project.prepared(), choose(settings.device)
    rows = training_rows(project, prepared, training.early_stop)
    pair = PairVAE({name: untrained(settings, name) for name in settings.modalities})
    vaes = {name: pair.vae(name) for name in settings.modalities}
    plan = _pair_plan(project, pair, prepared, device, rows.train, "pair")
    solo = _begin(project, plan, prepared)
    backbone = give_backbone(vaes.values(), project.model("pretrain"), bfloat16=device.bfloat16)
    pair.to(device.torch_device)
    relevant = {
        "latent": settings.latent,
        "seed": settings.seed,
        "split": settings.split,
        "pair": settings.pair,
        "backbone": backbone,
        **{name: side(settings, name) for name in vaes},
        "solo": solo,
    }
    judge = (
        _pair_plan(project, pair, prepared, device, rows.validation, "held-out") if rows.validation else None
    )
    descriptions = {name: _description(settings, name, prepared) for name in vaes}
    run = Run(project, "train-pair", prepared, device, relevant, descriptions)

    def finish() -> None:
        if training.calibrate:
            follow_lengths(prepared, vaes, project.split(prepared).train, settings.seed)
        refit(prepared, vaes, project.split(prepared).train, training.refit)

    run_training(run, plan, _early_stop(judge, training.early_stop), watch, finish)
    first = join(device.torch_device).first
    _keep_inside(project, without_stage, first)
    if first:
        folder = project.model("train-pair")
        if training.calibrate:
            vaes = load_vaes(folder)[0]
            write_mixing(folder, prepared, vaes, project.split(prepared).train, settings.seed)
        write_training_facts(project, prepared, Predictor(*load_vaes(folder)))


def _pair_plan(
    project: Project,
    pair: PairVAE,
    prepared: Prepared,
    device: Device,
    rows: tuple[int, ...],
    crops: str,
) -> PairPlan:
    settings, members, place = project.settings, np.array(rows), device.torch_device
    names = settings.modalities
    kept = _statistics_folder(project)
    return PairPlan(
        pair,
        {
            name: source(prepared, members, name, pair.vae(name), schedule(settings, name, crops))
            for name in names
        },
        {name: likelihood(settings, name, prepared, members, place, kept) for name in names},
        settings.pair.training,
        settings.seed + 1,
        place,
        covering(names),
    )


def _begin(project: Project, plan: PairPlan, prepared: Prepared) -> dict[str, str]:
    """Give the pair its first weights: of another model, of the solo trainings, or fitted ones.

    Returns what names them, by modality.
    """
    settings, training = project.settings, project.settings.pair.training
    digests: dict[str, str] = {}
    for name, vae in plan.vaes.items():
        described, key = _description(settings, name, prepared), "pair.training.start_from"
        started = begin_from(project.folder, vae, name, training.start_from, described, key)
        if started is not None:
            digests[name] = started
        elif training.from_solo:
            folder = project.model(f"train-{name}")
            stored = load_model(folder)
            load_weights(vae, _without_prefix(stored.weights, name), str(folder))
            digests[name] = stored.card["weights_sha256"]
        else:
            fit_closed_form(vae, plan.sources[name], settings.seed)
    return digests


def _keep_inside(project: Project, names: list[str], first: bool) -> None:
    """Copies of solo models that have no stage of their own, in the folder of the pair."""
    for name in names if first else []:
        with store.atomic_folder(project.solo(name)) as folder:
            shutil.copytree(project.model(f"train-{name}"), folder, dirs_exist_ok=True)


def _description(settings: Settings, name: str, prepared: Prepared) -> dict[str, Any]:
    """Network, shape and preprocessing of a modality; masks and geometries with their content, to predict anywhere."""
    described = describe(side(settings, name).network, settings.latent, shape_of(settings, name))
    prepare = prepared.card.get("with_files", {}).get(name) or prepare_settings(settings, name).model_dump(
        mode="json"
    )
    return described | {"prepare": prepare, "binary": MODALITIES[name].binary}


def _without_prefix(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in weights.items()}


def load_vaes(folder: Path) -> tuple[dict[str, VAE], dict[str, Any]]:
    """The trained VAEs of a model folder by modality, in evaluation mode, and its card."""
    stored = load_model(folder)
    if "left_out" in stored.card:
        raise InputError(
            expected="a trained model", found=f"none: {stored.card['left_out']}", where=str(folder)
        )
    vaes: dict[str, VAE] = {}
    check_card(stored.card, folder)
    with refusing("the card of a trained model", folder):
        mixing = read_mixing(stored.card)
    for name, description in stored.card["modalities"].items():
        own = {key: value for key, value in stored.weights.items() if key.startswith(f"{name}.")}
        vaes[name] = trained(description, _without_prefix(own, name), str(folder))
        vaes[name].mixing = mixing.get(name)
        vaes[name].eval()
    give_backbone(vaes.values(), folder)
    return vaes, stored.card
