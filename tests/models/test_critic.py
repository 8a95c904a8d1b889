"""The critic: scores of patches, bounded layers, and a duel whose gradients are those of its two losses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pairvae.models.critic import CRITIC, PATCH, PatchCritic, duel, normalised
from pairvae.models.likelihoods import TextureMatch
from pairvae.models.texture import TextureDecoder

INDICES = torch.arange(4)


def critic(width: int = 4) -> PatchCritic:
    torch.manual_seed(0)
    return PatchCritic(width, 3, 1)


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
    found = normalised(weight).flatten(1)
    assert float(torch.linalg.matrix_norm(found, 2)) == pytest.approx(1.0, rel=1e-4)
    torch.testing.assert_close(found / found[0, 0], weight.flatten(1) / weight.flatten(1)[0, 0])


def test_one_score_sees_one_patch() -> None:
    images = noise(1, 96)
    changed = images.clone()
    changed[..., PATCH:] = 0.0
    first, second = (critic()(one, latents(1)) for one in (images, changed))
    assert first.shape == (1, 8, 8)
    torch.testing.assert_close(first[..., 0], second[..., 0])
    assert not torch.isclose(first[..., 1], second[..., 1]).any()


@pytest.mark.parametrize("side", [16, 32, PATCH])
def test_small_images_are_one_patch(side: int) -> None:
    assert critic()(noise(2, side), latents(2)).shape == (2, 1, 1)


def test_scores_depend_on_the_latent() -> None:
    images = noise(1).expand(2, -1, -1, -1)
    first, second = critic()(images, latents(2))
    assert (first - second).abs().max() > 1e-3


def test_the_duel_is_worth_nothing_and_has_the_gradients_of_both_sides() -> None:
    judge, weight = critic(), 0.3
    shown = noise().requires_grad_()
    nothing = duel(judge, shown, stripes(), latents(), weight)
    assert float(nothing.detach()) == 0.0
    nothing.backward()
    phases = (shown.detach() >= 0.5).float().requires_grad_()
    (-weight * critic()(phases, latents()).mean()).backward()
    torch.testing.assert_close(shown.grad, phases.grad)

    other = critic()
    hinge = (
        F.relu(1 - other(stripes(), latents())).mean() + F.relu(1 + other(phases.detach(), latents())).mean()
    )
    (CRITIC * hinge).backward()
    assert float(hinge.detach()) > 0.5
    for name, parameter in other.named_parameters():
        torch.testing.assert_close(judge.get_parameter(name).grad, parameter.grad, rtol=1e-4, atol=1e-6)


def test_a_critic_learns_to_tell_stripes_from_noise_and_the_decoder_to_please_it() -> None:
    judge = critic()
    optimiser = torch.optim.Adam(judge.parameters(), lr=2e-3, betas=(0.5, 0.99))
    for step in range(60):
        optimiser.zero_grad()
        duel(judge, noise(seed=step), stripes(), latents(), 1.0).backward()
        optimiser.step()
    of_true, of_noise = (judge(one, latents()).mean() for one in (stripes(), noise(seed=99).round()))
    assert of_true > 0.5 > -0.5 > of_noise
    shown = noise(seed=98).requires_grad_()
    duel(judge, shown, stripes(), latents(), 1.0).backward()
    assert shown.grad is not None
    better = (shown.detach() - 50 * shown.grad).clamp(0, 1)
    assert judge(better, latents()).mean() > judge(shown.detach(), latents()).mean() + 0.1


def trained(adversarial: float, *, training: bool, side: int = 64) -> tuple[float, dict[str, Tensor | None]]:
    torch.manual_seed(0)
    decoder = TextureDecoder(64, 3, 4, (4, 4), critic=PatchCritic(4, 3, 1)).train(training)
    likelihood = TextureMatch(None, {"autocovariance": 1.0, "phase_fraction": 1.0}, 64, adversarial)
    misfit = likelihood(decoder, latents(), stripes(side=side), INDICES, seeded(5))
    misfit.backward()
    return float(misfit.detach()), {name: parameter.grad for name, parameter in decoder.named_parameters()}


@pytest.mark.parametrize("side", [48, 64, 96])
def test_the_critic_adds_gradients_and_no_value_to_the_misfit(side: int) -> None:
    without, plain = trained(0.0, training=True, side=side)
    judged, found = trained(0.3, training=True, side=side)
    assert judged == without
    assert all(plain[name] is None for name in plain if name.startswith("critic."))
    assert all(found[name] is not None for name in found if name.startswith("critic."))
    name = "first.0.conv.weight"
    assert not torch.allclose(plain[name], found[name])  # type: ignore[arg-type]


def test_outside_training_the_critic_is_not_asked() -> None:
    _, found = trained(0.3, training=False)
    assert all(found[name] is None for name in found if name.startswith("critic."))
