import math

import pytest
import torch
from torch import nn

from pairvae.errors import InputError
from pairvae.models.pair import PairVAE
from pairvae.models.paper.architecture import (
    PaperDecoder,
    PaperEncoder,
    attach_backbone,
    build_paper_vae,
    check_grid,
)
from pairvae.models.paper.polyphase import UpConv
from pairvae.models.paper.resnet import Backbone, ResNet50
from pairvae.models.vae import VAE
from pairvae.settings import LatentSettings, resolve


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Backbone(ResNet50())


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(1)


def trainable(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def saxs_decoder() -> PaperDecoder:
    return PaperDecoder(3, latent_channels=32, filters=8, kernel=5, binary=False)


def sem_decoder(*, collapsed: bool = False) -> PaperDecoder:
    return PaperDecoder(1, latent_channels=32, filters=32, kernel=15, binary=True, collapsed=collapsed)


def test_trainable_parameters_are_the_published_numbers(backbone: Backbone) -> None:
    assert trainable(PaperEncoder(hidden=32, channels=32, backbone=backbone)) == 67_680
    assert trainable(saxs_decoder()) == 11_899
    assert trainable(sem_decoder()) == 1_152_416
    assert trainable(sem_decoder(collapsed=True)) == 1_152_416 - 31 * (32 * 15 * 15 + 1)


def test_shapes_and_ranges_at_the_published_size(backbone: Backbone) -> None:
    encoder = PaperEncoder(hidden=32, channels=32, backbone=backbone).eval()
    with torch.no_grad():
        statistics = encoder(torch.rand(1, 3, 192, 192))
        pattern = saxs_decoder().eval()(torch.randn(1, 32, 6, 6))
        image = sem_decoder(collapsed=True).eval()(torch.randn(1, 32, 6, 6))
    assert statistics.shape == (1, 64, 6, 6)
    assert bool((statistics.chunk(2, dim=1)[1] > 0).all())
    assert pattern.shape == (1, 3, 192, 192) and image.shape == (1, 1, 192, 192)
    for picture in (pattern, image):
        assert 0 <= float(picture.min()) < float(picture.max()) <= 1


def test_head_acts_on_each_position_alone_and_its_deviation_is_softplus(backbone: Backbone) -> None:
    encoder = PaperEncoder(hidden=32, channels=4, backbone=backbone)
    features = torch.rand(1, 2048, 2, 2)
    with torch.no_grad():
        moved = features.clone()
        moved[..., 0, 0] += 1.0
        changed = (encoder.head(moved) != encoder.head(features)).any(1)[0]
        encoder.output.weight.zero_()
        std = encoder.head(features).chunk(2, dim=1)[1]
    assert changed.tolist() == [[True, False], [False, False]]
    torch.testing.assert_close(std, torch.full_like(std, math.log(2)))  # softplus(0), the published start


def test_saxs_likelihood_sees_the_image_and_sem_likelihood_the_logit() -> None:
    latent = torch.randn(2, 32, 1, 1)
    saxs, sem = saxs_decoder().eval(), sem_decoder().eval()
    torch.testing.assert_close(saxs.logits(latent), saxs(latent))
    torch.testing.assert_close(sem.logits(latent).sigmoid(), sem(latent))


def test_initial_kernels_are_glorot_uniform_and_biases_zero(backbone: Backbone) -> None:
    layer = UpConv(32, 32, 15)
    limit = math.sqrt(6 / ((32 + 32) * 15 * 15))
    assert float(layer.weight.detach().abs().max()) <= limit
    assert float(layer.weight.detach().std()) == pytest.approx(limit / math.sqrt(3), rel=0.01)
    assert not layer.bias.any()
    head = PaperEncoder(hidden=32, channels=32, backbone=backbone).hidden
    assert float(head.weight.detach().abs().max()) <= math.sqrt(6 / (2048 + 32))
    one = sem_decoder(collapsed=True).convolutions[-1]
    assert isinstance(one, UpConv)
    assert float(one.weight.detach().std()) == pytest.approx(limit / math.sqrt(3 * 32), rel=0.05)


def test_batch_norms_are_keras_s() -> None:
    norms = [module for module in saxs_decoder().modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 4
    assert all(norm.eps == 1e-3 and norm.momentum == pytest.approx(0.01) for norm in norms)


def test_the_shared_backbone_is_frozen_and_left_out_of_the_state(backbone: Backbone) -> None:
    pair = PairVAE({
        "saxs": VAE(PaperEncoder(hidden=32, channels=32, backbone=backbone), saxs_decoder()),
        "sem": VAE(PaperEncoder(hidden=32, channels=32, backbone=backbone), sem_decoder(collapsed=True)),
    }).train()  # fmt: skip
    state = pair.state_dict()
    assert not [name for name in state if "backbone" in name]
    pair.load_state_dict(state)
    with pytest.raises(RuntimeError, match=r"vaes\.saxs\.encoder\.hidden\.weight"):
        pair.load_state_dict({k: v for k, v in state.items() if k != "vaes.saxs.encoder.hidden.weight"})
    assert not backbone.training
    assert trainable(pair) == 2 * 67_680 + 11_899 + 1_152_416 - 31 * (32 * 15 * 15 + 1)


def test_features_need_no_gradient(backbone: Backbone) -> None:
    encoder = PaperEncoder(hidden=32, channels=32, backbone=backbone)
    assert not encoder.features(torch.rand(1, 1, 64, 64)).requires_grad
    assert encoder(torch.rand(1, 1, 64, 64)).requires_grad


def test_exports_for_the_registry(backbone: Backbone) -> None:
    """MLflow's pt2 format: one tensor in, one out, any batch."""
    batch = ({0: torch.export.Dim.DYNAMIC},)
    latent = torch.randn(2, 32, 1, 1)
    decoder = sem_decoder(collapsed=True).eval()
    exported = torch.export.export(decoder, (latent,), dynamic_shapes=batch).module()
    torch.testing.assert_close(exported(latent.repeat(2, 1, 1, 1))[:2], decoder(latent))
    encoder = PaperEncoder(hidden=32, channels=32, backbone=backbone).eval()
    images = torch.rand(2, 3, 64, 64)
    exported = torch.export.export(encoder, (images,), dynamic_shapes=batch).module()
    torch.testing.assert_close(exported(images.repeat(2, 1, 1, 1))[:2], encoder(images))


def test_a_latent_grid_that_does_not_fit_the_images_is_named() -> None:
    check_grid(6, 192)
    with pytest.raises(InputError, match=r"latent\.grid: expected 8, 1/32 of the images' 256 px, found 6"):
        check_grid(6, 256)


def test_the_preset_builds_the_published_networks(backbone: Backbone) -> None:
    settings = resolve({"preset": "paper", "sem": {"network": {"collapsed": False}}})
    vaes = {
        "saxs": build_paper_vae(settings.saxs.network, settings.latent, (3, 192, 192)),
        "sem": build_paper_vae(settings.sem.network, settings.latent, (1, 192, 192)),
    }
    counts = {name: (trainable(vae.encoder), trainable(vae.decoder)) for name, vae in vaes.items()}
    assert counts == {"saxs": (67_680, 11_899), "sem": (67_680, 1_152_416)}
    with pytest.raises(RuntimeError, match="no backbone yet"):
        vaes["sem"].encoder.features(torch.zeros(1, 1, 192, 192))
    attach_backbone(vaes.values(), backbone)
    assert vaes["saxs"].encoder.backbone is vaes["sem"].encoder.backbone is backbone
    with pytest.raises(InputError, match=r"latent\.grid"):
        build_paper_vae(settings.sem.network, LatentSettings(channels=32, grid=1), (1, 192, 192))
