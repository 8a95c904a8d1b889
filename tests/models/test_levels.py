"""The decoder of levels: on the colour map, silent in the gaps, and its likelihood."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from colour_samples import apply_colormap
from pairvae.models.levels import ComponentMatch, LevelDecoder
from pairvae.numerics.colormaps import invert_colormap, levels

SIDE = 32
SHAPE = (3, SIDE, SIDE)
GAP = slice(14, 18)


def patterns(count: int = 12, colormap: bool = True) -> torch.Tensor:
    """Rings of one radius and of many brightnesses, behind a bar."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    q = np.hypot(rows, columns)
    strengths = generator.uniform(0.2, 0.7, (count, 2))
    images = np.stack(
        [0.15 + a * np.exp(-((q - 9) ** 2) / 8) + 0.3 * b * np.exp(-q / 6) for a, b in strengths]
    )
    shown = apply_colormap(images, "vge") if colormap else np.repeat(images[..., None], 3, axis=-1)
    shown[:, :, GAP] = 0
    return torch.from_numpy(np.moveaxis(shown, -1, 1).astype(np.float32))


def fitted(samples: torch.Tensor, components: int = 2) -> LevelDecoder:
    torch.manual_seed(0)
    decoder = LevelDecoder(SHAPE, components, 8, 4, 1)
    decoder.fit(samples)
    return decoder


def shown(decoder: LevelDecoder, scores: torch.Tensor) -> torch.Tensor:
    """What the decoder makes of component scores."""
    decoder.scores = lambda latent: latent  # type: ignore[method-assign]
    with torch.no_grad():
        image: torch.Tensor = decoder(scores)
    return image


@pytest.mark.parametrize("colormap", [True, False])
def test_samples_come_back_from_their_scores(colormap: bool) -> None:
    samples = patterns(colormap=colormap)
    decoder = fitted(samples)
    assert bool(decoder.plain.all()) != colormap
    torch.testing.assert_close(shown(decoder, decoder.project(samples)), samples, atol=0.01, rtol=0)


def test_what_lies_between_two_samples_lies_on_the_colour_map() -> None:
    samples = patterns()
    decoder = fitted(samples)
    middle = decoder.project(samples).mean(0, keepdim=True)
    image = shown(decoder, middle)[0].numpy().transpose(1, 2, 0)
    assert invert_colormap(image, "vge")[1].max() < 0.02
    expected = levels(samples.numpy(), "vge").mean(0)
    assert np.abs(invert_colormap(image, "vge")[0] - expected).max() < 0.01


def test_gaps_stay_dark_whatever_the_latent() -> None:
    decoder = fitted(patterns())
    with torch.no_grad():
        images = decoder(5 * torch.randn(6, 4, 1, 1, generator=torch.Generator().manual_seed(1)))
    assert images.min() >= 0 and images.max() <= 1
    assert float(images[..., GAP].max()) < 1e-6


def test_likelihood_is_nothing_where_the_scores_are_right_and_scales_by_the_spread() -> None:
    samples = patterns()
    decoder = fitted(samples)
    wanted = decoder.project(samples)
    decoder.scores = lambda latent: wanted[:3] + latent  # type: ignore[method-assign]
    match, generator, indices = ComponentMatch(), torch.Generator(), torch.tensor([0, 1, 2])

    def loss(shift: torch.Tensor) -> float:
        return float(match(decoder, shift, samples[:3], indices, generator).loss)

    assert loss(torch.zeros(3, 2)) == pytest.approx(0, abs=1e-9)
    one = loss(decoder.spread.expand(3, 2))
    assert one == pytest.approx(0.06, rel=0.05)
    assert loss(2 * decoder.spread.expand(3, 2)) == pytest.approx(4 * one, rel=1e-4)


def test_likelihood_reads_a_sample_once() -> None:
    samples, match = patterns(), ComponentMatch()
    decoder = fitted(samples)
    latent, generator = torch.zeros(3, 4, 1, 1), torch.Generator()
    first = match(decoder, latent, samples[[2, 5, 7]], torch.tensor([2, 5, 7]), generator).loss
    torch.testing.assert_close(
        first, match(decoder, latent, samples[[2, 5, 7]], torch.tensor([2, 5, 7]), generator).loss
    )
    assert len(match.kept) == 3
    other = match(decoder, latent, samples[[7, 2, 9]], torch.tensor([7, 2, 9]), generator)
    assert {index for index, _ in match.kept} == {2, 5, 7, 9} and torch.isfinite(other.loss)
    match(decoder, latent, samples[[0, 1, 3]], torch.tensor([2, 5, 7]), generator)  # another numbering
    assert len(match.kept) == 7


def test_gradients_reach_the_network_both_ways() -> None:
    samples = patterns()
    decoder = fitted(samples)
    latent = torch.randn(4, 4, 1, 1, generator=torch.Generator().manual_seed(0))
    for loss in (
        ComponentMatch()(decoder, latent, samples[:4], torch.arange(4), torch.Generator()).loss,
        (decoder.logits(latent) - samples[:4]).square().mean(),
    ):
        decoder.zero_grad()
        loss.backward()
        assert decoder.output.weight.grad is not None
        assert float(decoder.output.weight.grad.abs().sum()) > 0


def test_it_can_be_exported_and_loaded() -> None:
    samples = patterns()
    decoder = fitted(samples).eval()
    other = LevelDecoder(SHAPE, 2, 8, 4, 1)
    other.load_state_dict(decoder.state_dict())
    latent = torch.randn(3, 4, 1, 1)
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(other.eval(), (latent,), dynamic_shapes=({0: batch},)).module()
    with torch.no_grad():
        torch.testing.assert_close(program(latent[:2]), decoder(latent[:2]))


def test_one_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="three channels"):
        LevelDecoder((1, 8, 8), 2, 8, 4, 1)
