"""Ensembles with requested properties: images are drawn and those that do not have them are left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairvae.numerics.descriptors import describe

TRIES = 50  # draws for each requested image before it is given up
BATCH = 16
_Accepted = tuple[
    NDArray[np.uint8], NDArray[np.float32], int, dict[str, float]
]  # image, latent, seed, descriptors


@dataclass(frozen=True)
class Range:
    """Requested values, both ends included.

    Parameters
    ----------
    low, high : float
        The ends, in the unit of the values.
    """

    low: float
    high: float

    def holds(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which values lie inside; nan does not."""
        return np.asarray((values >= self.low) & (values <= self.high))


@dataclass(frozen=True)
class AcceptedSamples:
    """Images with the requested properties.

    Parameters
    ----------
    images : ndarray of uint8
        ``(n, h, w)`` of 0 and 1.
    latents : ndarray
        ``(n, C, g, g)`` that they were decoded from.
    seeds : ndarray
        ``(n,)``, of the noise.
    descriptors : mapping of str to ndarray
        ``(n,)`` by name, in px.
    drawn : int
        Images in all, accepted or not.
    """

    images: NDArray[np.uint8]
    latents: NDArray[np.float32]
    seeds: NDArray[np.int64]
    descriptors: Mapping[str, NDArray[np.float64]]
    drawn: int

    @property
    def acceptance(self) -> float:
        """Share of the drawn images that were kept."""
        return len(self.images) / max(self.drawn, 1)


def draw(
    decode: Callable[[NDArray[np.float32], int], NDArray[Any]],
    centre: NDArray[np.float32],
    deviation: NDArray[np.float32],
    count: int,
    ranges: Mapping[str, Range],
    generator: np.random.Generator,
) -> AcceptedSamples:
    """Draw images around a latent until enough of them have the requested properties.

    Parameters
    ----------
    decode : callable
        Makes a micrograph ``(h, w)`` of a latent ``(C, g, g)`` and a noise seed.
    centre, deviation : ndarray
        Mean ``(C, g, g)`` of the normal latents, and their standard deviation, which broadcasts to it.
    count : int
        Images to accept, at most; 50 draws are made for each before it is given up.
    ranges : mapping of str to Range
        Of descriptors by name, in px.
    generator : numpy.random.Generator
        Draws latents and seeds.

    Returns
    -------
    AcceptedSamples
        ``count`` images, or fewer.
    """
    kept: list[_Accepted] = []
    drawn = 0
    while len(kept) < count and drawn < count * TRIES:
        size = min(BATCH, count * TRIES - drawn, BATCH if ranges else count - len(kept))
        noise = generator.standard_normal((size, *centre.shape)).astype(np.float32)
        latents = centre + deviation * noise
        seeds = generator.integers(0, 2**62, size)
        images = np.stack([decode(latent, int(seed)) for latent, seed in zip(latents, seeds, strict=True)])
        descriptors = describe(images)
        fits = np.logical_and.reduce(
            [accepted.holds(descriptors[name]) for name, accepted in ranges.items()] or [np.full(size, True)]
        )
        for index in range(size):
            if len(kept) == count:
                break
            drawn += 1
            if fits[index]:
                values = {name: float(column[index]) for name, column in descriptors.items()}
                kept.append((images[index], latents[index], int(seeds[index]), values))
    return _collected(kept, drawn)


def _collected(kept: Sequence[_Accepted], drawn: int) -> AcceptedSamples:
    names = list(kept[0][3]) if kept else []
    return AcceptedSamples(
        np.array([image[0] for image in kept], kept[0][0].dtype if kept else np.uint8),
        np.array([image[1] for image in kept], np.float32),
        np.array([image[2] for image in kept], np.int64),
        {name: np.array([image[3][name] for image in kept]) for name in names},
        drawn,
    )
