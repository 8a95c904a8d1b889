"""Self-supervised pre-training of the backbone: Barlow Twins on two views of each training image.

Zbontar et al. 2021 with the views, the projector and the schedule of the paper's reference 38.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pairvae.data.batches import batches, steps_per_epoch, stream
from pairvae.models.paper.resnet import OUTPUT_CHANNELS, ResNet50, normalise
from pairvae.models.posterior import Posterior
from pairvae.models.vae import VAE
from pairvae.numerics import losses
from pairvae.numerics.images import resize
from pairvae.settings import PretrainSettings
from pairvae.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from pairvae.training.protocol import loss_at_once
from pairvae.training.rounds import Batch, Encoded, LossTerms

VIEWS = 4  # a stream of random numbers of its own, beside those of data/
FLIP_PROBABILITY = 0.5
CROP_SHARE = (0.25, 0.5)  # of the shorter side
COLOUR_PROBABILITY = 0.8
CONTRAST = SATURATION = (0.2, 1.8)
HUE = 0.2  # of a full turn, either way: what goes with that contrast in SimCLR, whose jitter this is
YIQ_OF_RGB = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def view(image: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A random view of an image.

    A square crop of 25 to 50 % of the shorter side, resized; flips; mostly a change of contrast and, where
    there is colour, of hue and saturation.

    Parameters
    ----------
    image : ndarray
        ``(1 or 3, H, W)`` in [0, 1].
    size : int
        Side of the view, px.
    rng : Generator
        The random numbers.

    Returns
    -------
    ndarray
        ``(3, size, size)`` float32 in [0, 1].
    """
    height, width = image.shape[1:]
    side = max(1, round(min(height, width) * rng.uniform(*CROP_SHARE)))
    row, column = rng.integers(height - side + 1), rng.integers(width - side + 1)
    crop = np.asarray(image[:, row : row + side, column : column + side], np.float32)
    pixels = resize(np.ascontiguousarray(crop.transpose(1, 2, 0)), size).reshape(size, size, -1)
    for axis in (0, 1):
        if rng.random() < FLIP_PROBABILITY:
            pixels = np.flip(pixels, axis)
    if rng.random() < COLOUR_PROBABILITY:
        pixels = jitter(pixels, rng)
    three = np.broadcast_to(pixels, (size, size, 3))
    return np.ascontiguousarray(three.transpose(2, 0, 1), np.float32)


def jitter(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another contrast and, where there is colour, hue and saturation.

    Parameters
    ----------
    pixels : ndarray
        ``(H, W, 1 or 3)`` in [0, 1].
    rng : Generator
        The random numbers.

    Returns
    -------
    ndarray
        Of the same shape, in [0, 1].
    """
    mean = pixels.mean()
    changed = (pixels - mean) * rng.uniform(*CONTRAST) + mean
    if pixels.shape[-1] == 3:
        changed = changed @ colour_matrix(2 * math.pi * rng.uniform(-HUE, HUE), rng.uniform(*SATURATION)).T
    return np.asarray(np.clip(changed, 0.0, 1.0))


def colour_matrix(angle: float, saturation: float) -> np.ndarray:
    """Matrix that turns the hue and scales the saturation at equal luminance (YIQ).

    Parameters
    ----------
    angle : float
        Of the turn, rad.
    saturation : float
        Factor; 1 leaves it.

    Returns
    -------
    ndarray
        ``(3, 3)``, to be applied to RGB columns.
    """
    cosine, sine = saturation * math.cos(angle), saturation * math.sin(angle)
    turn = np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])
    return np.asarray(np.linalg.inv(YIQ_OF_RGB) @ turn @ YIQ_OF_RGB)


class BarlowTwins(nn.Module):
    """A backbone, the mean of its features over positions, and a projector that is thrown away afterwards.

    Parameters
    ----------
    network : ResNet50
        The backbone.
    projector : (int, int, int)
        Widths of the projector's three layers.
    """

    def __init__(self, network: ResNet50, projector: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, last = projector
        self.network = network
        self.projector = nn.Sequential(
            nn.Linear(OUTPUT_CHANNELS, first),
            nn.ReLU(),
            nn.BatchNorm1d(first),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.BatchNorm1d(second),
            nn.Linear(second, last),
            nn.BatchNorm1d(last),
        )

    def forward(self, views: Tensor) -> Tensor:
        """Project views.

        Parameters
        ----------
        views : Tensor
            ``(B, 3, H, W)`` in [0, 1].

        Returns
        -------
        Tensor
            ``(B, last)``, with the width of the projector's last layer.
        """
        features = self.network(normalise(views).contiguous(memory_format=torch.channels_last))
        projections: Tensor = self.projector(features.mean((2, 3)))
        return projections


@dataclass(frozen=True)
class PretrainPlan:
    """Barlow Twins of a backbone.

    Parameters
    ----------
    twins : BarlowTwins
        The backbone and its projector.
    images : sequence of ndarray
        ``(1 or 3, H, W)`` in [0, 1].
    size : int
        Side of the views, px.
    settings : PretrainSettings
        The section ``pretrain``.
    seed : int
        Of batches and views.
    device : torch.device
        Where the views go.
    """

    twins: BarlowTwins
    images: Sequence[np.ndarray]
    size: int
    settings: PretrainSettings
    seed: int
    device: torch.device

    @property
    def epochs(self) -> int:
        """Epochs in all."""
        return self.settings.epochs

    @property
    def logged_epochs(self) -> Sequence[int]:
        """Every epoch."""
        return range(1, self.epochs + 1)

    @property
    def module(self) -> nn.Module:
        """The backbone and its projector."""
        return self.twins

    @property
    def vaes(self) -> Mapping[str, VAE]:
        """None: there is nothing to decode yet."""
        return {}

    @property
    def gradient_clip(self) -> float:
        """No clipping."""
        return 0.0

    def make_optimiser(self) -> torch.optim.Optimizer:
        """Plain gradient descent (reference 38)."""
        return torch.optim.SGD(self.twins.parameters(), lr=self.settings.learning_rate)

    def learning_rate(self, step: int) -> float:
        """Half a cosine from the full rate to 0 at ``decay_steps``, 0 from there on."""
        share = min(step / self.settings.decay_steps, 1.0)
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * share))

    def steps(self) -> int:
        """Steps of one epoch."""
        return steps_per_epoch(len(self.images), self.settings.batch)

    @property
    def smallest_batch(self) -> int:
        """Samples of every batch: remainders are dropped."""
        return min(self.settings.batch, len(self.images))

    def batches(self, round_number: int) -> Iterator[Batch]:
        """The batches of one epoch: two views of each image, which depend on seed, epoch and image alone."""
        return self.shares(round_number, SINGLE_PROCESS)

    def shares(self, round_number: int, process_group: ProcessGroup) -> Iterator[Batch]:
        """This process's share of each batch of one epoch."""
        drawn = batches(
            len(self.images),
            self.settings.batch,
            epochs=1,
            seed=self.seed,
            round_number=round_number,
        )
        for whole in drawn:
            share = process_group.share(len(whole))
            indices = whole[share.rows]
            views = {
                name: torch.from_numpy(
                    np.stack([self._view(int(index), round_number, twin) for index in indices])
                )
                for twin, name in enumerate(("first", "second"))
            }
            inputs = {name: tensor.to(self.device) for name, tensor in views.items()}
            yield Batch(torch.from_numpy(indices).to(self.device), inputs, {}, share)

    def _view(self, index: int, epoch: int, twin: int) -> np.ndarray:
        return view(self.images[index], self.size, stream(self.seed, VIEWS, epoch, index, twin))

    def encode(self, batch: Batch, generator: torch.Generator) -> Encoded:
        """Projections of the two views."""
        return Encoded({name: self.twins(batch.inputs[name]) for name in ("first", "second")}, {})

    def similarity_losses(self, latents: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Barlow Twins of the projections, in float32."""
        first, second = latents["first"].float(), latents["second"].float()
        with torch.autocast(first.device.type, enabled=False):
            return {"barlow": losses.barlow_twins(first, second, self.settings.redundancy, summed=True)}

    def reconstruction_losses(
        self, latents: Mapping[str, Tensor], batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """None: nothing is decoded."""
        return {}

    def divergence(self, posteriors: Mapping[str, Posterior]) -> dict[str, Tensor]:
        """None."""
        return {}

    def weight(self, term: str) -> float:
        """1."""
        return 1.0

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """Barlow Twins of the two views."""
        return loss_at_once(self, batch, generator)
