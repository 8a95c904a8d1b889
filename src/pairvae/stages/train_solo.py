"""The stage `train <modality>`: prepared arrays in, the model folder of one modality's VAE out."""

from __future__ import annotations

import dataclasses

from pairvae.inference.backbone import give_backbone
from pairvae.models.discriminator import PatchDiscriminator
from pairvae.models.vae import VAE
from pairvae.stages.project import Project
from pairvae.stages.start import begin_from, begin_from_prior
from pairvae.stages.tracked_training import Run, early_stopping, run_training
from pairvae.stages.training_inputs import (
    adversarial_losses,
    card_description,
    fit_closed_form,
    inputs_of,
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
    settings = project.settings
    training = settings.modality(name).training  # an unknown one is an InputError
    if name not in settings.modalities:
        _leave_out(project, name)
        return
    prepared, device = project.prepared(), choose(settings.device)
    rows = training_rows(project, prepared, training.early_stop)
    vae, discriminator = untrained_with_discriminator(settings, name)
    backbone = give_backbone([vae], project.model("pretrain"), bfloat16=device.bfloat16)
    plan = _plan(project, name, vae, prepared, device, rows.train, "solo")
    plan = dataclasses.replace(plan, adversarial=adversarial_losses(settings, {name: discriminator}))
    started = _begin(project, plan, prepared, discriminator)
    plan.module.to(device.torch_device)
    judge = None
    if rows.validation:
        judge = _plan(project, name, vae, prepared, device, rows.validation, "held-out")
    run = Run(project, f"train-{name}", prepared, device, (name,), {"backbone": backbone, **started})
    run_training(run, plan, early_stopping(judge, training.early_stop))


def _plan(
    project: Project,
    name: str,
    vae: VAE,
    prepared: Prepared,
    device: Device,
    rows: tuple[int, ...],
    training: str,
) -> SoloPlan:
    settings, place = project.settings, device.torch_device
    samples, fit = inputs_of(project, prepared, name, vae.encoder, rows, training, place)
    return SoloPlan(name, vae, samples, fit, settings.modality(name).training, settings.seed, place)


def _begin(
    project: Project, plan: SoloPlan, prepared: Prepared, discriminator: PatchDiscriminator | None
) -> dict[str, str]:
    """Give the VAE its first weights: of another model, of the prior, or fitted ones; what names the first two."""
    name, vae, settings = plan.name, plan.vae, project.settings
    key, model = f"{name}.training.start_from", settings.modality(name).training.start_from
    if model == PRIOR:
        crops = fit_closed_form(vae, plan.source, settings.seed)
        return {"start": begin_from_prior(vae, name, crops, key, discriminator)}
    described = card_description(settings, name, prepared)
    started = begin_from(project.folder, vae, name, model, described, key, discriminator)
    if started is None:
        fit_closed_form(vae, plan.source, settings.seed)
        return {}
    return {"start": started}


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
