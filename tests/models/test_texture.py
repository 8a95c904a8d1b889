"""The texture VAE: noise says where, the latent says what, any side that is a multiple of 8 px."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pairvae.models.texture import (
    STYLE_WIDTH,
    StyledConv,
    TextureDecoder,
    TextureEncoder,
    grown_convolution,
    stretched,
)
from pairvae.models.torus import circular_pad
from pairvae.numerics.descriptors import edge_roughness


def crops(count: int, side: int = 64) -> Tensor:
    """Stripes of several periods and directions, 0 and 1."""
    x = torch.arange(side)
    images = [(x % (6 + 2 * number) < 3 + number).float().expand(1, side, side) for number in range(count)]
    return torch.stack([image.mT if number % 2 else image for number, image in enumerate(images)])


def decoder(size: int = 64) -> TextureDecoder:
    torch.manual_seed(0)
    return TextureDecoder(size, 4, 8, (8, 8, 8)).eval()


def latents(count: int, grid: int = 1) -> Tensor:
    return torch.randn(count, 4, grid, grid, generator=torch.Generator().manual_seed(2))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("grid", [1, 2])
def test_encoder_shapes_and_whitened_features(grid: int) -> None:
    encoder = TextureEncoder(4, 16, 3, grid)
    inputs = crops(12)
    encoder.fit(inputs)
    features = encoder.features(inputs)
    torch.testing.assert_close(features.mean(0), torch.zeros(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(features.std(0), torch.ones(4), atol=1e-2, rtol=0)
    assert encoder(inputs).shape == (12, 6, grid, grid)


def test_each_kind_of_statistic_weighs_the_same() -> None:
    encoder = TextureEncoder(4, 16, 3, 1)
    inputs = crops(12)
    encoder.fit(inputs)
    scaled = torch.split(encoder.descriptors(inputs), encoder.sizes, dim=1)
    for part in scaled:
        assert part.var(0, correction=0).sum().item() == pytest.approx(1.0, rel=1e-3)


def test_encoder_takes_crops_of_other_sides() -> None:
    encoder = TextureEncoder(4, 16, 3, 1)
    encoder.fit(crops(6, 64))
    assert encoder(crops(2, 128)).shape == (2, 6, 1, 1)


def test_encoder_does_not_care_where_the_crop_lies() -> None:
    encoder = TextureEncoder(4, 16, 3, 1)
    inputs = crops(12)
    encoder.fit(inputs)
    moved = encoder.features(inputs.roll((3, 5), dims=(2, 3)))
    gap = (moved - encoder.features(inputs)).norm(dim=1).mean()
    spread = (encoder.features(inputs) - encoder.features(inputs.flip(0))).norm(dim=1).mean()
    assert gap < 0.3 * spread


@pytest.mark.parametrize("count", [1, 2])
def test_one_and_two_crops_are_enough_to_fit(count: int) -> None:
    encoder = TextureEncoder(4, 16, 3, 1)
    encoder.fit(crops(count))
    assert torch.isfinite(encoder(crops(3))).all()


@pytest.mark.parametrize("grid", [1, 2, 6])
def test_decoder_shapes_and_range(grid: int) -> None:
    image = decoder()(latents(3, grid))
    assert image.shape == (3, 1, 64, 64)
    assert image.min() >= 0
    assert image.max() <= 1


@pytest.mark.parametrize("side", [32, 64, 96, 192])
def test_decoder_makes_any_side(side: int) -> None:
    assert decoder().logits(latents(2), seeded(0), side).shape == (2, 1, side, side)


def test_noise_is_fresh_unless_a_generator_is_given() -> None:
    network, latent = decoder(), latents(2)
    assert torch.equal(network.logits(latent, seeded(1)), network.logits(latent, seeded(1)))
    assert not torch.equal(network.logits(latent, seeded(1)), network.logits(latent, seeded(2)))
    assert not torch.equal(network(latent), network(latent))


def test_equal_latents_of_a_batch_get_their_own_noise() -> None:
    same = decoder().logits(latents(1).expand(2, -1, -1, -1), seeded(0))
    assert (same[0] - same[1]).abs().mean() > 0.1


def test_latent_changes_the_image_at_equal_noise() -> None:
    network = decoder()
    first, second = (network.logits(latent, seeded(0)) for latent in (latents(1), -3 * latents(1)))
    assert (first - second).abs().mean() > 1e-3


def test_untrained_decoder_has_contrast() -> None:
    """At a flat grey the gradient of the autocovariance vanishes, and training would not start."""
    image = decoder()(latents(4))
    assert image.std((1, 2, 3)).min() > 0.1


def test_texture_has_no_seam() -> None:
    """Circular padding: the step across the border is as large as one inside."""
    image = decoder()(latents(8))
    across = (image[..., 0] - image[..., -1]).abs().mean()
    inside = (image[..., 1:] - image[..., :-1]).abs().mean()
    assert 0.5 < across / inside < 2


def test_a_convolution_of_doubled_pixels_is_what_it_says_with_its_gradients() -> None:
    maps, weight = (
        torch.randn(shape, generator=seeded(4), dtype=torch.float64, requires_grad=True)
        for shape in ((2, 3, 4, 6), (5, 3, 3, 3))
    )
    doubled = F.interpolate(maps, scale_factor=2.0, mode="nearest")
    expected = F.conv2d(circular_pad(doubled, 1), weight)
    found = grown_convolution(circular_pad(maps, 1), weight)
    torch.testing.assert_close(found, expected)
    gradients = (torch.autograd.grad(made.square().sum(), (maps, weight)) for made in (found, expected))
    torch.testing.assert_close(*gradients)


def test_gradients_reach_the_latent_and_every_parameter() -> None:
    network, latent = decoder(), latents(2).requires_grad_()
    network.logits(latent, seeded(0)).square().mean().backward()
    assert latent.grad is not None
    assert latent.grad.abs().max() > 0
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def waves(side: int, period: float) -> Tensor:
    """Waves along the columns' index with a crest in the middle, ``(1, 1, side, side)``."""
    place = torch.arange(side) - (side - 1) / 2
    return torch.cos(2 * torch.pi * place / period).expand(1, 1, side, side)


def test_a_factor_of_1_changes_nothing() -> None:
    image = torch.rand(2, 3, 32, 32, generator=seeded(0))
    assert torch.equal(stretched(image, torch.ones(2, 2)), image)


@pytest.mark.parametrize("factor", [0.9, 1.04, 1.1])
def test_lengths_grow_by_the_factor_of_their_axis(factor: float) -> None:
    """The cubic convolution errs by (2 pi / period)^3, 0.3 % at 12 px; 96 px hold whole periods, so nothing jumps."""
    found = stretched(waves(96, 12).repeat(2, 1, 1, 1), torch.tensor([[1.0, factor], [factor, 1.0]]))
    torch.testing.assert_close(found[0, 0], waves(96, 12 * factor)[0, 0], atol=0.01, rtol=0)
    torch.testing.assert_close(found[1, 0], waves(96, 12)[0, 0], atol=0.01, rtol=0)


def test_the_latent_sets_the_length_scale_within_the_stretch() -> None:
    torch.manual_seed(0)
    network = TextureDecoder(64, 4, 8, (8, 8, 8), stretch=0.1).eval()
    plain = TextureDecoder(64, 4, 8, (8, 8, 8)).eval()
    plain.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("lengths")})
    assert torch.equal(network.logits(latents(2), seeded(0)), plain.logits(latents(2), seeded(0)))
    with torch.no_grad():
        network.lengths.bias.copy_(torch.tensor([0.0, 100.0]))
    expected = stretched(plain.logits(latents(2), seeded(0)), torch.tensor([[1.0, 1.1]] * 2))
    torch.testing.assert_close(network.logits(latents(2), seeded(0)), expected)
    assert plain.periodic and not network.periodic


def test_one_style_everywhere_is_that_of_a_grid_of_equal_ones() -> None:
    """By one batch norm, and by instance norm, scale and shift."""
    torch.manual_seed(0)
    layer = StyledConv(5, 6)
    maps, style, noise = torch.randn(3, 5, 8, 10), torch.randn(3, STYLE_WIDTH, 1, 1), torch.randn(3, 1, 8, 10)
    found, wanted = (layer(maps, style.expand(3, STYLE_WIDTH, grid, grid), noise) for grid in (1, 2))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    named = list(layer.parameters())
    for own, plain in zip(
        *(torch.autograd.grad(one.square().sum(), named) for one in (found, wanted)), strict=True
    ):
        torch.testing.assert_close(own, plain, atol=1e-3, rtol=1e-4)


def test_a_decoder_that_smooths_draws_smoother_edges() -> None:
    plain = decoder()
    network = TextureDecoder(plain.size, 4, 8, (8, 8, 8), smooth=1).eval()
    network.load_state_dict(plain.state_dict())
    rough, smooth = (one.logits(latents(6), seeded(0))[:, 0] >= 0 for one in (plain, network))
    assert edge_roughness(smooth.numpy()).mean() < 0.7 * edge_roughness(rough.numpy()).mean()


def test_gradients_reach_the_length_scale() -> None:
    network = TextureDecoder(64, 4, 8, (8, 8, 8), stretch=0.1)
    network.logits(latents(2), seeded(0)).square().mean().backward()
    assert network.lengths.bias.grad is not None
    assert network.lengths.bias.grad.abs().min() > 0


def test_the_encoder_sees_the_statistics_that_it_is_told_to() -> None:
    counted = TextureEncoder(4, 16, 3, 1, ("phase_fraction", "euler"))
    assert counted.sizes == [1, 1]
    counted.fit(crops(12))
    assert counted(crops(3)).shape == (3, 6, 1, 1)


@pytest.mark.parametrize("size", [40, 64, 250])
def test_an_image_of_another_size_is_more_of_the_same_and_repeats_nowhere(size: int) -> None:
    torch.manual_seed(0)
    network = TextureDecoder(64, 4, 8, (8, 8, 8), stretch=0.3).eval()
    nn.init.constant_(
        network.lengths.bias, -5.0
    )  # as short as it can be: what lies beyond the torus would come in
    image = network.enlarged(latents(2), size)[:, 0]
    assert image.shape == (2, size, size)
    centred = image - image.mean((1, 2), keepdim=True)
    power = torch.fft.rfft2(centred, s=(2 * size, 2 * size)).abs().square()
    lags = torch.fft.irfft2(power, s=(2 * size, 2 * size))[:, :size, :size]
    overlap = torch.outer(size - torch.arange(size), size - torch.arange(size))
    correlation = (lags / overlap / centred.square().mean((1, 2), keepdim=True))[
        :, 24 : size - 12, : size - 12
    ]
    assert correlation.abs().max() < 0.6
