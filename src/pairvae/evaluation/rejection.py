"""Ensembles with wished properties: images are drawn and those that do not have them are left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairvae.numerics.descriptors import describe

TRIES = 50  # draws for each wished image before it is given up
BATCH = 16


@dataclass(frozen=True)
class Range:
    """Wished values, both ends included."""

    low: float
    high: float

    def holds(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which values lie inside; nan does not."""
        return np.asarray((values >= self.low) & (values <= self.high))


@dataclass(frozen=True)
class AcceptedSamples:
    """Accepted images ``(n, h, w)`` with their latents ``(n, C, g, g)``, noise seeds and descriptors; all draws."""

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
    decode: Callable[[NDArray[np.float32], int], NDArray[np.uint8]],
    centre: NDArray[np.float32],
    deviation: NDArray[np.float32],
    count: int,
    wishes: Mapping[str, Range],
    generator: np.random.Generator,
) -> AcceptedSamples:
    """At most ``count`` images of latents that are normal around ``centre`` ``(C, g, g)``; as many as fulfil
    ``wishes`` (ranges of descriptors by name, in px) within 50 draws for each.

    ``decode`` makes an image ``(h, w)`` of a latent and a noise seed.
    """
    kept: list[tuple[NDArray[np.uint8], NDArray[np.float32], int, dict[str, float]]] = []
    drawn = 0
    while len(kept) < count and drawn < count * TRIES:
        size = min(BATCH, count * TRIES - drawn, BATCH if wishes else count - len(kept))
        noise = generator.standard_normal((size, *centre.shape)).astype(np.float32)
        latents = centre + deviation * noise
        seeds = generator.integers(0, 2**62, size)
        images = np.stack([decode(latent, int(seed)) for latent, seed in zip(latents, seeds, strict=True)])
        descriptors = describe(images)
        fits = np.logical_and.reduce(
            [wish.holds(descriptors[name]) for name, wish in wishes.items()] or [np.full(size, True)]
        )
        for index in range(size):
            if len(kept) == count:
                break
            drawn += 1
            if fits[index]:
                values = {name: float(column[index]) for name, column in descriptors.items()}
                kept.append((images[index], latents[index], int(seeds[index]), values))
    names = list(kept[0][3]) if kept else []
    return AcceptedSamples(
        np.array([image[0] for image in kept], np.uint8),
        np.array([image[1] for image in kept], np.float32),
        np.array([image[2] for image in kept], np.int64),
        {name: np.array([image[3][name] for image in kept]) for name in names},
        drawn,
    )
