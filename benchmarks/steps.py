"""Time of a training step of the published networks, plain and as pairvae runs it.

`python -m benchmarks.steps` prints a table and writes steps.json and steps.md.

Every row goes through the real plans and the real loop. `plain` is what PyTorch does when the networks are
written down as published: the 32-channel last layer, torch's transposed convolutions, contiguous memory, a
backbone with its batch norms, and its features computed anew at each step. Times are the least of several.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import machine
from pairvae.data.batches import CropSchedule
from pairvae.data.sources import CroppedImages, WholeArrays
from pairvae.models.likelihoods import PIXEL_LIKELIHOODS
from pairvae.models.pair import PairVAE
from pairvae.models.paper.architecture import PaperDecoder, PaperEncoder
from pairvae.models.paper.resnet import Backbone, ResNet50, normalise, set_statistics
from pairvae.models.vae import VAE
from pairvae.settings import PaperNetwork, Settings, resolve
from pairvae.training.devices import Device
from pairvae.training.loop import run_round
from pairvae.training.plans import PairPlan, Plan, SoloPlan, Source

BATCH = 8  # one batch an epoch, logged each: a round is a step
STEPS = ("saxs", "sem", "pair-fresh", "pair")
TITLES = {
    "saxs": "solo SAXS",
    "sem": "solo SEM, fresh crops",
    "pair-fresh": "pair, fresh crops",
    "pair": "pair, focused crops",
}
PUBLISHED_S = {"saxs": 0.30, "sem": 1.48, "pair": 2.83}  # the TensorFlow step on two EPYC cores
TARGET_S = {"saxs": 0.03, "sem": 0.40, "pair": 0.42}
TRAINING_PAIRS = 48
CPU = torch.device("cpu")


class PlainBackbone(nn.Module):
    """A frozen backbone as it is written down: batch norms, contiguous memory."""

    def __init__(self, network: ResNet50) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> PlainBackbone:
        """Stay in inference mode."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images in [0, 1]."""
        features: Tensor = self.network(normalise(images))
        return features


@dataclass
class Uncached:
    """A source whose features are computed at each step."""

    source: WholeArrays | CroppedImages

    def __len__(self) -> int:
        return len(self.source)

    def inputs(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        """Prepared inputs."""
        return self.source.inputs(indices, round_number, draw)

    def features(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        """Features, computed now."""
        with torch.no_grad():
            return self.source.encoder.features(self.inputs(indices, round_number, draw))


@dataclass(frozen=True)
class Row:
    """One measurement: seconds a step, what it computed, and its share of the machine's matrix product."""

    step: str
    form: str
    precision: str
    seconds: float
    cpu_seconds: float
    gflop: float
    share_of_peak: float
    times_quicker_than_plain: float


def vae(settings: Settings, name: str, backbone: nn.Module, *, plain: bool) -> VAE:
    """The published VAE in its plain or its quick form."""
    network = settings.saxs.network if name == "saxs" else settings.sem.network
    assert isinstance(network, PaperNetwork)
    encoder = PaperEncoder(network.hidden, settings.latent.channels)
    encoder.backbone = backbone  # type: ignore[assignment]  # the plain one stands in for it
    decoder = PaperDecoder(
        3 if name == "saxs" else 1,
        latent_channels=settings.latent.channels,
        filters=network.filters,
        kernel=network.kernel,
        binary=name == "sem",
        collapsed=not plain,
        form="direct" if plain else "polyphase",
    )
    return VAE(encoder, decoder)


def plan(settings: Settings, step: str, *, plain: bool, bfloat16: bool) -> Plan:
    """The plan of one training, on a batch of random arrays of the published sizes."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    network = ResNet50()
    set_statistics(network, [torch.rand(BATCH, 3, 64, 64)])
    backbone = PlainBackbone(network) if plain else Backbone(network, bfloat16=bfloat16)
    vaes = {name: vae(settings, name, backbone, plain=plain) for name in ("saxs", "sem")}
    size, rows, columns = settings.sem.prepare.crop, settings.sem.prepare.rows, settings.sem.prepare.columns
    assert rows is not None and columns is not None
    patterns = rng.random((BATCH, 3, settings.saxs.prepare.size, settings.saxs.prepare.size), np.float32)
    images = [(rng.random((rows, columns)) > 0.5).astype(np.uint8) for _ in range(BATCH)]
    # Steps begin with round 1, so the random round is over before the first of them.
    random_rounds = 1 if step == "pair" else settings.sem.training.epochs
    crops = CropSchedule(size, random_rounds, step == "pair", 0)
    whole = WholeArrays(patterns, vaes["saxs"].encoder)
    cropped = CroppedImages(images, vaes["sem"].encoder, crops)
    sources: dict[str, Source] = {"saxs": whole, "sem": cropped}
    if plain:
        sources = {"saxs": Uncached(whole), "sem": Uncached(cropped)}
    likelihoods = {name: PIXEL_LIKELIHOODS[kind] for name, kind in (("saxs", "mse"), ("sem", "bernoulli"))}
    if step.startswith("pair"):
        return PairPlan(PairVAE(vaes), sources, likelihoods, settings.pair.training, 0, CPU)
    training = settings.saxs.training if step == "saxs" else settings.sem.training
    return SoloPlan(step, vaes[step], sources[step], likelihoods[step], training, 0, CPU)


def rounds() -> Iterator[int]:
    """Round numbers from 1: round 0 of the pair is the one that draws its crops."""
    number = 0
    while True:
        number += 1
        yield number


def measure(settings: Settings, step: str, *, plain: bool, bfloat16: bool, repeats: int) -> Row:
    """Time and count one step; the ratio is filled in later."""
    one = plan(settings, step, plain=plain, bfloat16=bfloat16)
    optimiser, device, numbers = one.make_optimiser(), Device(CPU, bfloat16), rounds()
    one.module.train()

    def work() -> None:
        run_round(one, optimiser, device, next(numbers))

    work()  # features that are kept are computed here
    with FlopCounterMode(display=False) as counter:
        work()
    seconds, cpu_seconds = machine.least(work, repeats)
    form, precision = "plain" if plain else "pairvae", "bfloat16" if bfloat16 else "float32"
    return Row(step, form, precision, seconds, cpu_seconds, counter.get_total_flops() / 1e9, 0.0, 0.0)


def with_ratios(rows: list[Row], peaks: dict[str, float]) -> list[Row]:
    """Rows with their share of the peak and how much quicker they are than the plain float32 step."""
    plain = {row.step: row.seconds for row in rows if row.form == "plain"}
    return [
        Row(
            **{
                **asdict(row),
                "share_of_peak": row.gflop / row.seconds / peaks[row.precision],
                "times_quicker_than_plain": plain[row.step] / row.seconds,
            }
        )
        for row in rows
    ]


def protocol_steps(settings: Settings) -> dict[str, int]:
    """Steps of the whole protocol by kind."""
    batches = TRAINING_PAIRS // BATCH
    pair = settings.pair.training
    epochs = {
        "saxs": settings.saxs.training.epochs,
        "sem": settings.sem.training.epochs,
        "pair-fresh": pair.random_epochs,
        "pair": pair.focused_epochs,
    }
    return {step: batches * count for step, count in epochs.items()}


def protocol_minutes(settings: Settings, rows: list[Row]) -> dict[str, float]:
    """Minutes of all steps of the protocol by form and precision, reckoned from the times of one."""
    counts = protocol_steps(settings)
    minutes: dict[str, float] = {}
    for row in rows:
        kind = f"{row.form}, {row.precision}"
        minutes[kind] = minutes.get(kind, 0.0) + row.seconds * counts[row.step] / 60
    return minutes


COLUMNS = {
    "step": "step",
    "form": "form",
    "precision": "precision",
    "seconds": "s|.3f",
    "cpu_seconds": "CPU s|.3f",
    "times_quicker_than_plain": "x plain|.1f",
    "gflop": "GFLOP|.1f",
    "share_of_peak": "share of peak|.0%",
    "published_s": "published s|.2f",
    "target_s": "target s|.2f",
}


def shown(row: Row) -> dict[str, Any]:
    """A row of the table."""
    beside = {"published_s": PUBLISHED_S.get(row.step), "target_s": TARGET_S.get(row.step)}
    return asdict(row) | beside | {"step": TITLES[row.step]}


def main() -> None:
    """Measure, print the table, write it and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    about = machine.describe()
    settings = resolve({"preset": "paper"})
    peaks = {
        name: machine.matrix_product_peak(kind, options.repeats) for name, kind in machine.DTYPES.items()
    }
    forms = ((True, False), (False, False), (False, True))
    rows = [
        measure(settings, step, plain=plain, bfloat16=bfloat16, repeats=options.repeats)
        for step in STEPS
        for plain, bfloat16 in forms
    ]
    rows = with_ratios(rows, peaks)
    about |= {"matrix_product_gflops": peaks, "peak_memory_gb": machine.peak_memory_gb()}
    told = ", ".join(f"{name} {value:.0f}" for name, value in peaks.items())
    note = f"Matrix product in GFLOP/s: {told}; peak memory {about['peak_memory_gb']:.2f} GB.\n"
    minutes = protocol_minutes(settings, rows)
    results = {"steps": [asdict(row) for row in rows], "protocol_minutes": minutes}
    shown_rows = machine.table(COLUMNS, [shown(row) for row in rows])
    steps = " + ".join(f"{count:,} {TITLES[step]}" for step, count in protocol_steps(settings).items())
    told = "; ".join(f"{kind} {value:.0f} min" for kind, value in minutes.items())
    whole = f"The whole protocol at {TRAINING_PAIRS} pairs, reckoned ({steps}): {told}.\n"
    machine.write("steps", "Steps of the preset `paper`", about, [note, shown_rows, whole], results)


if __name__ == "__main__":
    main()
