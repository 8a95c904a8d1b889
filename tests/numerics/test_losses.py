import math

import pytest
import torch

from pairvae.numerics.losses import (
    barlow_twins,
    kl_to_unit_normal,
    latent_distance,
    simclr,
    standardise,
)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_kl_of_the_unit_normal_with_itself_is_0() -> None:
    assert torch.equal(kl_to_unit_normal(torch.zeros(3, 4), torch.ones(3, 4)), torch.zeros(3))


def test_kl_of_a_shifted_and_of_a_narrow_normal() -> None:
    one = torch.ones(1, 1)
    assert kl_to_unit_normal(one, one).item() == 0.5
    narrow = kl_to_unit_normal(0 * one, 0.5 * one).item()
    assert narrow == pytest.approx(0.5 * (0.25 - 1) + math.log(2), abs=1e-6)


def test_kl_sums_over_all_but_the_batch() -> None:
    found = kl_to_unit_normal(torch.ones(2, 3, 4, 4), torch.ones(2, 3, 4, 4))
    assert torch.equal(found, torch.full((2,), 0.5 * 48))


def test_standardised_features_have_mean_0_and_deviation_1() -> None:
    found = standardise(3 + 5 * normal(0, 64, 7))
    torch.testing.assert_close(found.mean(0), torch.zeros(7), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(0, correction=0), torch.ones(7), atol=1e-4, rtol=0)


def test_barlow_of_equal_uncorrelated_latents_is_0() -> None:
    latents = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert barlow_twins(latents, latents).item() == pytest.approx(0.0, abs=1e-10)


def test_barlow_of_opposite_latents_is_4_and_of_equal_features_the_redundancy() -> None:
    latents = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert barlow_twins(latents, -latents).item() == pytest.approx(4.0, abs=1e-4)
    same = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    assert barlow_twins(same, same, 0.25).item() == pytest.approx(0.25, abs=1e-5)


def test_barlow_does_not_see_scale_and_offset_and_takes_maps() -> None:
    first, second = normal(1, 8, 2, 3, 3), normal(2, 8, 2, 3, 3)
    torch.testing.assert_close(
        barlow_twins(first, second), barlow_twins(4 * first - 2, second), atol=1e-4, rtol=0
    )


def test_barlow_of_one_feature_has_no_crossed_part() -> None:
    column = torch.tensor([[1.0], [-1.0]])
    assert barlow_twins(column, column).item() == pytest.approx(0.0, abs=1e-10)


def test_barlow_of_constant_latents_has_a_finite_gradient() -> None:
    latents = torch.zeros(4, 3, requires_grad=True)
    barlow_twins(latents, normal(0, 4, 3)).backward()
    assert latents.grad is not None
    assert torch.isfinite(latents.grad).all()


def test_simclr_of_orthogonal_pairs() -> None:
    basis = torch.eye(4)
    temperature = 0.5
    expected = math.log(math.exp(1 / temperature) + 3) - 1 / temperature
    assert simclr(basis, basis, temperature).item() == pytest.approx(expected, abs=1e-6)
    assert simclr(basis, 7 * basis, temperature).item() == pytest.approx(expected, abs=1e-6)


def test_simclr_of_indistinguishable_latents_is_log_n_and_symmetric() -> None:
    assert simclr(torch.ones(5, 3), torch.ones(5, 3)).item() == pytest.approx(math.log(5), abs=1e-6)
    first, second = normal(1, 6, 4), normal(2, 6, 4)
    torch.testing.assert_close(simclr(first, second), simclr(second, first))
    assert simclr(first, first) < simclr(first, second)


def test_distance() -> None:
    latents = normal(0, 3, 2, 4)
    assert latent_distance(latents, latents).item() == 0.0
    assert latent_distance(latents, latents + 2).item() == pytest.approx(4.0, abs=1e-5)


def test_summed_barlow_makes_equal_features_costly() -> None:
    same = torch.randn(64, 1).expand(64, 5)
    assert barlow_twins(same, same, 0.25, summed=True).item() == pytest.approx(0.25 * 4, abs=1e-4)
