"""The discriminator: scores of patches, bounded layers; and the two losses of an adversarial training."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pairvae.models.discriminator import PATCH, PatchDiscriminator, spectrally_normalised
from pairvae.training.adversarial import DISCRIMINATOR_WEIGHT, AdversarialLoss
from pairvae.training.loop import Checkpointing, train
from tiny_plans import DEVICE, NOWHERE, KilledError, adversarial_plan, assert_same


def discriminator(width: int = 4) -> PatchDiscriminator:
    torch.manual_seed(0)
    return PatchDiscriminator(width, 3, 1)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def latents(count: int = 4) -> Tensor:
    return torch.randn(count, 3, 1, 1, generator=seeded(1))


def noise(count: int = 4, side: int = 64, seed: int = 2) -> Tensor:
    return torch.rand(count, 1, side, side, generator=seeded(seed))


def stripes(count: int = 4, side: int = 64) -> Tensor:
    row = ((torch.arange(side)[None] + 3 * torch.arange(count)[:, None]) % 10 < 5).float()
    return row[:, None, None].expand(count, 1, side, side).contiguous()


@pytest.mark.parametrize("shape", [(8, 3, 3, 3), (2, 30), (30, 2), (1, 5)])
def test_a_normalised_weight_stretches_nothing(shape: tuple[int, ...]) -> None:
    weight = 5 * torch.randn(shape, generator=seeded(0))
    found = spectrally_normalised(weight).flatten(1)
    assert float(torch.linalg.matrix_norm(found, 2)) == pytest.approx(1.0, rel=1e-4)
    torch.testing.assert_close(found / found[0, 0], weight.flatten(1) / weight.flatten(1)[0, 0])


def test_one_score_sees_one_patch() -> None:
    images = noise(1, 96)
    changed = images.clone()
    changed[..., PATCH:] = 0.0
    first, second = (discriminator()(one, latents(1)) for one in (images, changed))
    assert first.shape == (1, 8, 8)
    torch.testing.assert_close(first[..., 0], second[..., 0])
    assert not torch.isclose(first[..., 1], second[..., 1]).any()


@pytest.mark.parametrize("side", [16, 32, PATCH])
def test_small_images_are_one_patch(side: int) -> None:
    assert discriminator()(noise(2, side), latents(2)).shape == (2, 1, 1)


def test_scores_depend_on_the_latent() -> None:
    images = noise(1).expand(2, -1, -1, -1)
    first, second = discriminator()(images, latents(2))
    assert (first - second).abs().max() > 1e-3


@pytest.mark.parametrize("side", [48, 64, 96])
def test_each_loss_has_its_formula_and_reaches_its_own_side_alone(side: int) -> None:
    judge, true = discriminator(), stripes(side=side)
    decoded = noise().requires_grad_()
    losses = AdversarialLoss(judge, 0.3)(decoded, true, latents())
    common = min(side, 64)
    phases = (decoded.detach()[..., :common, :common] >= 0.5).float().requires_grad_()
    expected = -judge(phases, latents(), frozen=True).mean()
    expected.backward()
    losses["generator"].backward()
    torch.testing.assert_close(losses["generator"], expected)
    assert decoded.grad is not None
    torch.testing.assert_close(decoded.grad[..., :common, :common], phases.grad)
    assert all(parameter.grad is None for parameter in judge.parameters())

    true_scores = judge(true[..., :common, :common], latents())
    hinge = F.relu(1 - true_scores).mean() + F.relu(1 + judge(phases.detach(), latents())).mean()
    torch.testing.assert_close(losses["discriminator"], hinge)
    decoded.grad = None
    losses["discriminator"].backward()
    assert decoded.grad is None
    assert all(parameter.grad is not None for parameter in judge.parameters())


def test_of_grey_levels_the_discriminator_sees_these_and_not_phases() -> None:
    judge, decoded = discriminator(), noise().requires_grad_()
    losses = AdversarialLoss(judge, 0.3, two_phases=False)(decoded, stripes(side=64), latents())
    expected = -judge(decoded.detach(), latents(), frozen=True).mean()
    torch.testing.assert_close(losses["generator"], expected)
    phases = AdversarialLoss(judge, 0.3)(decoded, stripes(side=64), latents())
    assert not torch.isclose(losses["generator"], phases["generator"])


def test_a_discriminator_learns_to_tell_stripes_from_noise_and_the_gradient_raises_its_scores() -> None:
    judge = discriminator()
    loss = AdversarialLoss(judge, 1.0)
    optimiser = torch.optim.Adam(judge.parameters(), lr=2e-3, betas=(0.5, 0.99))
    for step in range(60):
        optimiser.zero_grad()
        loss(noise(seed=step), stripes(), latents())["discriminator"].backward()
        optimiser.step()
    true_score, noise_score = (judge(one, latents()).mean() for one in (stripes(), noise(seed=99).round()))
    assert true_score > 0.5 > -0.5 > noise_score
    decoded = noise(seed=98).requires_grad_()
    loss(decoded, stripes(), latents())["generator"].backward()
    assert decoded.grad is not None
    better = (decoded.detach() - 50 * decoded.grad).clamp(0, 1)
    assert judge(better, latents()).mean() > judge(decoded.detach(), latents()).mean() + 0.1


def test_the_plan_trains_both_and_reports_both_losses_beside_an_unchanged_loss() -> None:
    plan, without = adversarial_plan(), dataclasses.replace(adversarial_plan(), adversarial={})
    generator = torch.Generator().manual_seed(1)
    batch, state = next(iter(plan.batches(0))), generator.get_state()
    terms = plan.loss(batch, generator)
    generator.set_state(state)
    plain = without.loss(next(iter(without.batches(0))), generator)
    assert terms.parts.keys() - plain.parts.keys() == {"sem_sem_generator", "sem_sem_discriminator"}
    assert torch.equal(terms.total, plain.total)
    assert plan.weight("sem_sem_generator") == 0.3
    assert plan.weight("sem_sem_discriminator") == DISCRIMINATOR_WEIGHT
    terms.total.backward()
    plain.total.backward()
    conv = "decoder.first.0.conv.weight"
    first, second = plan.vae.get_parameter(conv).grad, without.vae.get_parameter(conv).grad
    assert first is not None and second is not None and not torch.allclose(first, second)
    judge = plan.adversarial["sem"].discriminator
    assert all(parameter.grad is not None for parameter in judge.parameters())


def test_checkpoints_hold_the_discriminator_and_the_model_does_not(tmp_path: Path) -> None:
    undisturbed = adversarial_plan()
    train(undisturbed, DEVICE, label="sem", checkpointing=NOWHERE)

    def kill(epoch: int, row: dict[str, float]) -> None:
        if epoch == 3:
            raise KilledError

    kept = Checkpointing(tmp_path, 0.0)
    with pytest.raises(KilledError):
        train(adversarial_plan(), DEVICE, label="sem", checkpointing=kept, on_round=kill)
    resumed = adversarial_plan()
    train(resumed, DEVICE, label="sem", checkpointing=kept)
    assert_same(resumed.module, undisturbed.module)
    assert not any("discriminator" in name for name in resumed.vae.state_dict())
