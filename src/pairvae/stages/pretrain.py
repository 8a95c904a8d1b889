"""The stage `pretrain`: the frozen backbone of the paper's networks, where the preset asks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from pairvae import store
from pairvae.data.batches import stream
from pairvae.inference.backbone import FILE, read_backbone, write_backbone
from pairvae.models.paper.resnet import ResNet50, scale_features, set_statistics
from pairvae.stages.project import Project
from pairvae.stages.tracked_training import stage_run
from pairvae.store.prepared import Prepared
from pairvae.training import checkpoints
from pairvae.training.barlow_twins import BarlowTwins, PretrainPlan
from pairvae.training.devices import choose
from pairvae.training.distributed.process_group import join
from pairvae.training.loop import Checkpointing, train

STATISTICS, STATISTICS_BATCH, STATISTICS_PAIRS = 5, 8, 512  # a stream of random numbers, and two sizes


def pretrain(project: Project) -> None:
    """Write ``models/pretrain``: a backbone, or a card that says that none is needed."""
    if not project.settings.pretrain.enabled:
        with store.atomic_folder(project.model("pretrain")) as folder:
            store.write_json(
                folder / "card.json",
                {"stage": "pretrain", "backbone": None, "preset": project.settings.preset},
            )
        return
    pretrain_backbone(project)


def pretrain_backbone(project: Project) -> None:
    """Write ``models/pretrain/backbone.safetensors``: the user's weights, or Barlow Twins on the training images."""
    settings = project.settings.pretrain
    if settings.backbone is not None:
        network, made = read_backbone(project.folder / settings.backbone), f"file {settings.backbone}"
    elif settings.epochs == 0:
        network, made = untrained(project), "random initial weights"
        print(
            "pretrain: WARNING - the backbone has random weights (pretrain.epochs is 0): expect poor encoders"
        )
    else:
        network, made = barlow_twins(project), f"Barlow Twins, {settings.epochs} epochs"
    process_group = join(choose(project.settings.device).torch_device)
    if process_group.is_rank_0:
        with store.atomic_folder(project.model("pretrain")) as folder:
            write_backbone(folder / FILE, network, {"made": made})
            card = {"stage": "pretrain", "backbone": made, "preset": project.settings.preset}
            store.write_json(folder / "card.json", card)
    process_group.barrier()


def untrained(project: Project) -> ResNet50:
    """A seeded ResNet-50 whose batch norms know the statistics of the training images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(project.settings.seed)
        network = ResNet50()
    prepared = project.prepared()
    set_statistics(network, training_views(prepared, project))
    scale_features(network, training_views(prepared, project))
    return network.eval()


def training_views(prepared: Prepared, project: Project) -> Iterator[Tensor]:
    """Batches ``(8, 3, H, W)`` in [0, 1] of training patterns and of one crop of each training image.

    Of many pairs a seeded choice; a batch at a time is in memory.
    """
    rows = np.array(project.split(prepared).train)
    chosen = stream(project.settings.seed, STATISTICS).permutation(len(rows))[:STATISTICS_PAIRS]
    members = rows[np.sort(chosen)]
    patterns, crops = prepared.whole("saxs"), prepared.crops("sem")
    starts = range(0, len(members), STATISTICS_BATCH)
    parts = [members[start : start + STATISTICS_BATCH] for start in starts]
    for part in parts:
        yield torch.from_numpy(np.array(patterns[part], np.float32))
    for part in parts:
        yield torch.from_numpy(np.repeat(crops[part, :1].astype(np.float32), 3, axis=1))


def barlow_twins(project: Project) -> ResNet50:
    """A backbone pre-trained on the training patterns and images (paper, reference 38)."""
    settings, prepared = project.settings, project.prepared()
    device = choose(settings.device)
    members = project.split(prepared).train
    patterns, images = prepared.whole("saxs"), prepared.images("sem")
    pictures = [patterns[index] for index in members] + [images[index][None] for index in members]
    size = settings.sem.prepare.crop
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        twins = BarlowTwins(ResNet50(), settings.pretrain.projector)
    twins.to(device.torch_device)
    plan = PretrainPlan(twins, pictures, size, settings.pretrain, settings.seed, device.torch_device)
    params = {
        "pretrain": settings.pretrain.model_dump(),
        "seed": settings.seed,
        "split": project.resolved_split(prepared).model_dump(),
    }
    folder = project.checkpoints("pretrain", params, prepared.digest, bfloat16=device.bfloat16)
    resume, process_group = checkpoints.peek_run(folder), join(device.torch_device)
    tracked = dataclasses.replace(project, track=project.track and process_group.is_rank_0)
    with stage_run(tracked, "pretrain", params, prepared, resume=resume) as tracker:
        keeping = Checkpointing(folder, settings.device.checkpoint_seconds, tracker.run_id)
        train(
            plan,
            device,
            label="pretrain",
            checkpointing=keeping,
            on_round=lambda epoch, row: tracker.log_metrics(row, epoch),
            process_group=process_group,
        )
    network = ResNet50()  # in a process group the trained one's batch norms talk to the others
    network.load_state_dict(twins.network.state_dict())
    # The views of training are not what the frozen network will see: its batch norms learn the whole images
    set_statistics(network, training_views(prepared, project))
    scale_features(network, training_views(prepared, project))
    return network.eval()
