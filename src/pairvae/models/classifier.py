"""A small convolutional network that tells two kinds of images apart."""

from __future__ import annotations

from torch import Tensor, nn

WIDTHS = (16, 32, 64, 64)
STRIDED = 3  # layers that halve the image


class Classifier(nn.Module):
    """Images ``(B, 1, H, W)`` in [0, 1] to logits ``(B,)``; it sees 37 px at once.

    Four convolutions of 5, 5, 3 and 3 px with group normalisation, means over the image, and one dense layer.
    ``width`` multiplies the channels.
    """

    def __init__(self, width: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for number, channels in enumerate(WIDTHS):
            side = 5 if number < 2 else 3
            stride = 2 if number < STRIDED else 1
            layers += [
                nn.Conv2d(before, channels * width, side, stride, side // 2),
                nn.GroupNorm(4, channels * width),
                nn.LeakyReLU(0.2),
            ]
            before = channels * width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(before, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B,)``: above 0 for the second kind."""
        features: Tensor = self.layers(2 * images - 1)
        return self.head(features.mean((2, 3)))[:, 0]  # type: ignore[no-any-return]  # torch leaves calls untyped
