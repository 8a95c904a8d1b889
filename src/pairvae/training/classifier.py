"""Training of a classifier that tells two kinds of images apart, on crops with their mirror images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pairvae.models.classifier import Classifier

Bits = NDArray[Any]  # of 0 and 1, or grey levels in [0, 1]
BATCH = 24
LEARNING_RATE = 4e-3
VIEWS = 5  # crops of an image that is judged: the corners and the middle


class Judge:
    """A trained classifier of images.

    Parameters
    ----------
    network : Classifier
        In evaluation mode.
    side : int
        Side of the crops that it judges, px.
    device : torch.device
        Where the network is.
    """

    def __init__(self, network: Classifier, side: int, device: torch.device) -> None:
        self.network, self.side, self.device = network, side, device

    @torch.no_grad()
    def logits(self, images: Bits) -> NDArray[np.float64]:
        """Mean logit of five crops of each image.

        Parameters
        ----------
        images : ndarray
            ``(N, h, w)`` uint8 in {0, 1}.

        Returns
        -------
        ndarray
            ``(N,)``: above 0 for the second kind.
        """
        high, wide = images.shape[1] - self.side, images.shape[2] - self.side
        corners = [(0, 0), (0, wide), (high, 0), (high, wide), (high // 2, wide // 2)]
        means = []
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            views = [part[:, top : top + self.side, left : left + self.side] for top, left in corners]
            logits = self.network(_tensor(np.concatenate(views), self.device))
            means.append(logits.reshape(VIEWS, -1).mean(0).double().cpu().numpy())
        return np.concatenate(means)


def train_judge(
    first: Bits, second: Bits, side: int, seed: int, device: torch.device, steps: int, width: int = 1
) -> Judge:
    """Train a classifier on two kinds of images, of which a batch holds as many each.

    Each is a random crop, mirrored or turned upside down or not. The global random state is left as it was.

    Parameters
    ----------
    first, second : ndarray
        ``(N, h, w)`` and ``(M, h, w)`` uint8 in {0, 1}.
    side : int
        Side of the crops, px.
    seed : int
        Of weights and crops.
    device : torch.device
        Where it is trained.
    steps : int
        Steps of AdamW, over which the rate rises and falls once.
    width : int
        Of the network.

    Returns
    -------
    Judge
        The trained classifier.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Classifier(width).to(device)
    generator = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    labels = torch.repeat_interleave(torch.tensor([0.0, 1.0], device=device), BATCH // 2)
    for _ in range(steps):
        crops = [_crops(kind, side, BATCH // 2, generator) for kind in (first, second)]
        loss = F.binary_cross_entropy_with_logits(network(_tensor(np.concatenate(crops), device)), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimiser.step()
        schedule.step()
    return Judge(network.eval(), side, device)


def _crops(images: Bits, side: int, count: int, generator: np.random.Generator) -> Bits:
    rows = generator.integers(len(images), size=count)
    tops = generator.integers(images.shape[1] - side + 1, size=count)
    lefts = generator.integers(images.shape[2] - side + 1, size=count)
    flips = generator.integers(2, size=(count, 2)) * 2 - 1
    return np.stack([
        images[row, top : top + side, left : left + side][:: flip[0], :: flip[1]]
        for row, top, left, flip in zip(rows, tops, lefts, flips, strict=True)
    ])  # fmt: skip


def _tensor(images: Bits, device: torch.device) -> Tensor:
    return torch.from_numpy(images[:, None].astype(np.float32)).to(device)
