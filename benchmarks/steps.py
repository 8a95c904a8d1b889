"""Time of a training step of the published networks, plain and as pairvae runs it.

`python -m benchmarks.steps` prints a table and writes results.json and results.md.

Every row goes through the real plans and the real loop. `plain` is what PyTorch does when the networks are
written down as published: the 32-channel last layer, torch's transposed convolutions, contiguous memory, a
backbone with its batch norms, and its features computed anew at each step. Times are the least of several.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pairvae.data.batches import CropSchedule
from pairvae.data.sources import CroppedImages, WholeArrays
from pairvae.models.likelihoods import PIXEL_LIKELIHOODS
from pairvae.models.pair import PairVAE
from pairvae.models.paper import PaperDecoder, PaperEncoder
from pairvae.models.resnet import Backbone, ResNet50, normalise, set_statistics
from pairvae.models.vae import VAE
from pairvae.settings import PaperNetwork, Settings, resolve
from pairvae.training.devices import Device
from pairvae.training.loop import run_epoch
from pairvae.training.plans import PairPlan, Plan, SoloPlan, Source

FOLDER = Path(__file__).parent
BATCH = 8  # one batch an epoch: an epoch is a step
GEMM_SIDE = 2048
STEPS = ("saxs", "sem", "pair")
TITLES = {"saxs": "solo SAXS", "sem": "solo SEM, fresh crops", "pair": "pair, focused crops"}
PUBLISHED_S = {"saxs": 0.30, "sem": 1.48, "pair": 2.83}  # the TensorFlow step on two EPYC cores
TARGET_S = {"saxs": 0.03, "sem": 0.40, "pair": 0.42}
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

    def inputs(self, indices: np.ndarray, epoch: int, draw: int) -> Tensor:
        """Prepared inputs."""
        return self.source.inputs(indices, epoch, draw)

    def features(self, indices: np.ndarray, epoch: int, draw: int) -> Tensor:
        """Features, computed now."""
        with torch.no_grad():
            return self.source.encoder.features(self.inputs(indices, epoch, draw))


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


def least(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Least wall time and least CPU time of ``work`` in s, after one run to warm up."""
    work()
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


def matrix_product_peak(dtype: torch.dtype, repeats: int) -> float:
    """GFLOP/s of a square matrix product."""
    left, right = (torch.randn(GEMM_SIDE, GEMM_SIDE).to(dtype) for _ in range(2))
    return 2 * GEMM_SIDE**3 / least(lambda: left @ right, repeats)[0] / 1e9


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
    random_epochs = 1 if step == "pair" else settings.sem.training.epochs
    crops = CropSchedule(size, random_epochs, step == "pair", 0)
    whole = WholeArrays(patterns, np.arange(BATCH), vaes["saxs"].encoder)
    cropped = CroppedImages(images, vaes["sem"].encoder, crops)
    sources: dict[str, Source] = {"saxs": whole, "sem": cropped}
    if plain:
        sources = {"saxs": Uncached(whole), "sem": Uncached(cropped)}
    likelihoods = {name: PIXEL_LIKELIHOODS[kind] for name, kind in (("saxs", "mse"), ("sem", "bernoulli"))}
    if step == "pair":
        return PairPlan(PairVAE(vaes), sources, likelihoods, settings.pair.training, 0, CPU)
    training = settings.saxs.training if step == "saxs" else settings.sem.training
    return SoloPlan(step, vaes[step], sources[step], likelihoods[step], training, 0, CPU)


def epochs() -> Iterator[int]:
    """Epoch numbers from 1: epoch 0 of the pair is the one that draws its crops."""
    number = 0
    while True:
        number += 1
        yield number


def measure(settings: Settings, step: str, *, plain: bool, bfloat16: bool, repeats: int) -> Row:
    """Time and count one step; the ratio is filled in later."""
    one = plan(settings, step, plain=plain, bfloat16=bfloat16)
    optimiser, device, numbers = one.make_optimiser(), Device(CPU, bfloat16), epochs()
    one.module.train()

    def work() -> None:
        run_epoch(one, optimiser, device, next(numbers))

    work()  # features that are kept are computed here
    with FlopCounterMode(display=False) as counter:
        work()
    seconds, cpu_seconds = least(work, repeats)
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


def processor() -> str:
    """The CPU's name."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def table(rows: list[Row]) -> str:
    """The measurements as a Markdown table."""
    head = (
        "| step | form | precision | s | CPU s | x plain | GFLOP | share of peak | published s | target s |\n"
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    )
    lines = [
        f"| {TITLES[row.step]} | {row.form} | {row.precision} | {row.seconds:.3f} | {row.cpu_seconds:.3f} | "
        f"{row.times_quicker_than_plain:.1f} | {row.gflop:.1f} | {100 * row.share_of_peak:.0f} % | "
        f"{PUBLISHED_S[row.step]:.2f} | {TARGET_S[row.step]:.2f} |"
        for row in rows
    ]
    return head + "\n".join(lines) + "\n"


def report(machine: dict[str, Any], rows: list[Row]) -> str:
    """The machine in one line, and the table."""
    peaks = ", ".join(f"{name} {value:.0f}" for name, value in machine["matrix_product_gflops"].items())
    return (
        f"{machine['cpu']}, {machine['threads']} threads, torch {machine['torch']}; load before the run "
        f"{machine['load_before']:.1f}; matrix product in GFLOP/s: {peaks}; "
        f"peak memory {machine['peak_memory_gb']:.2f} GB.\n\n{table(rows)}"
    )


def main() -> None:
    """Measure, print the table, write it and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for results.json and results.md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    settings = resolve({"preset": "paper"})
    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    peaks = {name: matrix_product_peak(dtype, options.repeats) for name, dtype in dtypes.items()}
    forms = ((True, False), (False, False), (False, True))
    rows = [
        measure(settings, step, plain=plain, bfloat16=bfloat16, repeats=options.repeats)
        for step in STEPS
        for plain, bfloat16 in forms
    ]
    rows = with_ratios(rows, peaks)
    machine: dict[str, Any] = {
        "cpu": processor(),
        "threads": options.threads,
        "load_before": os.getloadavg()[0],
        "torch": torch.__version__,
        "python": platform.python_version(),
        "matrix_product_gflops": peaks,
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2,
    }
    results = {"machine": machine, "steps": [asdict(row) for row in rows]}
    (options.out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (options.out / "results.md").write_text(report(machine, rows))
    print(report(machine, rows))


if __name__ == "__main__":
    main()
