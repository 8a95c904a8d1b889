"""A step in parts has the gradient of the whole step; what happens when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pairvae.data.batches import noise_generator
from pairvae.errors import InputError
from pairvae.training import checkpoints
from pairvae.training.gradients import Gradients, memory_advice, out_of_memory
from pairvae.training.loop import Checkpointing, train
from pairvae.training.plans import PairPlan, SoloPlan
from tiny_plans import CPU, DEVICE, NOWHERE, adversarial_plan, norm_plan, one_weight, pair_plan, solo_plan

OOM = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
CPU_OOM = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
Makes = Callable[..., Any]


def gradient_of(
    plan: PairPlan | SoloPlan, micro_batch_size: int | None
) -> tuple[dict[str, Tensor], dict[str, float]]:
    plan.module.train()
    compute = Gradients(plan, DEVICE, micro_batch_size=micro_batch_size)
    terms = compute(next(iter(plan.batches(0))), noise_generator(3, 0, CPU))
    gradients = {name: one.grad for name, one in plan.module.named_parameters() if one.grad is not None}
    return gradients, {name: float(part) for name, part in {"total": terms.total, **terms.parts}.items()}


@pytest.mark.parametrize("micro_batch_size", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "make",
    [
        solo_plan,
        pair_plan,
        adversarial_plan,
        lambda: pair_plan(similarity="simclr"),
        lambda: pair_plan(similarity="distance", kl_weight=0.0),
    ],
)
def test_parts_give_the_gradient_and_the_terms_of_the_whole(make: Makes, micro_batch_size: int) -> None:
    whole, terms = gradient_of(make(), None)
    parts, found = gradient_of(make(), micro_batch_size)
    assert found == pytest.approx(terms, rel=1e-5)
    assert parts.keys() == whole.keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, rtol=1e-3, atol=2e-6)


class Limited:
    """A likelihood with memory for ``most`` samples."""

    def __init__(self, likelihood: Callable[..., Tensor], most: int, error: Exception) -> None:
        self.likelihood, self.most, self.error = likelihood, most, error
        self.failures = 0

    def __call__(self, decoder: Any, latent: Tensor, *others: Any) -> Tensor:
        if len(latent) > self.most:
            self.failures += 1
            raise self.error
        return self.likelihood(decoder, latent, *others)


def limited_pair(most: int, error: Exception = OOM) -> tuple[PairPlan, Limited]:
    plan = pair_plan()
    limited = Limited(plan.likelihoods["sem"], most, error)
    return replace(plan, likelihoods={**plan.likelihoods, "sem": limited}), limited


@pytest.mark.parametrize("error", [OOM, CPU_OOM, MemoryError()])
def test_out_of_memory_halves_what_is_decoded_at_a_time_for_the_rest(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = pair_plan()
    undisturbed = train(expected, DEVICE, label="pair", checkpointing=NOWHERE)
    capsys.readouterr()
    plan, limited = limited_pair(2, error)
    history = train(plan, DEVICE, label="pair", checkpointing=NOWHERE)
    assert limited.failures == 2, "5 samples, then 3; never again"
    told = [line for line in capsys.readouterr().err.splitlines() if "out of memory" in line]
    assert [line.split(" samples")[0][-1] for line in told] == ["3", "2"]
    for row, other in zip(history, undisturbed, strict=True):
        assert row == pytest.approx(other, rel=1e-3)
    for name, weight in expected.module.state_dict().items():
        torch.testing.assert_close(plan.module.state_dict()[name], weight, rtol=1e-2, atol=1e-3)


def test_what_a_batch_is_cut_into_outlives_the_process(tmp_path: Path) -> None:
    keeping = Checkpointing(tmp_path, 0.0)
    train(limited_pair(2)[0], DEVICE, label="pair", checkpointing=keeping)
    plan = pair_plan()
    kept = checkpoints.load(tmp_path, plan.module, plan.make_optimiser())
    assert kept is not None and kept.micro_batch_size == 2


def test_too_little_memory_for_one_sample_is_told_with_advice() -> None:
    plan, _ = limited_pair(0)
    with pytest.raises(InputError, match=r"^pair: expected enough memory for a step, found not even for one"):
        train(plan, DEVICE, label="pair", checkpointing=NOWHERE)


def test_batch_norms_are_not_computed_in_parts() -> None:
    plan = norm_plan()
    limited = replace(plan, likelihood=Limited(plan.likelihood, 2, OOM))
    with pytest.raises(
        InputError, match="found too little for a batch of 5 - its batch norms need the whole"
    ):
        train(limited, DEVICE, label="sem", checkpointing=NOWHERE)


def test_plan_that_cannot_be_divided_is_told() -> None:
    def fail(weight: Tensor) -> Tensor:
        raise OOM

    with pytest.raises(InputError, match="expected a training whose batches can be divided, found OneWeight"):
        train(one_weight(fail), DEVICE, label="other", checkpointing=NOWHERE)


def test_memory_that_runs_out_elsewhere_is_told_in_one_line() -> None:
    wanted = "train-sem: expected enough memory for a step, found DefaultCPU"
    with pytest.raises(InputError, match=wanted) as caught, memory_advice("train-sem"):
        raise CPU_OOM
    assert "\n" not in str(caught.value)


def test_other_errors_stay_what_they_are() -> None:
    plan, _ = limited_pair(2, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(plan, DEVICE, label="pair", checkpointing=NOWHERE)
    assert not out_of_memory(ValueError("out of memory"))
