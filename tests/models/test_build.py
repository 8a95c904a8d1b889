"""Networks from settings and cards; weights by name; export to the registry's format."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import nn

from pairvae.errors import InputError
from pairvae.models.build import build_vae, describe, from_description
from pairvae.models.weights import load_weights, trained
from pairvae.settings import CompactNetwork, LatentSettings, Network, TextureNetwork

LATENT = LatentSettings(channels=3, grid=1)
COMPACT = CompactNetwork(architecture="compact", components=4, width=8, pool=2)
TEXTURE = TextureNetwork(
    architecture="texture", components=4, width=8, noise_channels=4, block_widths=(4, 4, 4)
)
SHAPES: dict[str, tuple[int, int, int]] = {"compact": (3, 32, 32), "texture": (1, 32, 32)}
KINDS = [COMPACT, TEXTURE]


def equal(first: nn.Module, second: nn.Module) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("network", KINDS, ids=lambda one: str(one.architecture))
def test_seed_gives_the_weights_and_leaves_the_global_stream_alone(network: Network) -> None:
    shape = SHAPES[network.architecture]
    before = torch.random.get_rng_state()
    first = build_vae(network, LATENT, shape, seed=5)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(99)
    assert equal(first, build_vae(network, LATENT, shape, seed=5))
    assert not equal(first, build_vae(network, LATENT, shape, seed=6))


@pytest.mark.parametrize("network", KINDS, ids=lambda one: str(one.architecture))
@pytest.mark.parametrize("grid", [1, 2])
def test_shapes_and_ranges(network: Network, grid: int) -> None:
    shape = SHAPES[network.architecture]
    vae = build_vae(network, LatentSettings(channels=3, grid=grid), shape, seed=0)
    posterior = vae.posterior(torch.rand(2, *shape))
    assert posterior.mean.shape == posterior.std.shape == (2, 3, grid, grid)
    assert (posterior.std > 0).all()
    image = vae.decoder(posterior.mean)
    assert image.shape == (2, *shape)
    assert ((image >= 0) & (image <= 1)).all()


def test_texture_needs_one_channel() -> None:
    with pytest.raises(InputError, match=r"network\.architecture: expected a binary image, found 3 channels"):
        build_vae(TEXTURE, LATENT, (3, 32, 32), seed=0)


@pytest.mark.parametrize("network", KINDS, ids=lambda one: str(one.architecture))
def test_card_builds_the_same_network(network: Network) -> None:
    shape = SHAPES[network.architecture]
    original = build_vae(network, LATENT, shape, seed=3)
    card = json.loads(json.dumps(describe(network, LATENT, shape)))
    rebuilt = from_description(card)
    load_weights(rebuilt, original.state_dict(), "card")
    assert equal(original, rebuilt)


@pytest.mark.parametrize(("change", "message"), [
    ({"drop": "weight"}, r"model: expected the weights of this network, found missing weight"),
    ({"add": "other"}, r"found unknown other"),
    ({"reshape": "weight"}, r"expected weight of shape \(2, 3\), found \(1, 3\)"),
])  # fmt: skip
def test_weights_of_another_network_are_refused_by_name(change: dict[str, str], message: str) -> None:
    module = nn.Linear(3, 2)
    kept = {name: value.clone() for name, value in module.state_dict().items()}
    weights: dict[str, Any] = {name: value + 1 for name, value in kept.items()}
    if "drop" in change:
        del weights[change["drop"]]
    if "add" in change:
        weights[change["add"]] = torch.zeros(1)
    if "reshape" in change:
        weights[change["reshape"]] = weights[change["reshape"]][:1]
    with pytest.raises(InputError, match=message):
        load_weights(module, weights, "model")
    assert all(torch.equal(module.state_dict()[name], kept[name]) for name in kept), "nothing half loaded"


@pytest.mark.parametrize("network", KINDS, ids=lambda one: str(one.architecture))
def test_encoder_and_decoder_export_with_a_free_batch(network: Network) -> None:
    shape = SHAPES[network.architecture]
    vae = build_vae(network, LATENT, shape, seed=0).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    for module, given in ((vae.encoder, shape), (vae.decoder, (3, 1, 1))):
        exported = torch.export.export(
            module, (torch.rand(2, *given),), dynamic_shapes=({0: batch},)
        ).module()
        for count in (1, 3, 8):
            inputs = torch.rand(count, *given, generator=torch.Generator().manual_seed(count))
            torch.manual_seed(0)
            found = exported(inputs)
            torch.manual_seed(0)
            expected = module(inputs)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_card_from_before_length_scales_builds_the_network_that_it_was_written_for() -> None:
    card = describe(TEXTURE, LatentSettings(channels=3, grid=1), (1, 64, 64))
    for name in ("stretch", "smooth", "encoded"):
        del card["network"][name]
    found = from_description(card)
    assert not any("lengths" in name for name in found.state_dict())
    assert found.decoder.periodic and found.decoder.smooth == 0
    assert found.encoder.encoded == ("autocovariance", "phase_fraction", "lineal_path")


@pytest.mark.parametrize("width", [10**9, 10**30])
def test_a_card_of_widths_that_no_tensor_can_have_is_refused(width: int) -> None:
    """Found by fuzzing: torch answers a number beyond 64 bits with a TypeError."""
    card = describe(TEXTURE, LatentSettings(channels=3, grid=1), (1, 64, 64))
    card["network"]["block_widths"] = [4, width, 4]
    with pytest.raises(InputError, match="expected"):
        trained(card, {}, "card.json")
