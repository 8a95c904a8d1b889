"""How a stage appears among the tracked runs: parameters, lineage, losses and sample images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from pairvae.data.split import training_pairs
from pairvae.errors import number_of
from pairvae.evaluation.leakage import Warnings
from pairvae.numerics.images import contact_sheet
from pairvae.settings import flatten
from pairvae.stages.data_warnings import as_text, data_warnings
from pairvae.stages.project import Project
from pairvae.stages.training_inputs import lone_counts
from pairvae.store.prepared import Prepared
from pairvae.tracking.runs.lineage import lineage_tags
from pairvae.tracking.runs.null import NullTracker
from pairvae.tracking.runs.tracker import Tracker
from pairvae.training.plans import Plan, Source

SAMPLES = 3  # each costs 2 ms to decode and 3 ms as PNG, which a training of seconds would feel
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
    tags = lineage_tags(project.folder, stage, params) | {"preset": settings.preset, "stage": stage}
    with start_run(
        project.root,
        settings.tracking.experiment,
        f"{stage} {settings.preset} {train} pairs",
        tags=tags,
        resume=resume,
        description=describe(project, stage, prepared),
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


def epoch_logger(
    tracker: Tracker, plan: Plan, samples: Mapping[str, Source], *, begun: bool = False
) -> Callable[[int, dict[str, float]], None]:
    """What to call after each epoch: losses every time, sample images a few times.

    The first picture, at step 0, shows the untrained networks, unless the training was ``begun`` earlier: MLflow's
    slider stands there at first, and would show nothing.
    """
    every = -(-plan.epochs // (SNAPSHOTS - 1))
    if not begun:
        tracker.log_image(snapshot(plan, samples), "reconstructions", 0)

    def log(epoch: int, row: dict[str, float]) -> None:
        tracker.log_metrics(row, epoch + 1)
        if (epoch + 1) % every == 0 or epoch + 1 == plan.epochs:
            tracker.log_image(snapshot(plan, samples), "reconstructions", epoch + 1)

    return log


@torch.no_grad()
def snapshot(plan: Plan, samples: Mapping[str, Source]) -> np.ndarray:
    """First training inputs and their reconstructions as one uint8 picture ``(H, W, 3)``."""
    plan.module.eval()
    indices = np.arange(min(SAMPLES, len(next(iter(samples.values())))))
    vaes = plan.vaes
    device = next(plan.module.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        inputs = {name: one.inputs(indices, 0, 0).to(device) for name, one in samples.items()}
        latents = {name: vae.posterior(inputs[name]).mean for name, vae in vaes.items()}
        rows = [inputs[name] for name in samples]
        rows += [vaes[target].decoder(latents[source]) for target in samples for source in samples]
    plan.module.train()
    largest = max(max(row.shape[-2:]) for row in rows)
    return contact_sheet(np.concatenate([_colour(row, largest) for row in rows]), columns=len(indices))


def _colour(images: torch.Tensor, size: int) -> np.ndarray:
    """``(B, 1 or 3, H, W)`` in [0, 1] as uint8 ``(B, size, size, 3)``."""
    small = images.float().clamp(0, 1).mul(255).round().byte()
    resized = small if small.shape[-2:] == (size, size) else F.interpolate(small, size=(size, size))
    return resized.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
