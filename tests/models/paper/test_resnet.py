import pytest
import torch
from torch import Tensor, nn

from pairvae.models.paper.resnet import (
    Backbone,
    ResNet50,
    fold_batch_norms,
    normalise,
    scale_features,
    set_statistics,
)

FROZEN_PARAMETERS = 23_508_032  # torchvision's 25,557,032 less its classifier's 2048 x 1000 + 1000


@pytest.fixture(scope="module")
def network() -> ResNet50:
    """Weights and statistics that no fold may lose: every batch norm is far from the identity."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ResNet50()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 0.9)
                nn.init.uniform_(module.bias, -0.2, 0.2)
                assert module.running_mean is not None and module.running_var is not None
                nn.init.uniform_(module.running_mean, -0.3, 0.3)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def test_parameter_count_and_names_are_torchvisions(network: ResNet50) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == FROZEN_PARAMETERS
    names = list(network.state_dict())
    assert len(names) == 318  # torchvision's 320 less fc.weight and fc.bias
    for name in ("conv1.weight", "bn1.running_var", "layer1.0.downsample.0.weight", "layer4.2.bn3.bias"):
        assert name in names
    assert network.get_parameter("layer2.0.conv2.weight").shape == (128, 128, 3, 3)
    assert network.get_submodule("layer2.0.conv2").stride == (2, 2)


def test_published_shape(network: ResNet50) -> None:
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 192, 192)).shape == (1, 2048, 6, 6)


def test_folding_batch_norms_changes_nothing(network: ResNet50, images: Tensor) -> None:
    with torch.no_grad():
        expected = network(images)
        folded = fold_batch_norms(network)
        found = folded(images)
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-4
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_backbone_is_frozen_and_stays_in_inference_mode(network: ResNet50, images: Tensor) -> None:
    backbone = Backbone(network).train()
    assert not backbone.training and not backbone.network.training
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    with torch.no_grad():
        expected = network(normalise(images))
    assert float((backbone(images) - expected).abs().max() / expected.abs().max()) < 1e-4


def test_bfloat16_features_are_close_and_float32(network: ResNet50, images: Tensor) -> None:
    exact, rounded = Backbone(network)(images), Backbone(network, bfloat16=True)(images)
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).norm() / exact.norm()) < 0.03


def test_one_channel_equals_three_equal_channels(network: ResNet50) -> None:
    backbone = Backbone(network)
    grey = (torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(2)) > 0.5).float()
    torch.testing.assert_close(backbone(grey), backbone(grey.expand(1, 3, 64, 64)))


def test_normalisation_takes_out_imagenets_mean() -> None:
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    torch.testing.assert_close(normalise(mean), torch.zeros(1, 3, 1, 1))


def test_statistics_of_images_bring_random_features_to_the_size_of_one() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        random = ResNet50()
        images = torch.rand(8, 1, 64, 64)
    before = Backbone(random)(images)
    set_statistics(random, images.split(4))
    after = Backbone(random)(images)
    assert not random.training
    assert float(before.std()) > 5
    assert 0.3 < float(after.std()) < 3
    norm = random.bn1
    assert (
        isinstance(norm, nn.BatchNorm2d) and norm.momentum == 0.1 and int(norm.num_batches_tracked or 0) == 2
    )


def test_scaled_features_are_the_same_but_for_a_factor() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        random = ResNet50()
        images = torch.rand(8, 1, 64, 64)
    set_statistics(random, images.split(4))
    before = Backbone(random)(images)
    scale_features(random, images.split(4), 0.1)
    after = Backbone(random)(images)
    assert float(after.mean()) == pytest.approx(0.1, rel=1e-3)
    factor = 0.1 / float(before.mean())
    torch.testing.assert_close(after, before * factor, rtol=1e-2, atol=1e-3 * float(after.std()))


@pytest.mark.slow
def test_equals_a_maintained_implementation(network: ResNet50, images: Tensor) -> None:
    monai = pytest.importorskip("monai.networks.nets.resnet")
    other = monai.resnet50(
        spatial_dims=2, n_input_channels=3, conv1_t_stride=2, bias_downsample=False, feed_forward=False
    )
    other.load_state_dict(network.state_dict())
    other.eval()
    with torch.no_grad():
        maps = other.maxpool(other.act(other.bn1(other.conv1(images))))
        for layer in (other.layer1, other.layer2, other.layer3, other.layer4):
            maps = layer(maps)
        torch.testing.assert_close(network(images), maps, rtol=1e-4, atol=1e-4)
