"""One training as a tracked, resumable run that ends in a model folder; the processes of a team share it."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel
from torch import Tensor

import pairvae
from pairvae.inference.backbone import backbone_files
from pairvae.settings import EarlyStopSettings
from pairvae.stages.project import Project
from pairvae.stages.tracked_training import epoch_logger, live_picture, stage_run
from pairvae.store.model_folder import save_model
from pairvae.store.outputs import BY_DVC
from pairvae.store.prepared import Prepared
from pairvae.tracking.runs.tracker import Tracker
from pairvae.training import checkpoints
from pairvae.training.devices import Device
from pairvae.training.early import EarlyStop, best_epoch
from pairvae.training.loop import Checkpointing, train
from pairvae.training.plans import PairPlan, Plan, SoloPlan
from pairvae.training.team import join


class Watch(Protocol):
    """Called after each epoch with its number from 0, its losses and the plan; may end it with an exception."""

    def __call__(self, epoch: int, row: dict[str, float], plan: Plan, /) -> None:
        """See above."""
        ...


@dataclass(frozen=True)
class Run:
    """What is trained, and what its card has to say of it."""

    project: Project
    stage: str
    prepared: Prepared
    device: Device
    relevant: Mapping[str, Any]
    descriptions: Mapping[str, Any]

    @property
    def params(self) -> dict[str, Any]:
        """Everything of the settings that determines the result."""
        return {
            key: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            for key, value in self.relevant.items()
        }

    def card(self, run_id: str | None, seconds: float) -> dict[str, Any]:
        """The card of the model folder. Pairs that were held out had their say, too: they are training pairs."""
        rows = self.project.split(self.prepared).train
        return {
            "pairvae": pairvae.__version__,
            "stage": self.stage,
            "modalities": self.descriptions,
            "params": self.params,
            "data_digest": self.prepared.digest,
            "train_ids": [self.prepared.pairs[index].id for index in rows],
            "estimator": self.project.settings.assess.estimator,
            "run_id": run_id,
            "device": str(self.device.torch_device),
            "seconds": seconds,
        }


def run_training(
    run: Run,
    plan: SoloPlan | PairPlan,
    early_stop: EarlyStop | None = None,
    watch: Watch | None = None,
    finish: Callable[[Tracker], None] = lambda tracker: None,
) -> None:
    """Train ``plan``, resumable; the first process of a team tracks the run and saves the model folder.

    ``finish`` is called in it with the run after the last epoch: what it changes of the weights is saved, but in no
    checkpoint.
    """
    team = join(run.device.torch_device)
    project, params = run.project, run.params
    data, bfloat16 = run.prepared.digest, run.device.bfloat16
    folder = project.checkpoints(run.stage, params, data, bfloat16=bfloat16)
    resume = checkpoints.peek_run(folder)
    tracked = dataclasses.replace(project, track=project.track and team.first)
    started = time.monotonic()
    with stage_run(tracked, run.stage, params, run.prepared, resume=resume) as tracker:
        samples = plan.drawn_from()
        log = epoch_logger(tracker, plan, samples, begun=resume is not None)
        draw = live_picture(project.reports, run.stage, plan, samples)
        seen = team.first and BY_DVC in os.environ

        def on_epoch(epoch: int, row: dict[str, float]) -> None:
            log(epoch, row)
            if seen:
                draw()
            if watch is not None:
                watch(epoch, row, plan)

        history = train(
            plan,
            run.device,
            label=run.stage,
            checkpointing=Checkpointing(folder, project.settings.device.checkpoint_seconds, tracker.run_id),
            on_epoch=on_epoch,
            team=team,
            early_stop=early_stop,
        )
        if team.first:
            finish(tracker)
            seconds = round(time.monotonic() - started, 3)
            tracker.log_metrics({"seconds": seconds}, None)
            extra = backbone_files(plan.vaes.values(), project.model("pretrain"))
            kept = {} if early_stop is None else {"kept_epoch": best_epoch(history) + 1}
            card = run.card(tracker.run_id, seconds) | kept
            save_model(project.model(run.stage), _weights(plan), card, history, extra, _discriminators(plan))
    team.wait()


def _weights(plan: Plan) -> dict[str, Tensor]:
    """Weights under ``<modality>.``, the same for solo and pair."""
    return {
        f"{name}.{key}": value for name, vae in plan.vaes.items() for key, value in vae.state_dict().items()
    }


def _discriminators(plan: SoloPlan | PairPlan) -> dict[str, Tensor]:
    """Weights of the discriminators under ``<modality>.``."""
    return {
        f"{name}.{key}": value
        for name, loss in plan.adversarial.items()
        for key, value in loss.discriminator.state_dict().items()
    }


def early_stopping(judge: Plan | None, settings: EarlyStopSettings) -> EarlyStop | None:
    """The rule for stopping, where there are pairs to judge by."""
    return None if judge is None else EarlyStop(judge, settings.patience)
