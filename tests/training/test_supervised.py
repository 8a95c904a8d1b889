"""Direct regression through the one loop: known losses, and a law that it learns; resumed, it ends the same."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pairvae.data.batches import noise_generator
from pairvae.settings import UNetSettings, resolve
from pairvae.training.devices import Device
from pairvae.training.loop import Checkpointing, train
from pairvae.training.supervised import SupervisedPlan

CPU = torch.device("cpu")
DEVICE = Device(CPU, False)


class Arrays:
    """Samples in memory."""

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def inputs(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        return self.values[torch.from_numpy(indices)]

    def features(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        return self.inputs(indices, round_number, draw)


@pytest.fixture
def settings() -> UNetSettings:
    wanted = {"epochs": 12, "log_every": 2, "batch": 4, "learning_rate": 0.05}
    return resolve({"preset": "fast", "baselines": {"unet": wanted}}).baselines.unet


def plan(settings: UNetSettings, *, binary: bool) -> SupervisedPlan:
    generator = torch.Generator().manual_seed(0)
    source = torch.rand(10, 1, 8, 8, generator=generator)
    target = (source > 0.5).float() if binary else 1 - source
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = nn.Conv2d(1, 1, 1)
    sources = {"saxs": Arrays(source), "sem": Arrays(target)}
    return SupervisedPlan(network, sources, "saxs", "sem", binary, settings, 3, CPU)


@pytest.mark.parametrize(("binary", "expected"), [(True, math.log(2)), (False, None)])
def test_loss_of_a_network_that_says_one_half(
    settings: UNetSettings, binary: bool, expected: float | None
) -> None:
    one = plan(settings, binary=binary)
    for parameter in one.module.parameters():
        nn.init.zeros_(parameter)
    batch = next(iter(one.batches(0)))
    terms = one.loss(batch, noise_generator(0, 0, CPU))
    wanted = float((batch.inputs["sem"] - 0.5).square().mean()) if expected is None else expected
    assert float(terms.total.detach()) == pytest.approx(wanted, rel=1e-6)
    assert set(terms.parts) == {"saxs_sem"}


def test_source_and_target_of_a_batch_belong_together(settings: UNetSettings) -> None:
    for batch in plan(settings, binary=False).batches(0):
        torch.testing.assert_close(batch.inputs["sem"], 1 - batch.inputs["saxs"])


@pytest.mark.parametrize("binary", [True, False])
def test_loss_falls(settings: UNetSettings, binary: bool) -> None:
    history = train(plan(settings, binary=binary), DEVICE, label="test", checkpointing=Checkpointing(None, 0))
    assert history[-1]["loss"] < 0.95 * history[0]["loss"]
