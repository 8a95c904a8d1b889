"""The loop: schedule, progress on a tiny problem, resuming bit for bit, and losses that stop being finite."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from pairvae.errors import InputError
from pairvae.training.checkpoints import FILE
from pairvae.training.loop import Checkpointing, History, run_round, train
from pairvae.training.optimisers import learning_rate
from pairvae.training.plans import Plan
from tiny_plans import (
    DEVICE,
    NOWHERE,
    KilledError,
    assert_same,
    one_weight,
    pair_plan,
    schedule_of,
    solo_plan,
)


@pytest.mark.parametrize(("step", "expected"), [
    (0, 1 / 11), (4, 5 / 11), (9, 10 / 11), (10, 1.0), (55, 0.5), (32.5, 0.5 + 0.5 / math.sqrt(2)), (100, 0.0),
])  # fmt: skip
def test_cosine_after_a_linear_rise(step: int, expected: float) -> None:
    settings = schedule_of(learning_rate=0.2, schedule="cosine", warmup=0.1)
    assert learning_rate(settings, step, 100) == pytest.approx(0.2 * expected, abs=1e-9)


def test_constant_rate_is_the_published_one_from_the_first_step() -> None:
    settings = schedule_of(learning_rate=1e-3, schedule="constant", warmup=0.0)
    assert {learning_rate(settings, step, 100) for step in range(101)} == {1e-3}


def test_constant_rate_after_a_linear_rise() -> None:
    settings = schedule_of(learning_rate=0.2, schedule="constant", warmup=0.1)
    rates = [learning_rate(settings, step, 100) for step in range(100)]
    assert rates[:2] == pytest.approx([0.2 / 11, 0.4 / 11])
    assert set(rates[10:]) == {0.2}


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
    plan = solo_plan(epochs=50, input_noise=0.0)
    before = {name: value.clone() for name, value in plan.module.state_dict().items()}
    history = train(plan, DEVICE, label="solo", checkpointing=NOWHERE)
    assert len(history) == 25
    assert set(history[0]) == {"epoch", "loss", "saxs_saxs", "kl", "learning_rate"}
    assert history[-1]["saxs_saxs"] < 0.1 * history[0]["saxs_saxs"]
    after = plan.module.state_dict()
    assert torch.equal(before["encoder.basis"], after["encoder.basis"]), "what is fitted is not trained"
    assert not torch.equal(before["encoder.dense.hidden.weight"], after["encoder.dense.hidden.weight"])
    assert not plan.module.training


def test_history_is_the_weighted_sum_of_its_parts() -> None:
    plan = solo_plan()
    for row in train(plan, DEVICE, label="solo", checkpointing=NOWHERE):
        assert row["loss"] == pytest.approx(row["saxs_saxs"] + plan.settings.kl_weight * row["kl"], rel=1e-4)


def test_training_repeats_bit_for_bit() -> None:
    runs: list[tuple[nn.Module, History]] = []
    for number in range(2):
        torch.manual_seed(number)  # the global stream has no say
        plan = pair_plan()
        runs.append((plan.module, train(plan, DEVICE, label="pair", checkpointing=NOWHERE)))
    assert runs[0][1] == runs[1][1]
    assert_same(runs[0][0], runs[1][0])


@pytest.mark.parametrize("make", [solo_plan, pair_plan])
@pytest.mark.parametrize("last", [0, 1, 2, 4])
def test_killed_training_resumes_bit_for_bit(make: Callable[[], Plan], last: int, tmp_path: Path) -> None:
    undisturbed = make()
    expected = train(undisturbed, DEVICE, label="whole", checkpointing=NOWHERE)

    def kill(epoch: int, row: dict[str, float]) -> None:
        if epoch == undisturbed.logged_epochs[last]:
            raise KilledError

    keeping = Checkpointing(tmp_path, 0.0, "run")
    with pytest.raises(KilledError):
        train(make(), DEVICE, label="killed", checkpointing=keeping, on_round=kill)
    assert (tmp_path / FILE).exists() == (last > 0)
    resumed, epochs = make(), []
    history = train(
        resumed, DEVICE, label="resumed", checkpointing=keeping, on_round=lambda epoch, row: epochs.append(epoch),
    )  # fmt: skip
    assert epochs == list(undisturbed.logged_epochs[last:]), "finished epochs are not trained again"
    assert history == expected
    assert_same(resumed.module, undisturbed.module)


def test_finished_training_is_not_trained_again(tmp_path: Path) -> None:
    keeping = Checkpointing(tmp_path, 0.0)
    first = solo_plan()
    history = train(first, DEVICE, label="first", checkpointing=keeping)
    again = solo_plan()

    def refuse(epoch: int, row: dict[str, float]) -> None:
        raise AssertionError("an epoch ran")

    assert train(again, DEVICE, label="again", checkpointing=keeping, on_round=refuse) == history
    assert_same(first.module, again.module)


def test_last_epoch_is_kept_however_rare_checkpoints_are(tmp_path: Path) -> None:
    train(solo_plan(), DEVICE, label="solo", checkpointing=Checkpointing(tmp_path, 1e9))
    assert (tmp_path / FILE).exists()


@pytest.mark.parametrize(("clip", "step"), [(0.0, 1000.0), (0.5, 0.5), (5000.0, 1000.0)])
def test_gradient_is_clipped_to_its_norm(clip: float, step: float) -> None:
    plan = one_weight(lambda weight: 1000 * weight, gradient_clip=clip)
    run_round(plan, torch.optim.SGD(plan.module.parameters(), lr=1.0), DEVICE, 0)
    assert next(plan.module.parameters()).item() == pytest.approx(-step, rel=1e-5)


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_loss_that_is_not_finite_is_named_and_changes_no_weight(clip: float) -> None:
    plan = one_weight(lambda weight: weight / 0.0, start=1.0, gradient_clip=clip)
    with pytest.raises(
        InputError, match=r"^epoch 1, step 1: expected finite losses, found formula not finite"
    ):
        train(plan, DEVICE, label="bad", checkpointing=NOWHERE)
    assert next(plan.module.parameters()).item() == 1.0


def test_gradient_that_is_not_finite_is_told_and_changes_no_weight(tmp_path: Path) -> None:
    plan = one_weight(lambda weight: weight.abs().sqrt())
    with pytest.raises(InputError, match=r"^epoch 1, step 1: expected a finite gradient.*no checkpoint yet"):
        train(plan, DEVICE, label="bad", checkpointing=Checkpointing(tmp_path, 0.0))
    assert list(tmp_path.iterdir()) == []
    assert next(plan.module.parameters()).item() == 0.0


def test_weight_that_is_not_finite_is_told_before_it_is_stored(tmp_path: Path) -> None:
    plan = one_weight(lambda weight: weight * 1e30, learning_rate=1e10)
    plan.make_optimiser = lambda: torch.optim.SGD(plan.module.parameters(), lr=1.0)  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"^epoch 1: expected finite weights, found weight not finite"):
        train(plan, DEVICE, label="bad", checkpointing=Checkpointing(tmp_path, 0.0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [solo_plan, pair_plan])
def test_a_training_that_diverges_ends(make: Callable[..., Plan], tmp_path: Path) -> None:
    """Its losses stay finite, at 1e4 to 1e16: nothing else would tell of it before the scores."""
    plan = make(learning_rate=2.0)
    with pytest.raises(
        InputError,
        match=rf"^epoch {plan.logged_epochs[0]}: expected a loss that falls.*the training diverged - lower",
    ):
        train(plan, DEVICE, label="bad", checkpointing=Checkpointing(tmp_path, 0.0))
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_training_that_diverges_ends(tmp_path: Path) -> None:
    def fine_until_the_third(weight: torch.Tensor) -> torch.Tensor:
        return weight.square() * (1e9 if len(calls) > 2 else 1.0)

    calls: list[int] = []
    plan = one_weight(fine_until_the_third, start=2.0, learning_rate=0.1)
    plan.epochs, keeping = 2, Checkpointing(tmp_path, 0.0)
    train(plan, DEVICE, label="good", checkpointing=keeping)
    calls += [1, 2, 3]
    plan = one_weight(fine_until_the_third, start=2.0, learning_rate=0.1)
    plan.epochs = 3
    with pytest.raises(InputError, match=r"^epoch 3: .*after 4 at the start.*checkpoint is that of epoch 2"):
        train(plan, DEVICE, label="bad", checkpointing=keeping)


def test_failing_step_names_the_last_checkpoint_and_leaves_it_alone(tmp_path: Path) -> None:
    calls: list[int] = []

    def fine_until_the_third(weight: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return weight.square() / (0.0 if len(calls) == 3 else 1.0)

    plan = one_weight(fine_until_the_third, start=2.0, learning_rate=0.1)
    plan.epochs = 5
    keeping = Checkpointing(tmp_path, 0.0)
    kept: list[bytes] = []

    def note(epoch: int, row: dict[str, float]) -> None:
        kept.extend([file.read_bytes() for file in tmp_path.iterdir()])

    with pytest.raises(InputError) as caught:
        train(plan, DEVICE, label="bad", checkpointing=keeping, on_round=note)
    told = str(caught.value)
    assert told.startswith("epoch 3, step 1: expected finite losses, found formula not finite")
    assert f"the last checkpoint is that of epoch 2, {tmp_path / FILE}" in told
    resumed = one_weight(torch.square, start=2.0, learning_rate=0.1)
    resumed.epochs = 2
    train(resumed, DEVICE, label="again", checkpointing=keeping)
    assert math.isfinite(next(resumed.module.parameters()).item())


def test_bfloat16_trains_in_float32_weights() -> None:
    plan = solo_plan(epochs=4)
    history = train(plan, replace(DEVICE, bfloat16=True), label="bf16", checkpointing=NOWHERE)
    assert all(math.isfinite(row["loss"]) for row in history)
    assert {parameter.dtype for parameter in plan.module.parameters()} == {torch.float32}
