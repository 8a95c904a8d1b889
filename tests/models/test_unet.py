"""The U-Net: sizes, parameters, and that a prediction does not depend on its batch."""

import pytest
import torch

from pairvae.models.unet import UNet, fits

WIDTHS = (8, 12, 16)


@pytest.mark.parametrize(
    ("source", "target"), [((3, 32, 32), (1, 32, 32)), ((1, 64, 64), (3, 32, 32)), ((1, 32, 48), (2, 40, 72))]
)
def test_logits_have_the_size_of_the_target(
    source: tuple[int, int, int], target: tuple[int, int, int]
) -> None:
    assert UNet(source, target, WIDTHS)(torch.rand(2, *source)).shape == (2, *target)


def test_default_widths_stay_below_half_a_million_parameters() -> None:
    network = UNet((3, 192, 192), (1, 192, 192), (16, 32, 64, 96))
    assert 300_000 < sum(parameter.numel() for parameter in network.parameters()) < 500_000


def trained(network: UNet) -> UNet:
    """With an output layer that says something; it starts at zero."""
    torch.nn.init.normal_(network.output.weight)
    return network


def test_untrained_network_says_the_mean_that_it_was_given() -> None:
    network, mean = UNet((1, 32, 32), (3, 32, 32), WIDTHS), torch.rand(3, 32, 32)
    network.fit(mean)
    found = torch.sigmoid(network(torch.rand(2, 1, 32, 32)))
    torch.testing.assert_close(found, mean.clamp(1e-3, 1 - 1e-3).expand(2, -1, -1, -1))
    network.fit(torch.tensor(0.25))
    torch.testing.assert_close(torch.sigmoid(network.mean), torch.full((3, 32, 32), 0.25))


def test_prediction_of_a_sample_does_not_depend_on_its_batch() -> None:
    torch.manual_seed(0)
    network, inputs = trained(UNet((1, 32, 32), (1, 32, 32), WIDTHS)), torch.rand(3, 1, 32, 32)
    torch.testing.assert_close(network(inputs)[1:2], network(inputs[1:2]), atol=1e-4, rtol=1e-4)


def test_finest_level_reaches_the_output_past_the_coarse_ones() -> None:
    """A change that averages out within 4 x 4 px, the coarsest cell, is seen all the same."""
    torch.manual_seed(0)
    network = trained(UNet((1, 32, 32), (1, 32, 32), (8, 12)))
    checkers = (torch.arange(32)[:, None] + torch.arange(32)) % 2
    assert (network(checkers.float()[None, None]) - network(torch.full((1, 1, 32, 32), 0.5))).std() > 1e-3


def test_shapes_that_cannot_be_halved_do_not_fit() -> None:
    assert fits((3, 192, 192), 4)
    assert not fits((1, 1, 128), 2)
    assert not fits((1, 24, 32), 4)
