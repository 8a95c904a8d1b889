"""Seeded batches: samples and crops. A draw depends on the seed and its place alone: a resumed run repeats it.

The random streams are keyed by rounds, the ``log_every`` epochs between two logged losses, and by the epoch in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

ORDER, CROPS, NOISE = range(3)  # independent streams of random numbers


def stream(seed: int, kind: int, *counters: int) -> np.random.Generator:
    """A generator that depends on its arguments alone.

    Parameters
    ----------
    seed : int
        >= 0.
    kind : int
        The purpose: ``ORDER``, ``CROPS``, ``NOISE``, or a number of one's own.
    *counters : int
        The round, and what is counted within it.

    Returns
    -------
    numpy.random.Generator
        Independent of those of other arguments.
    """
    return np.random.default_rng([seed, kind, *counters])


def noise_generator(seed: int, round_number: int, device: torch.device) -> torch.Generator:
    """The torch generator of one round's sampled latents and noise.

    Parameters
    ----------
    seed, round_number : int
        What it depends on.
    device : torch.device
        Where it draws.

    Returns
    -------
    torch.Generator
        Seeded.
    """
    generator = torch.Generator(device=device)
    generator.manual_seed(int(stream(seed, NOISE, round_number).integers(2**62)))
    return generator


def batches(count: int, batch: int, *, epochs: int, seed: int, round_number: int) -> Iterator[np.ndarray]:
    """Index batches of one round: for each epoch a permutation of the samples, cut into batches of equal size.

    The samples that do not fill a batch are left out of that epoch.

    Parameters
    ----------
    count : int
        Samples, at least 1.
    batch : int
        Samples of a batch; one larger than the data is cut to their number.
    epochs : int
        Epochs of the round.
    seed, round_number : int
        What the permutations depend on, beside the epoch in the round.

    Yields
    ------
    numpy.ndarray
        ``(B,)`` indices of samples, each in [0, count).
    """
    size = min(batch, count)
    for number in range(epochs):
        order = stream(seed, ORDER, round_number, number).permutation(count)
        for start in range(0, count - count % size, size):
            yield order[start : start + size]


def steps_per_epoch(count: int, batch: int) -> int:
    """Number of batches that :func:`batches` yields in one epoch.

    Parameters
    ----------
    count, batch
        As for :func:`batches`.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> steps_per_epoch(50, 16), steps_per_epoch(10, 16)
    (3, 1)
    """
    return count // min(batch, count)


@dataclass(frozen=True)
class CropSchedule:
    """Which crops a round draws: random ones at first, then those of the last random round.

    Parameters
    ----------
    size : int
        Side of the crops, px.
    random_rounds : int
        Rounds of random crops.
    shared : bool
        One position for all images of a round (the published protocol); else one per image and epoch.
    seed : int
        Of the positions.
    """

    size: int
    random_rounds: int
    shared: bool
    seed: int

    def source_round(self, round_number: int) -> int:
        """The round whose positions are used at ``round_number``: itself, or the last random one."""
        return min(round_number, max(self.random_rounds - 1, 0))

    def focused(self, round_number: int) -> bool:
        """Whether the crops of ``round_number`` are those of the round before."""
        return round_number > 0 and round_number >= self.random_rounds

    def positions(self, shapes: Sequence[tuple[int, int]], round_number: int, draw: int = 0) -> np.ndarray:
        """Row and column of each image's crop.

        Parameters
        ----------
        shapes : sequence of (int, int)
            Rows and columns of each image, px.
        round_number : int
            The round, from 0.
        draw : int
            The epoch of the round, from 0.

        Returns
        -------
        ndarray of int
            ``(N, 2)``.
        """
        source = self.source_round(round_number)
        if self.shared:
            rows, columns = (min(side) for side in zip(*shapes, strict=True))
            generator = stream(self.seed, CROPS, source)
            corner = [generator.integers(rows - self.size + 1), generator.integers(columns - self.size + 1)]
            return np.tile(np.array(corner), (len(shapes), 1))
        generator = stream(self.seed, CROPS, source, 0 if self.focused(round_number) else draw)
        limits = np.array(shapes) - self.size + 1
        return generator.integers(0, limits)


def cut(images: Sequence[np.ndarray], indices: np.ndarray, positions: np.ndarray, size: int) -> Tensor:
    """Crops of micrographs.

    Parameters
    ----------
    images : sequence of ndarray
        ``(H, W)`` in [0, 1], all of them.
    indices : ndarray of int
        ``(B,)``, the images to cut.
    positions : ndarray of int
        ``(N, 2)`` of all images, see :meth:`CropSchedule.positions`.
    size : int
        Side of the crops, px.

    Returns
    -------
    Tensor
        ``(B, 1, size, size)`` float32.
    """
    out = np.empty((len(indices), 1, size, size), np.float32)
    for row_in_batch, index in enumerate(indices):
        row, column = positions[index]
        out[row_in_batch, 0] = images[index][row : row + size, column : column + size]
    return torch.from_numpy(out)
