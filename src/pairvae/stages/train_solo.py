"""The stage `train <modality>`: prepared arrays in, the model folder of one modality's VAE out."""

from __future__ import annotations

import dataclasses

import numpy as np

from pairvae.inference.backbone import give_backbone
from pairvae.models.vae import VAE
from pairvae.stages.project import Project
from pairvae.stages.start import begin_from, begin_from_prior
from pairvae.stages.tracked_training import Run, early_stopping, run_training
from pairvae.stages.training_inputs import (
    adversarial_losses,
    arrays_of,
    card_description,
    fit_closed_form,
    likelihood,
    lone_samples,
    measured_descriptions,
    schedule,
    side,
    source_of,
    statistics_folder,
    training_rows,
    untrained_with_discriminator,
)
from pairvae.store.model_folder import PRIOR, save_model
from pairvae.store.prepared import Prepared
from pairvae.training.devices import Device, choose
from pairvae.training.distributed.process_group import join
from pairvae.training.plans import SoloPlan


def train_solo(project: Project, name: str) -> None:
    """Train one modality's VAE alone (paper, Figure 2A); only say so where the pair does without it."""
    settings, stage = project.settings, f"train-{name}"
    training = side(settings, name).training  # an unknown one is an InputError
    if name not in settings.modalities:
        _leave_out(project, name)
        return
    prepared, device = project.prepared(), choose(settings.device)
    rows = training_rows(project, prepared, training.early_stop)
    vae, discriminator = untrained_with_discriminator(settings, name)
    backbone = give_backbone([vae], project.model("pretrain"), bfloat16=device.bfloat16)
    plan = _solo_plan(project, name, vae, prepared, device, rows.train, "solo")
    plan = dataclasses.replace(plan, adversarial=adversarial_losses(settings, {name: discriminator}))
    described = {name: card_description(settings, name, prepared)}
    key = f"{name}.training.start_from"
    if training.start_from == PRIOR:
        crops = fit_closed_form(vae, plan.source, settings.seed)
        started: str | None = begin_from_prior(vae, name, crops, key, discriminator)
    else:
        started = begin_from(
            project.folder, vae, name, training.start_from, described[name], key, discriminator
        )
        if started is None:
            fit_closed_form(vae, plan.source, settings.seed)
    plan.module.to(device.torch_device)
    relevant = {
        "latent": settings.latent,
        "seed": settings.seed,
        "split": project.resolved_split(prepared),
        "backbone": backbone,
        name: side(settings, name),
        **({} if started is None else {"start": started}),
    }
    judge = (
        _solo_plan(project, name, vae, prepared, device, rows.validation, "held-out")
        if rows.validation
        else None
    )
    run = Run(project, stage, prepared, device, relevant, measured_descriptions(project, prepared, described))
    run_training(run, plan, early_stopping(judge, training.early_stop))


def _solo_plan(
    project: Project,
    name: str,
    vae: VAE,
    prepared: Prepared,
    device: Device,
    rows: tuple[int, ...],
    crops: str,
) -> SoloPlan:
    settings, place, kept = project.settings, device.torch_device, statistics_folder(project)
    lone = lone_samples(settings, prepared, name) if crops == "solo" else None
    return SoloPlan(
        name,
        vae,
        source_of(arrays_of(prepared, rows, name, lone), name, vae.encoder, schedule(settings, name, crops)),
        likelihood(settings, name, prepared, np.array(rows), place, kept, lone),
        side(settings, name).training,
        settings.seed,
        place,
    )


def _leave_out(project: Project, name: str) -> None:
    """A model folder without a model, since the pipeline's stages are the same for every pair."""
    stage, pair = f"train-{name}", ", ".join(project.settings.modalities)
    process_group = join(choose(project.settings.device).torch_device)
    if process_group.is_rank_0:
        card = {
            "stage": stage,
            "modalities": {},
            "left_out": f"the pair is {pair}",
            "seconds": 0.0,
            "run_id": None,
        }
        save_model(project.model(stage), {}, card, [])
        print(f"{stage}: nothing to train, the pair is {pair} (modalities in params.yaml)")
    process_group.barrier()
