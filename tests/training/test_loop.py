"""The loop: schedule, progress on a tiny problem, resuming bit for bit, and losses that stop being finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pairvae.data.batches import CropSchedule
from pairvae.data.sources import CroppedImages, WholeArrays
from pairvae.errors import InputError
from pairvae.models.build import build_vae
from pairvae.models.likelihoods import PIXEL_LIKELIHOODS
from pairvae.models.pair import PairVAE
from pairvae.models.vae import VAE
from pairvae.settings import CompactNetwork, LatentSettings, Optimisation, TextureNetwork, resolve
from pairvae.training.checkpoints import FILE
from pairvae.training.devices import Device
from pairvae.training.loop import Checkpointing, History, run_epoch, train
from pairvae.training.optimisers import adam, learning_rate
from pairvae.training.plans import Batch, LossTerms, PairPlan, Plan, SoloPlan

CPU = torch.device("cpu")
DEVICE = Device(CPU, False)
NOWHERE = Checkpointing(None, 0.0)
LATENT = LatentSettings(channels=4, grid=1)
COMPACT = CompactNetwork(architecture="compact", components=4, width=16, pool=1)
TEXTURE = TextureNetwork(
    architecture="texture", components=4, width=8, noise_channels=4, block_widths=(4, 4, 4)
)
COUNT = 12


def schedule_of(**changes: object) -> Optimisation:
    return resolve({}).saxs.training.model_copy(update=changes)


def solo_plan(**changes: object) -> SoloPlan:
    """A plan over patterns with two degrees of freedom, made anew at each call as by another process."""
    generator = np.random.default_rng(0)
    patterns = generator.random((COUNT, 2)) @ generator.random((2, 3 * 64))
    arrays = (patterns / patterns.max()).astype(np.float32).reshape(COUNT, 3, 8, 8)
    vae = build_vae(COMPACT, LATENT, (3, 8, 8), seed=1)
    source = WholeArrays(arrays, np.arange(COUNT), vae.encoder)
    vae.encoder.fit(source.examples(0))
    vae.decoder.fit(source.examples(0))
    values = {"epochs": 6, "batch": 4, "passes": 2, "learning_rate": 0.01} | changes
    settings = resolve({}).saxs.training.model_copy(update=values)
    return SoloPlan("saxs", vae, source, PIXEL_LIKELIHOODS["mse"], settings, 3, CPU)


def pair_plan() -> PairPlan:
    """Both kinds of network, random and focused epochs, noise in features, latents and decoder."""
    generator = np.random.default_rng(0)
    arrays = generator.random((COUNT, 3, 8, 8), dtype=np.float32)
    images = [generator.integers(0, 2, (40, 44), dtype=np.uint8) for _ in range(COUNT)]
    vaes = {
        "saxs": build_vae(COMPACT, LATENT, (3, 8, 8), seed=1),
        "sem": build_vae(TEXTURE, LATENT, (1, 32, 32), seed=2),
    }
    sources: dict[str, WholeArrays | CroppedImages] = {
        "saxs": WholeArrays(arrays, np.arange(COUNT), vaes["saxs"].encoder),
        "sem": CroppedImages(images, vaes["sem"].encoder, CropSchedule(32, 2, False, 3)),
    }
    for name, vae in vaes.items():
        examples = sources[name].examples(0)
        vae.encoder.fit(examples)
        vae.decoder.fit(examples)
    likelihoods = {"saxs": PIXEL_LIKELIHOODS["mse"], "sem": PIXEL_LIKELIHOODS["bernoulli"]}
    values = {"random_epochs": 2, "focused_epochs": 3, "batch": 5, "passes": 1}
    settings = resolve({}).pair.training.model_copy(update=values)
    return PairPlan(PairVAE(vaes), sources, likelihoods, settings, 3, CPU)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 1 / 11),
        (4, 5 / 11),
        (9, 10 / 11),
        (10, 1.0),
        (55, 0.5),
        (32.5, 0.5 + 0.5 / math.sqrt(2)),
        (100, 0.0),
    ],
)
def test_cosine_after_a_linear_rise(step: int, expected: float) -> None:
    settings = schedule_of(learning_rate=0.2, schedule="cosine", warmup=0.1)
    assert learning_rate(settings, step, 100) == pytest.approx(0.2 * expected, abs=1e-9)


def test_constant_rate_is_the_published_one_from_the_first_step() -> None:
    settings = schedule_of(learning_rate=1e-3, schedule="constant", warmup=0.0)
    assert {learning_rate(settings, step, 100) for step in range(101)} == {1e-3}


def test_rate_is_positive_and_never_above_its_highest() -> None:
    for steps in (1, 2, 7, 1000):
        for warmup in (0.0, 0.05, 0.5, 0.99):
            settings = schedule_of(learning_rate=0.2, schedule="cosine", warmup=warmup)
            rates = [learning_rate(settings, step, steps) for step in range(steps)]
            assert all(0 < rate <= 0.2 for rate in rates)


def test_optimiser_takes_its_numbers_from_the_settings_and_leaves_frozen_parts() -> None:
    plan = solo_plan(beta1=0.5, beta2=0.9, epsilon=1e-6)
    plan.vae.decoder.requires_grad_(False)
    optimiser = plan.make_optimiser()
    (group,) = optimiser.param_groups
    assert (group["betas"], group["eps"]) == ((0.5, 0.9), 1e-6)
    trainable = list(plan.vae.encoder.parameters())
    assert len(group["params"]) == len(trainable)


def test_loss_falls_on_a_tiny_problem() -> None:
    plan = solo_plan(epochs=25, input_noise=0.0)
    before = {name: value.clone() for name, value in plan.module.state_dict().items()}
    history = train(plan, DEVICE, label="solo", checkpointing=NOWHERE)
    assert len(history) == 25
    assert set(history[0]) == {"loss", "saxs_saxs", "kl", "learning_rate"}
    assert history[-1]["saxs_saxs"] < 0.1 * history[0]["saxs_saxs"]
    after = plan.module.state_dict()
    assert torch.equal(before["encoder.basis"], after["encoder.basis"]), "what is fitted is not trained"
    assert not torch.equal(before["encoder.dense.hidden.weight"], after["encoder.dense.hidden.weight"])
    assert not plan.module.training


def test_history_is_the_weighted_sum_of_its_parts() -> None:
    plan = solo_plan()
    for row in train(plan, DEVICE, label="solo", checkpointing=NOWHERE):
        assert row["loss"] == pytest.approx(row["saxs_saxs"] + plan.settings.kl_weight * row["kl"], rel=1e-4)


def assert_same(first: nn.Module, second: nn.Module) -> None:
    a, b = first.state_dict(), second.state_dict()
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_training_repeats_bit_for_bit() -> None:
    runs: list[tuple[nn.Module, History]] = []
    for number in range(2):
        torch.manual_seed(number)  # the global stream has no say
        plan = pair_plan()
        runs.append((plan.module, train(plan, DEVICE, label="pair", checkpointing=NOWHERE)))
    assert runs[0][1] == runs[1][1]
    assert_same(runs[0][0], runs[1][0])


class KilledError(Exception):
    """Stands for a process that ends in the middle of a training."""


@pytest.mark.parametrize("make", [solo_plan, pair_plan])
@pytest.mark.parametrize("last", [0, 1, 2, 4])
def test_killed_training_resumes_bit_for_bit(make: Callable[[], Plan], last: int, tmp_path: Path) -> None:
    undisturbed = make()
    expected = train(undisturbed, DEVICE, label="whole", checkpointing=NOWHERE)

    def kill(epoch: int, row: dict[str, float]) -> None:
        if epoch == last:
            raise KilledError

    keeping = Checkpointing(tmp_path, 0.0, "run")
    with pytest.raises(KilledError):
        train(make(), DEVICE, label="killed", checkpointing=keeping, on_epoch=kill)
    assert (tmp_path / FILE).exists() == (last > 0)
    resumed, epochs = make(), []
    history = train(
        resumed,
        DEVICE,
        label="resumed",
        checkpointing=keeping,
        on_epoch=lambda epoch, row: epochs.append(epoch),
    )
    assert epochs == list(range(last, undisturbed.epochs)), "finished epochs are not trained again"
    assert history == expected
    assert_same(resumed.module, undisturbed.module)


def test_finished_training_is_not_trained_again(tmp_path: Path) -> None:
    keeping = Checkpointing(tmp_path, 0.0)
    first = solo_plan()
    history = train(first, DEVICE, label="first", checkpointing=keeping)
    again = solo_plan()

    def refuse(epoch: int, row: dict[str, float]) -> None:
        raise AssertionError("an epoch ran")

    assert train(again, DEVICE, label="again", checkpointing=keeping, on_epoch=refuse) == history
    assert_same(first.module, again.module)


def test_last_epoch_is_kept_however_rare_checkpoints_are(tmp_path: Path) -> None:
    train(solo_plan(), DEVICE, label="solo", checkpointing=Checkpointing(tmp_path, 1e9))
    assert (tmp_path / FILE).exists()


@dataclass
class OneWeight:
    """A plan whose loss is a formula of one weight."""

    weight: nn.Module
    formula: Callable[[Tensor], Tensor]
    settings: Optimisation
    epochs: int = 2
    seed: int = 0
    vaes: dict[str, VAE] = field(default_factory=dict)

    @property
    def module(self) -> nn.Module:
        return self.weight

    @property
    def gradient_clip(self) -> float:
        return self.settings.gradient_clip

    def make_optimiser(self) -> torch.optim.Optimizer:
        return adam(self.weight, self.settings)

    def learning_rate(self, step: int) -> float:
        return self.settings.learning_rate

    def steps(self) -> int:
        return 1

    def batches(self, epoch: int) -> Iterator[Batch]:
        yield Batch(torch.zeros(1), {}, {})

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        part = self.formula(next(self.weight.parameters())).sum()
        return LossTerms(part, {"formula": part, "other": torch.zeros(())})


def one_weight(formula: Callable[[Tensor], Tensor], start: float = 0.0, **changes: object) -> OneWeight:
    weight = nn.Linear(1, 1, bias=False)
    nn.init.constant_(weight.weight, start)
    values = {"learning_rate": 1.0, "schedule": "constant", "warmup": 0.0, "gradient_clip": 0.0} | changes
    return OneWeight(weight, formula, schedule_of(**values))


@pytest.mark.parametrize(("clip", "step"), [(0.0, 1000.0), (0.5, 0.5), (5000.0, 1000.0)])
def test_gradient_is_clipped_to_its_norm(clip: float, step: float) -> None:
    plan = one_weight(lambda weight: 1000 * weight, gradient_clip=clip)
    run_epoch(plan, torch.optim.SGD(plan.module.parameters(), lr=1.0), DEVICE, 0)
    assert next(plan.module.parameters()).item() == pytest.approx(-step, rel=1e-5)


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_loss_that_is_not_finite_is_named_and_changes_no_weight(clip: float) -> None:
    plan = one_weight(lambda weight: weight / 0.0, start=1.0, gradient_clip=clip)
    with pytest.raises(
        InputError, match=r"^epoch 1, step 1: expected finite losses, found formula not finite"
    ):
        train(plan, DEVICE, label="bad", checkpointing=NOWHERE)
    assert next(plan.module.parameters()).item() == 1.0


def test_gradient_that_is_not_finite_is_told_before_it_is_stored(tmp_path: Path) -> None:
    plan = one_weight(lambda weight: weight.abs().sqrt())
    with pytest.raises(InputError, match=r"^epoch 1: expected finite weights, found weight not finite"):
        train(plan, DEVICE, label="bad", checkpointing=Checkpointing(tmp_path, 0.0))
    assert list(tmp_path.iterdir()) == []


def test_bfloat16_trains_in_float32_weights() -> None:
    plan = solo_plan(epochs=2)
    history = train(plan, replace(DEVICE, bfloat16=True), label="bf16", checkpointing=NOWHERE)
    assert all(math.isfinite(row["loss"]) for row in history)
    assert {parameter.dtype for parameter in plan.module.parameters()} == {torch.float32}
