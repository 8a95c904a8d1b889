"""Time of a training step of the preset `fast`, in float32 and in bfloat16: `python -m benchmarks.fast`.

The real plans and the real loop on simulated pairs, as `pairvae train` sets them up.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks import machine
from pairvae.settings import resolve
from pairvae.stages import train_pair, train_solo
from pairvae.stages.preprocess import preprocess
from pairvae.stages.project import Project
from pairvae.stages.raw import make_raw
from pairvae.training.devices import Device
from pairvae.training.loop import run_round
from pairvae.training.plans import Plan

PAIRS, TRAINING = 24, 16  # one batch of 16 an epoch, logged each: a round is a step
TRAIN = 48  # pairs of the built-in data, where the settings leave their number open
TITLES = {"saxs": "solo SAXS", "sem": "solo SEM", "pair": "pair"}
COLUMNS = {
    "step": "step",
    "precision": "precision",
    "seconds": "s|.3f",
    "cpu_seconds": "CPU s|.3f",
    "steps": "steps of the preset|d",
    "minutes": "training, min|.1f",
}


@dataclass(frozen=True)
class Row:
    """Seconds a step, and the steps that the preset makes at 48 pairs."""

    step: str
    precision: str
    seconds: float
    cpu_seconds: float
    steps: int
    minutes: float


@contextmanager
def project(threads: int) -> Iterator[Project]:
    """A prepared project in a temporary folder, whose stages take so many threads; nothing is tracked."""
    one_epoch = {"log_every": 1}
    settings = resolve(
        {
            "data": {"simulated": {"pairs": PAIRS}},
            "split": {"train": TRAINING},
            "saxs": {"training": one_epoch},
            "sem": {"training": one_epoch},
            "pair": {"training": one_epoch | {"from_solo": False}},
            "device": {"threads": threads},
        }
    )
    with tempfile.TemporaryDirectory() as scratch:
        made = Project(Path(scratch), Path(scratch), settings, track=False)
        make_raw(made)
        preprocess(made)
        yield made


class CaughtError(Exception):
    """Carries the plan out of the stage that made it."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan


def plan_of(made: Project, step: str) -> Plan:
    """The plan that `pairvae train` would hand to the loop."""

    def catch(_run: Any, plan: Plan, *_rest: Any) -> None:
        raise CaughtError(plan)

    module = train_pair if step == "pair" else train_solo
    with mock.patch.object(module, "run_training", catch):
        try:
            if step == "pair":
                train_pair.train_pair(made)
            else:
                train_solo.train_solo(made, step)
        except CaughtError as caught:
            return caught.plan
    raise AssertionError("the stage trained nothing")


def measure(made: Project, step: str, precision: str, repeats: int) -> Row:
    """Time one step."""
    plan, numbers = plan_of(made, step), count()
    device, optimiser = Device(torch.device("cpu"), precision == "bfloat16"), plan.make_optimiser()
    plan.module.train()
    seconds, cpu = machine.least(lambda: run_round(plan, optimiser, device, next(numbers)), repeats)
    whole = resolve({})
    training = whole.pair.training if step == "pair" else whole.modality(step).training
    train = whole.split.train
    pairs = TRAIN if train == "auto" else train
    steps = training.epochs * (pairs // training.batch)
    return Row(TITLES[step], precision, seconds, cpu, steps, steps * seconds / 60)


def main() -> None:
    """Measure, print the table, write it and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    about = machine.describe()
    with project(options.threads) as made:
        rows = [
            measure(made, step, precision, options.repeats) for step in TITLES for precision in machine.DTYPES
        ]
    about["peak_memory_gb"] = machine.peak_memory_gb()
    note = f"Peak memory {about['peak_memory_gb']:.2f} GB.\n"
    shown = machine.table(COLUMNS, [asdict(row) for row in rows])
    machine.write(
        "fast", "Steps of the preset `fast`", about, [note, shown], {"steps": [asdict(r) for r in rows]}
    )


if __name__ == "__main__":
    main()
