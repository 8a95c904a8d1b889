"""The stages `train <modality>` and `train pair`: prepared arrays in, a model folder out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from pairvae import store
from pairvae.data.batches import CropSchedule
from pairvae.data.sources import CroppedImages, WholeArrays
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.models.build import build_vae, describe, from_description, load_weights
from pairvae.models.likelihoods import PIXEL_LIKELIHOODS, Likelihood, TextureMatch
from pairvae.models.pair import PairVAE
from pairvae.models.vae import VAE
from pairvae.numerics import texture
from pairvae.settings import ModalitySettings, SaxsSettings, SemSettings, SemTraining, Settings
from pairvae.stages.backbone import backbone_files, give_backbone
from pairvae.stages.project import SOLO_STAGES, Project
from pairvae.stages.runs import epoch_logger, stage_run
from pairvae.store.models import load_model, save_model
from pairvae.store.prepared import Prepared
from pairvae.training import checkpoints
from pairvae.training.devices import Device, choose
from pairvae.training.loop import Checkpointing, train
from pairvae.training.plans import PairPlan, Plan, SoloPlan

Sampled = WholeArrays | CroppedImages
Watch = Callable[[int, dict[str, float], Plan], None]


def side(settings: Settings, name: str) -> SaxsSettings | SemSettings | ModalitySettings:
    """The settings of one modality."""
    return settings.modality(name)


def shape_of(settings: Settings, name: str) -> tuple[int, int, int]:
    """What the networks of one modality see: (channels, H, W)."""
    return MODALITIES[name].prepared_shape(prepare_settings(settings, name))


def untrained(settings: Settings, name: str) -> VAE:
    """The VAE of one modality with seeded initial weights."""
    names = settings.modalities
    seed = settings.seed * len(names) + names.index(name)
    return build_vae(side(settings, name).network, settings.latent, shape_of(settings, name), seed=seed)


def source(prepared: Prepared, members: np.ndarray, name: str, vae: VAE, schedule: CropSchedule) -> Sampled:
    """Training samples of one modality."""
    if MODALITIES[name].cropped:
        images = prepared.images(name)
        return CroppedImages([images[index] for index in members], vae.encoder, schedule)
    return WholeArrays(prepared.whole(name), members, vae.encoder)


def likelihood(
    settings: Settings, name: str, prepared: Prepared, members: np.ndarray, device: torch.device
) -> Likelihood:
    """The likelihood that the settings name, with what it needs to know of the training samples."""
    training = side(settings, name).training
    if not isinstance(training, SemTraining) or training.likelihood != "texture":
        return PIXEL_LIKELIHOODS[training.likelihood]
    weights = training.texture.model_dump()
    size = weights.pop("crop")
    used = tuple(key for key, weight in weights.items() if weight > 0)
    images = prepared.images(name)
    tables = [image_statistics(images[index], used) for index in members]
    targets = {key: torch.cat([table[key] for table in tables]).to(device) for key in used}
    return TextureMatch(targets, weights, size)


@torch.no_grad()
def image_statistics(image: np.ndarray, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Texture statistics of one whole binary image ``(H, W)``, each ``(1, D)``."""
    return texture.statistics(torch.from_numpy(np.array(image, np.float32))[None, None], names=names)


def schedule(settings: Settings, name: str, training: str) -> CropSchedule:
    """Which crops a training draws."""
    size = shape_of(settings, name)[1]
    if training == "pair":
        pair = settings.pair.training
        return CropSchedule(size, pair.random_epochs, pair.shared_position, settings.seed)
    return CropSchedule(size, side(settings, name).training.epochs, False, settings.seed)


def fit_closed_form(vae: VAE, samples: Sampled, seed: int) -> None:
    """Set the parts that are learned in closed form from training samples (principal components)."""
    examples = samples.examples(seed)
    vae.encoder.fit(examples)
    vae.decoder.fit(examples)


def train_solo(project: Project, name: str) -> None:
    """Train one modality's VAE alone (paper, Figure 2A); only say so where the pair does without it."""
    settings, stage = project.settings, f"train-{name}"
    side(settings, name)  # an unknown one is an InputError
    if name not in settings.modalities:
        _leave_out(project, name)
        return
    prepared, device = project.prepared(), choose(project.settings.device)
    members = np.array(project.split(prepared).train)
    vae = untrained(settings, name)
    backbone = give_backbone([vae], project.model("pretrain"), bfloat16=device.bfloat16)
    samples = source(prepared, members, name, vae, schedule(settings, name, "solo"))
    fit_closed_form(vae, samples, settings.seed)
    vae.to(device.torch_device)
    plan = SoloPlan(
        name,
        vae,
        samples,
        likelihood(settings, name, prepared, members, device.torch_device),
        side(settings, name).training,
        settings.seed,
        device.torch_device,
    )
    relevant = {
        "latent": settings.latent,
        "seed": settings.seed,
        "split": settings.split,
        "backbone": backbone,
        name: side(settings, name),
    }
    description = {name: _description(settings, name)}
    _run(project, stage, plan, device, relevant, prepared, description, {name: samples})


def _leave_out(project: Project, name: str) -> None:
    """A model folder without a model, since the pipeline's stages are the same for every pair."""
    stage, pair = f"train-{name}", ", ".join(project.settings.modalities)
    card = {
        "stage": stage,
        "modalities": {},
        "left_out": f"the pair is {pair}",
        "seconds": 0.0,
        "run_id": None,
    }
    save_model(project.model(stage), {}, card, [])
    print(f"{stage}: nothing to train, the pair is {pair} (modalities in params.yaml)")


def train_pair(project: Project, watch: Watch | None = None) -> None:
    """Train both VAEs as a pair (paper, Figure 2B), from the solo-trained weights where the settings say so.

    A modality without a stage of its own is trained alone first, and its model kept inside that of the pair.
    ``watch`` is called after each epoch with its number from 0, its losses and the plan; it may end the training
    with an exception.
    """
    settings = project.settings
    without_stage = [name for name in settings.modalities if name not in SOLO_STAGES]
    for name in without_stage:
        train_solo(project, name)
    prepared, device = project.prepared(), choose(project.settings.device)
    members = np.array(project.split(prepared).train)
    vaes: dict[str, VAE] = {}
    samples: dict[str, Sampled] = {}
    solo: dict[str, str] = {}
    for name in settings.modalities:
        vaes[name] = untrained(settings, name)
        samples[name] = source(prepared, members, name, vaes[name], schedule(settings, name, "pair"))
        if settings.pair.training.from_solo:
            stored = load_model(project.model(f"train-{name}"))
            load_weights(
                vaes[name], _without_prefix(stored.weights, name), str(project.model(f"train-{name}"))
            )
            solo[name] = stored.card["weights_sha256"]
        else:
            fit_closed_form(vaes[name], samples[name], settings.seed)
    backbone = give_backbone(vaes.values(), project.model("pretrain"), bfloat16=device.bfloat16)
    pair = PairVAE(vaes).to(device.torch_device)
    plan = PairPlan(
        pair,
        samples,
        {name: likelihood(settings, name, prepared, members, device.torch_device) for name in vaes},
        settings.pair.training,
        settings.seed + 1,
        device.torch_device,
    )
    relevant = {
        "latent": settings.latent,
        "seed": settings.seed,
        "split": settings.split,
        "pair": settings.pair,
        "backbone": backbone,
        **{name: side(settings, name) for name in vaes},
    }
    descriptions = {name: _description(settings, name) for name in vaes}
    _run(
        project, "train-pair", plan, device, relevant | {"solo": solo}, prepared, descriptions, samples, watch
    )
    for name in without_stage:
        with store.atomic_folder(project.solo(name)) as folder:
            shutil.copytree(project.model(f"train-{name}"), folder, dirs_exist_ok=True)


def _description(settings: Settings, name: str) -> dict[str, Any]:
    described = describe(side(settings, name).network, settings.latent, shape_of(settings, name))
    prepare = prepare_settings(settings, name).model_dump(mode="json")
    return described | {"prepare": prepare, "binary": MODALITIES[name].binary}


def _without_prefix(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in weights.items()}


def _plain(relevant: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        for key, value in relevant.items()
    }


def _run(
    project: Project,
    stage: str,
    plan: Plan,
    device: Device,
    relevant: Mapping[str, Any],
    prepared: Prepared,
    descriptions: Mapping[str, Any],
    samples: Mapping[str, Sampled],
    watch: Watch | None = None,
) -> None:
    """Train ``plan`` in a tracked run, resumable, and save its model folder."""
    params = _plain(relevant)
    folder = project.checkpoints(stage, {"params": params, "data": prepared.digest})
    started = time.monotonic()
    with stage_run(project, stage, params, prepared, resume=checkpoints.peek_run(folder)) as tracker:
        checkpointing = Checkpointing(folder, project.settings.device.checkpoint_seconds, tracker.run_id)
        log = epoch_logger(tracker, plan, samples)

        def on_epoch(epoch: int, row: dict[str, float]) -> None:
            log(epoch, row)
            if watch is not None:
                watch(epoch, row, plan)

        history = train(plan, device, label=stage, checkpointing=checkpointing, on_epoch=on_epoch)
        seconds = round(time.monotonic() - started, 3)
        card = {
            "stage": stage,
            "modalities": descriptions,
            "params": params,
            "data_digest": prepared.digest,
            "train_ids": [prepared.pairs[index].id for index in project.split(prepared).train],
            "estimator": project.settings.assess.estimator,
            "run_id": tracker.run_id,
            "device": str(device.torch_device),
            "seconds": seconds,
        }
        tracker.log_metrics({"seconds": seconds}, None)
        extra = backbone_files(plan.vaes.values(), project.model("pretrain"))
        save_model(project.model(stage), _weights(plan), card, history, extra)


def _weights(plan: Plan) -> dict[str, Tensor]:
    """Weights under ``<modality>.``, the same for solo and pair."""
    return {
        f"{name}.{key}": value for name, vae in plan.vaes.items() for key, value in vae.state_dict().items()
    }


def load_vaes(folder: Path) -> tuple[dict[str, VAE], dict[str, Any]]:
    """The trained VAEs of a model folder by modality, in evaluation mode, and its card."""
    stored = load_model(folder)
    if "left_out" in stored.card:
        raise InputError(
            expected="a trained model", found=f"none: {stored.card['left_out']}", where=str(folder)
        )
    vaes: dict[str, VAE] = {}
    for name, description in stored.card["modalities"].items():
        vaes[name] = from_description(description)
        own = {key: value for key, value in stored.weights.items() if key.startswith(f"{name}.")}
        load_weights(vaes[name], _without_prefix(own, name), str(folder))
        vaes[name].eval()
    give_backbone(vaes.values(), folder)
    return vaes, stored.card
