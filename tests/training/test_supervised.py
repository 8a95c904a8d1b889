"""Direct regression through the one loop: known losses, and a law that it learns; resumed, it ends the same."""

import math
from pathlib import Path

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


def test_finished_training_is_taken_up_and_not_repeated(settings: UNetSettings, tmp_path: Path) -> None:
    checkpointing = Checkpointing(tmp_path, 0)
    first, again = plan(settings, binary=True), plan(settings, binary=True)
    train(first, DEVICE, label="test", checkpointing=checkpointing)
    written = (tmp_path / "checkpoint.safetensors").stat().st_mtime_ns
    train(again, DEVICE, label="test", checkpointing=checkpointing)
    assert (tmp_path / "checkpoint.safetensors").stat().st_mtime_ns == written
    torch.testing.assert_close(again.module.state_dict(), first.module.state_dict(), rtol=0, atol=0)


def test_resumed_training_ends_where_an_undisturbed_one_does(settings: UNetSettings, tmp_path: Path) -> None:
    whole = plan(settings, binary=True)
    train(whole, DEVICE, label="test", checkpointing=Checkpointing(None, 0))

    class KilledError(Exception):
        pass

    def kill(epoch: int, row: dict[str, float]) -> None:
        if epoch == 8:
            raise KilledError

    begun = plan(settings, binary=True)
    with pytest.raises(KilledError):
        train(begun, DEVICE, label="test", checkpointing=Checkpointing(tmp_path, 0), on_round=kill)
    resumed = plan(settings, binary=True)
    train(resumed, DEVICE, label="test", checkpointing=Checkpointing(tmp_path, 0))
    torch.testing.assert_close(resumed.module.state_dict(), whole.module.state_dict(), rtol=0, atol=0)
