"""Principal components are exact on data of low rank, and the dense networks around them keep shapes and ranges."""

import pytest
import torch
from torch import Tensor

from pairvae.models.compact import CompactDecoder, CompactEncoder, DenseHead, principal_components

SHAPE = (3, 16, 16)


def low_rank(count: int, size: int, rank: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.5 + torch.randn(count, rank, generator=generator) @ torch.randn(rank, size, generator=generator)


def pictures(count: int) -> Tensor:
    return torch.rand((count, *SHAPE), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("count", "size"), [(12, 50), (50, 12)])
def test_components_reproduce_data_of_their_rank(count: int, size: int) -> None:
    samples = low_rank(count, size, 3)
    mean, basis, spread = principal_components(samples, 3)
    scores = (samples - mean) @ basis.T
    torch.testing.assert_close(scores @ basis + mean, samples, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(basis @ basis.T, torch.eye(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(scores.std(0), spread, atol=1e-4, rtol=1e-4)
    assert (spread.diff() <= 0).all()


def test_components_past_the_rank_are_0_with_deviation_1() -> None:
    mean, basis, spread = principal_components(low_rank(20, 40, 3), 8)
    assert basis.shape == (8, 40)
    assert (basis[3:] == 0).all()
    assert (spread[3:] == 1).all()
    assert torch.isfinite(mean).all()


@pytest.mark.parametrize("count", [1, 2])
def test_one_and_two_samples_need_no_special_case(count: int) -> None:
    samples = low_rank(count, 10, 2)
    mean, basis, spread = principal_components(samples, 4)
    assert int((basis.abs().sum(1) > 0).sum()) == count - 1
    torch.testing.assert_close((samples - mean) @ basis.T @ basis + mean, samples, atol=1e-4, rtol=1e-4)
    assert (spread > 0).all()


def test_equal_samples_have_no_components() -> None:
    _, basis, spread = principal_components(torch.full((5, 6), 0.3), 2)
    assert (basis == 0).all()
    assert (spread == 1).all()


def test_signs_do_not_depend_on_the_order_of_samples() -> None:
    samples = low_rank(15, 30, 4)
    first, second = principal_components(samples, 4)[1], principal_components(samples.flip(0), 4)[1]
    torch.testing.assert_close(first, second, atol=1e-4, rtol=0)


@pytest.mark.parametrize("grid", [1, 3])
def test_head_starts_with_narrow_posteriors(grid: int) -> None:
    torch.manual_seed(0)
    statistics = DenseHead(6, 16, 4, grid)(torch.zeros(5, 6))
    assert statistics.shape == (5, 8, grid, grid)
    mean, std = statistics.chunk(2, dim=1)
    assert mean.abs().max() < 0.2
    assert ((std > 0.1) & (std < 0.16)).all()


@pytest.mark.parametrize("grid", [1, 2])
def test_encoder_whitens_its_training_samples(grid: int) -> None:
    encoder = CompactEncoder(SHAPE, 2, 5, 16, 4, grid)
    inputs = pictures(30)
    encoder.fit(inputs)
    features = encoder.features(inputs)
    torch.testing.assert_close(features.mean(0), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(features.T @ features / 29, torch.eye(5), atol=1e-3, rtol=0)
    assert encoder(inputs).shape == (30, 8, grid, grid)
    assert torch.equal(encoder(inputs), encoder.head(features))


def test_pooling_larger_than_the_picture_is_cut_to_it() -> None:
    encoder = CompactEncoder((1, 4, 6), 16, 2, 8, 2, 1)
    encoder.fit(torch.rand(3, 1, 4, 6))
    assert encoder(torch.rand(2, 1, 4, 6)).shape == (2, 4, 1, 1)


def test_decoder_can_reproduce_its_training_samples() -> None:
    decoder = CompactDecoder(SHAPE, 4, 8, 4, 1)
    samples = 0.5 + 0.01 * (low_rank(10, 3 * 256, 4) - 0.5)
    decoder.fit(samples.view(-1, *SHAPE))
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.zero_()
        decoder.shortcut.weight.copy_(torch.eye(4))  # the latent as component scores
    scores = (samples - decoder.mean) @ decoder.basis.T / decoder.spread
    decoded = decoder(scores.view(-1, 4, 1, 1))
    torch.testing.assert_close(decoded.flatten(1), samples, atol=1e-4, rtol=0)


def test_decoded_pictures_lie_in_0_to_1_and_raw_ones_need_not() -> None:
    torch.manual_seed(0)
    decoder = CompactDecoder(SHAPE, 4, 8, 4, 2)
    decoder.fit(pictures(6))
    latent = 100 * torch.randn(3, 4, 2, 2)
    image = decoder(latent)
    assert image.shape == (3, *SHAPE)
    assert image.min() >= 0
    assert image.max() <= 1
    assert decoder.logits(latent).abs().max() > 1
    torch.testing.assert_close(decoder.logits(latent).clamp(0, 1), image)


def test_fitted_parts_are_stored_but_not_trained() -> None:
    decoder = CompactDecoder(SHAPE, 4, 8, 4, 1)
    assert {"mean", "basis", "spread"} <= set(decoder.state_dict())
    assert not {"mean", "basis", "spread"} & {name for name, _ in decoder.named_parameters()}
