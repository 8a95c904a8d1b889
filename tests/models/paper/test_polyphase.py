import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pairvae.models.paper.polyphase import direct, polyphase, tap_range


def arrays(kernel: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(2, 3, 6, 6, generator=generator, dtype=torch.double)
    weight = torch.randn(3, 4, kernel, kernel, generator=generator, dtype=torch.double)
    bias = torch.randn(4, generator=generator, dtype=torch.double)
    return maps, weight, bias


def keras_conv_transpose(maps: Tensor, weight: Tensor) -> Tensor:
    """Keras defines it as the gradient of its strided 'same' convolution, whose odd padding goes behind."""
    side, kernel = maps.shape[-1], weight.shape[-1]
    output = torch.zeros(len(maps), weight.shape[1], 2 * side, 2 * side, dtype=maps.dtype, requires_grad=True)
    padding = (side - 1) * 2 + kernel - 2 * side
    before, behind = padding // 2, padding - padding // 2
    convolved = F.conv2d(F.pad(output, (before, behind, before, behind)), weight, stride=2)
    (gradient,) = torch.autograd.grad((convolved * maps).sum(), output)
    return gradient


@pytest.mark.parametrize("kernel", [3, 5, 7, 15])
@pytest.mark.parametrize("form", [direct, polyphase])
def test_both_forms_are_keras_s_transposed_convolution(kernel: int, form: object) -> None:
    maps, weight, bias = arrays(kernel)
    assert callable(form)
    expected = keras_conv_transpose(maps, weight) + bias.view(1, -1, 1, 1)
    torch.testing.assert_close(form(maps, weight, bias), expected, rtol=0, atol=1e-12)


def test_one_point_through_a_3_px_kernel_lands_where_keras_puts_it() -> None:
    maps = torch.zeros(1, 1, 2, 2)
    maps[0, 0, 0, 0] = 1.0
    weight = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
    expected = torch.zeros(4, 4)
    expected[:3, :3] = weight[0, 0]  # of 1 px to crop, none is cropped in front
    torch.testing.assert_close(polyphase(maps, weight, None)[0, 0], expected)
    torch.testing.assert_close(direct(maps, weight, None)[0, 0], expected)


@pytest.mark.parametrize("kernel", [5, 15])
def test_gradients_agree(kernel: int) -> None:
    gradients = []
    for form in (direct, polyphase):
        inputs = [tensor.requires_grad_() for tensor in arrays(kernel)]
        gradients.append(torch.autograd.grad(form(*inputs).sin().sum(), inputs))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


def test_taps_of_the_published_kernels() -> None:
    assert tap_range(15) == (-3, 4)
    assert tap_range(5) == (-1, 1)
