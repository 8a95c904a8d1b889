"""The stage `train pair`: both VAEs trained together, and the model folder of the pair."""

from __future__ import annotations

import dataclasses
import shutil

from pairvae import store
from pairvae.calibration.calibrate import calibrate
from pairvae.calibration.correction import Correction
from pairvae.calibration.several import calibrate_several
from pairvae.inference.backbone import give_backbone
from pairvae.inference.calibration_inputs import calibration_data, several_data
from pairvae.inference.card import load_vaes, without_prefix
from pairvae.inference.corrections import log_corrections, write_conditions, write_corrections, write_joints
from pairvae.inference.predictor import Predictor
from pairvae.inference.summary_file import write_training_summary
from pairvae.models.discriminator import split_discriminator
from pairvae.models.joint import JointPosterior
from pairvae.models.pair import PairVAE
from pairvae.models.weights import load_weights
from pairvae.stages.project import SOLO_STAGES, Project, split_warnings, tell
from pairvae.stages.start import begin_from, continue_discriminator
from pairvae.stages.tracked_training import Run, Watch, early_stopping, run_training
from pairvae.stages.train_solo import train_solo
from pairvae.stages.training_inputs import (
    adversarial_losses,
    card_description,
    fit_closed_form,
    inputs_of,
    partners_in,
    training_rows,
    untrained_with_discriminator,
    without_crops,
)
from pairvae.store.model_folder import load_model
from pairvae.store.prepared import Prepared
from pairvae.tracking.runs.tracker import Tracker
from pairvae.training.devices import Device, choose
from pairvae.training.distributed.process_group import join
from pairvae.training.plans import PairPlan


def train_pair(project: Project, watch: Watch | None = None) -> None:
    """Train both VAEs as a pair (paper, Figure 2B), from the solo-trained weights where the settings say so.

    A modality without a stage of its own is trained alone first, and its model kept inside that of the pair.
    ``watch`` is called after each round with the epochs done, its losses and the plan; it may end the training
    with an exception.
    """
    settings, training = project.settings, project.settings.pair.training
    without_stage = [name for name in settings.modalities if name not in SOLO_STAGES]
    for name in without_stage:
        train_solo(project, name)
    prepared, device = project.prepared(), choose(settings.device)
    rows = training_rows(project, prepared, training.early_stop)
    built = {name: untrained_with_discriminator(settings, name) for name in settings.modalities}
    pair = PairVAE({name: vae for name, (vae, _) in built.items()})
    adversarial = adversarial_losses(settings, {name: built[name][1] for name in built})
    vaes = {name: pair.vae(name) for name in settings.modalities}
    plan = _plan(project, pair, prepared, device, rows.train, "pair")
    plan = dataclasses.replace(plan, adversarial=adversarial)
    solo = _begin(project, plan, prepared)
    backbone = give_backbone(vaes.values(), project.model("pretrain"), bfloat16=device.bfloat16)
    plan.module.to(device.torch_device)
    judge = None
    if rows.validation:
        judge = _plan(project, pair, prepared, device, rows.validation, "held-out")
    further = {"pair": settings.pair, "backbone": backbone, "solo": solo}
    run = Run(project, "train-pair", prepared, device, settings.modalities, further)
    corrections: list[Correction] = []
    joints: list[JointPosterior] = []

    def finish(tracker: Tracker) -> None:
        chosen, train = settings.pair.calibration, project.split(prepared).train
        if settings.several is not None:
            several = several_data(prepared, settings.modalities, train, settings.pair)
            steps, fitted = calibrate_several(pair, several, chosen, chosen.seed)
            joints.extend(fitted)
        else:
            data = calibration_data(prepared, settings.modalities, train, settings.pair)
            steps = calibrate(pair, data, chosen, chosen.seed)
        corrections.extend(steps)
        log_corrections(tracker, corrections)

    if join(device.torch_device).is_rank_0:
        tell(split_warnings(project, prepared))
    run_training(run, plan, early_stopping(judge, training.early_stop), watch, finish)
    first = join(device.torch_device).is_rank_0
    _keep_inside(project, without_stage, first)
    if first:
        folder = project.model("train-pair")
        write_corrections(folder, corrections)
        write_conditions(folder, pair.condition_shift)
        write_joints(folder, joints)
        write_training_summary(folder, prepared, project.split(prepared).train, Predictor(*load_vaes(folder)))


def _plan(
    project: Project,
    pair: PairVAE,
    prepared: Prepared,
    device: Device,
    rows: tuple[int, ...],
    training: str,
) -> PairPlan:
    settings, place = project.settings, device.torch_device
    inputs = {
        name: inputs_of(project, prepared, name, pair.vae(name).encoder, rows, training, place)
        for name in settings.modalities
    }
    return PairPlan(
        pair,
        {name: samples for name, (samples, _) in inputs.items()},
        {name: fit for name, (_, fit) in inputs.items()},
        settings.pair.training,
        settings.seed + 1,
        place,
        without_crops(settings.modalities),
        partners_in(prepared, {name: samples for name, (samples, _) in inputs.items()}, rows),
    )


def _begin(project: Project, plan: PairPlan, prepared: Prepared) -> dict[str, str]:
    """Give the pair its first weights: of another model, of the solo trainings, or fitted ones.

    Returns what names them, by modality.
    """
    settings, training = project.settings, project.settings.pair.training
    digests: dict[str, str] = {}
    for name, vae in plan.vaes.items():
        described, key = card_description(settings, name, prepared), "pair.training.start_from"
        adversarial = plan.adversarial.get(name)
        discriminator = None if adversarial is None else adversarial.discriminator
        started = begin_from(project.folder, vae, name, training.start_from, described, key, discriminator)
        if started is not None:
            digests[name] = started
        elif training.from_solo:
            folder = project.model(f"train-{name}")
            stored = load_model(folder)
            weights, _ = split_discriminator(without_prefix(stored.weights, name))
            load_weights(vae, weights, str(folder))
            continue_discriminator(discriminator, folder, name)
            digests[name] = stored.card["weights_sha256"]
        else:
            fit_closed_form(vae, plan.sources[name], settings.seed)
    return digests


def _keep_inside(project: Project, names: list[str], first: bool) -> None:
    """Copies of solo models that have no stage of their own, in the folder of the pair."""
    for name in names if first else []:
        with store.atomic_folder(project.solo(name)) as folder:
            shutil.copytree(project.model(f"train-{name}"), folder, dirs_exist_ok=True)
