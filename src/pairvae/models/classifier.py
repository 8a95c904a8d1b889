"""A small convolutional network that tells two kinds of images apart."""

from __future__ import annotations

from torch import Tensor, nn

LAYERS = ((16, 5, 2), (32, 3, 2), (32, 3, 2), (64, 3, 2), (64, 3, 1))  # channels, side in px, stride


class Classifier(nn.Module):
    """Images ``(B, 1, H, W)`` in [0, 1] to logits ``(B,)``; one feature sees 65 px.

    Convolutions with batch normalisation, means over the image, and one dense layer.

    Parameters
    ----------
    width : int
        Multiplies the channels.
    """

    def __init__(self, width: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for channels, side, stride in LAYERS:
            after = channels * width
            layers += [
                nn.Conv2d(before, after, side, stride, side // 2, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(0.2),
            ]
            before = after
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(before, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B,)`` of images ``(B, 1, H, W)`` in [0, 1]: above 0 for the second kind."""
        features: Tensor = self.layers(2 * images - 1)
        return self.head(features.mean((2, 3)))[:, 0]  # type: ignore[no-any-return]  # torch leaves calls untyped
