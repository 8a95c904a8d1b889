"""A training as a tracked, resumable run that ends in a model folder, and how a stage appears among the tracked runs.

The processes of a group share one training.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel
from torch import Tensor

import pairvae
from pairvae.data.split import training_pairs
from pairvae.errors import number_of
from pairvae.evaluation.leakage import Warnings
from pairvae.inference.backbone import backbone_files
from pairvae.settings import EarlyStopSettings, flatten
from pairvae.stages.project import Project, as_text, data_warnings
from pairvae.stages.training_inputs import lone_counts, measured_descriptions
from pairvae.store.model_folder import save_model
from pairvae.store.outputs import BY_DVC
from pairvae.store.picture_files import png_bytes
from pairvae.store.prepared import Prepared
from pairvae.tracking.runs.lineage import DESCRIPTION, lineage_tags
from pairvae.tracking.runs.null import NullTracker
from pairvae.tracking.runs.tracker import Tracker
from pairvae.training import checkpoints
from pairvae.training.devices import Device
from pairvae.training.distributed.process_group import join
from pairvae.training.early import EarlyStop, best_epoch
from pairvae.training.loop import Checkpointing, train
from pairvae.training.plans import PairPlan, Plan, SoloPlan, Source
from pairvae.training.snapshots import live_picture, snapshot

SNAPSHOTS = 5  # pictures of a training


@contextmanager
def stage_run(
    project: Project, stage: str, params: Mapping[str, Any], prepared: Prepared, resume: str | None
) -> Iterator[Tracker]:
    """A run of ``stage``: its parameters, its lineage and the data set it used."""
    if not project.track:
        yield NullTracker()
        return
    from pairvae.tracking.runs.mlflow_run import start_run  # 3 s of mlflow, only where it is wanted

    settings = project.settings
    train = training_pairs(prepared.pairs, settings.split.train)
    tags = lineage_tags(project.folder, stage, params) | {
        "preset": settings.preset,
        "stage": stage,
        DESCRIPTION: describe(project, stage, prepared),
    }
    with start_run(
        project.root,
        settings.tracking.experiment,
        f"{stage} {settings.preset} {train} pairs",
        tags=tags,
        resume=resume,
        system_metrics_s=settings.tracking.system_metrics_seconds,
        patience_s=settings.tracking.patience_seconds,
    ) as tracker:
        tracker.log_params(flatten(params))
        tracker.log_dataset(
            settings.data.source,
            str(project.prepared_folder),
            prepared.digest,
            "training",
            {
                "pairs": len(prepared.pairs),
                "train": train,
                **{f"unpaired_{name}": count for name, count in _lone(project, stage, prepared).items()},
            },
        )
        log_warnings(tracker, data_warnings(project, prepared))
        yield tracker


def describe(project: Project, stage: str, prepared: Prepared) -> str:
    """What is trained on what, in a sentence."""
    settings, pairs = project.settings, prepared.pairs
    solo = stage.removeprefix("train-")
    both = " and ".join(name.upper() for name in settings.modalities)
    model = (
        f"The {solo.upper()} VAE alone" if solo in settings.modalities else f"The VAEs of {both} as a pair"
    )
    if not stage.startswith("train-"):
        model = f"Stage {stage}"
    lone = "".join(
        f" and {number_of(count, f'{name.upper()} sample')} without a partner"
        for name, count in _lone(project, stage, prepared).items()
    )
    return (
        f"{model}, preset {settings.preset}, on {training_pairs(pairs, settings.split.train)} of "
        f"{number_of(len(pairs), 'pair')}{lone} ({settings.data.source}; split seed {settings.split.seed})."
    )


def _lone(project: Project, stage: str, prepared: Prepared) -> dict[str, int]:
    """Samples without a partner that a training sees, by modality."""
    counts, solo = lone_counts(project.settings, prepared), stage.removeprefix("train-")
    return {name: count for name, count in counts.items() if solo in (name, "pair")}


def log_warnings(tracker: Tracker, warnings: Warnings) -> None:
    """How many warnings about the data there are as a tag, and where there are some, ``warnings.txt``."""
    tracker.set_tags({"data_warnings": len(warnings)})
    if warnings:
        tracker.log_text(as_text(warnings), "warnings.txt")


def round_logger(
    tracker: Tracker, plan: Plan, samples: Mapping[str, Source], *, begun: bool = False
) -> Callable[[int, dict[str, float]], None]:
    """What to call after each round: losses every time, sample images a few times.

    The first picture, at step 0, shows the untrained networks, unless the training was ``begun`` earlier: MLflow's
    slider stands there at first, and would show nothing.
    """
    every = -(-len(plan.logged_epochs) // (SNAPSHOTS - 1))
    pictured = {*plan.logged_epochs[every - 1 :: every], plan.epochs}
    if not begun:
        tracker.log_image(snapshot(plan, samples), "reconstructions", 0)

    def log(epoch: int, row: dict[str, float]) -> None:
        tracker.log_metrics({key: float(f"{value:.5g}") for key, value in row.items()}, epoch)
        if epoch in pictured:
            tracker.log_image(snapshot(plan, samples), "reconstructions", epoch)

    return log


class Watch(Protocol):
    """Called after each round with the epochs done, its losses and the plan; may end it with an exception."""

    def __call__(self, epoch: int, row: dict[str, float], plan: Plan, /) -> None:
        """See above."""
        ...


@dataclass(frozen=True)
class Run:
    """What is trained, and what its card has to say of it.

    Parameters
    ----------
    project, stage
        The stage ``train-<modality>`` or ``train-pair`` of the project.
    prepared : Prepared
        Its data.
    device : Device
        Where it trains.
    names : sequence of str
        The modalities that are trained.
    further : mapping
        What determines the result besides: first weights by their digests, settings of the pair.
    """

    project: Project
    stage: str
    prepared: Prepared
    device: Device
    names: Sequence[str]
    further: Mapping[str, Any]

    @property
    def params(self) -> dict[str, Any]:
        """Everything of the settings that determines the result."""
        settings = self.project.settings
        relevant = {
            "latent": settings.latent,
            "seed": settings.seed,
            "split": self.project.resolved_split(self.prepared),
            **{name: settings.modality(name) for name in self.names},
            **self.further,
        }
        return {
            key: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            for key, value in relevant.items()
        }

    def card(self, run_id: str | None, seconds: float) -> dict[str, Any]:
        """The card of the model folder. Pairs that were held out had their say, too: they are training pairs."""
        rows = self.project.split(self.prepared).train
        return {
            "pairvae": pairvae.__version__,
            "stage": self.stage,
            "modalities": measured_descriptions(self.project, self.prepared, self.names),
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
    """Train ``plan``, resumable; rank 0 tracks the run and saves the model folder.

    ``finish`` is called in it with the run after the last epoch: what it changes of the weights is saved, but in no
    checkpoint.
    """
    process_group = join(run.device.torch_device)
    project, params = run.project, run.params
    data, bfloat16 = run.prepared.digest, run.device.bfloat16
    folder = project.checkpoints(run.stage, params, data, bfloat16=bfloat16)
    resume = checkpoints.peek_run(folder)
    tracked = dataclasses.replace(project, track=project.track and process_group.is_rank_0)
    started = time.monotonic()
    with stage_run(tracked, run.stage, params, run.prepared, resume=resume) as tracker:
        samples = plan.drawn_from()
        log = round_logger(tracker, plan, samples, begun=resume is not None)
        draw = live_picture(project.reports, run.stage, plan, samples)
        seen = process_group.is_rank_0 and BY_DVC in os.environ

        def on_round(epoch: int, row: dict[str, float]) -> None:
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
            on_round=on_round,
            process_group=process_group,
            early_stop=early_stop,
        )
        if process_group.is_rank_0:
            finish(tracker)
            _log_picture(tracker, plan, samples)
            seconds = round(time.monotonic() - started, 3)
            tracker.log_metrics({"seconds": seconds}, None)
            extra = backbone_files(plan.vaes.values(), project.model("pretrain"))
            kept = {} if early_stop is None else {"kept_epoch": best_epoch(history)}
            card = run.card(tracker.run_id, seconds) | kept
            save_model(project.model(run.stage), _weights(plan), card, history, extra, _discriminators(plan))
    process_group.barrier()


def _log_picture(tracker: Tracker, plan: Plan, samples: Mapping[str, Source]) -> None:
    """What the trained networks make of the first samples, as a file that the run's artifacts show by its name."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "reconstructions.png"
        path.write_bytes(png_bytes(snapshot(plan, samples)))
        tracker.log_artifact(path)


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
