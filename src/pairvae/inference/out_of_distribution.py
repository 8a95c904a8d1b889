"""Whether an input is out of distribution, by summaries of the training inputs.

An encoder answers to anything. Summaries (pooled pixels of whole arrays, or the radial curves that an encoder of
patterns of any detector sees; texture statistics of crops) say whether an input is of the training data's kind
(:mod:`pairvae.inference.training_distance`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
import torch
from numpy.typing import NDArray

from pairvae.inference import training_distance
from pairvae.models.compact import principal_components
from pairvae.models.scattering import ScatteringEncoder
from pairvae.models.vae import Encoder
from pairvae.numerics import texture_statistics as texture
from pairvae.numerics.series import evenly_spread

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

COMPONENTS = 16
COMPONENTS_OF_CURVES = 64  # fewer pass a micrograph as a pattern
LARGEST_SIDE = 48  # px of a pooled pattern
MOST_CROPS = 12  # of one image, looked at for its texture
STATISTICS = ("autocovariance", "phase_fraction", "lineal_path")
LEAST_INPUTS = 3


@dataclass(frozen=True)
class Confidence:
    """How unlike the training data an input is.

    Parameters
    ----------
    distance : float
        In units of the largest that is usual: above 1 it is out of distribution.
    """

    distance: float

    @property
    def out_of_distribution(self) -> bool:
        """Whether the input is unlike anything seen in training."""
        return self.distance > 1


@dataclass(frozen=True)
class OutOfDistributionScore:
    """Principal components of the training inputs' summaries ``(N, D)``.

    Parameters
    ----------
    weight : ndarray
        ``(D,)``, times which summaries are taken.
    mean, basis, spread : ndarray
        ``(D,)``, ``(K, D)`` and ``(K,)``: centre, orthonormal directions, and standard deviations along them.
    card : DistanceScale
        Of the summaries.
    crops : int
        From how many crops a summary of the card was averaged; 0: whole arrays.
    crop_threshold : float
        The threshold for a single crop, whose statistics vary more.
    """

    weight: Singles
    mean: Singles
    basis: Singles
    spread: Singles
    card: training_distance.DistanceScale
    crops: int = 0
    crop_threshold: float = 0.0

    def threshold(self, count: int) -> float:
        """The usual largest distance of a mean over ``count`` crops: the variance of a mean falls with its number."""
        usual = self.card.threshold
        if self.crops < 2:
            return usual
        whole, single = usual**2, self.crop_threshold**2
        lasting = max((self.crops * whole - single) / (self.crops - 1), 0.25 * whole)
        return sqrt(lasting + max(single - lasting, 0.0) / count)

    def confidence(
        self, array: NDArray[np.generic], shape: tuple[int, int, int], encoder: Encoder | None = None
    ) -> Confidence:
        """How unlike the training data an array is.

        Parameters
        ----------
        array : ndarray
            Prepared, ``(channels, H, W)``; one larger than ``shape`` is looked at crop by crop.
        shape : tuple of int
            ``(channels, h, w)`` of a crop.
        encoder : Encoder, optional
            Of the model, as for :func:`familiar_arrays`.

        Returns
        -------
        Confidence
            Its distance over the threshold of as many crops.
        """
        if not self.crops:
            summary, count = array_summary(array[None], encoder), 1
        else:
            parts = spread_crops(array, shape)
            summary, count = texture_summary(parts).mean(0, keepdims=True), len(parts)
        distance = self._distances(summary)[0]
        return Confidence(float(distance) / self.threshold(count))

    def _distances(self, summaries: Singles) -> Floats:
        inputs = summaries * self.weight
        parts = (np.asarray(part, dtype=np.float64) for part in (self.mean, self.basis, self.spread))
        return training_distance.distance(*training_distance.scores_and_residuals(inputs, *parts), self.card)


def pooled(arrays: NDArray[np.generic]) -> Singles:
    """Arrays ``(N, channels, H, W)`` averaged over squares to sides of at most 48 px, flat: ``(N, D)``."""
    height, width = arrays.shape[2:]
    rows, columns = (ceil(side / LARGEST_SIDE) for side in (height, width))
    kept = arrays[:, :, : height // rows * rows, : width // columns * columns].astype(np.float32)
    split = kept.reshape(*arrays.shape[:2], height // rows, rows, width // columns, columns)
    return np.asarray(split.mean((3, 5)).reshape(len(arrays), -1), dtype=np.float32)


@torch.no_grad()
def array_summary(arrays: NDArray[np.generic], encoder: Encoder | None) -> Singles:
    """What distances of whole arrays compare: pooled pixels, or radial curves.

    The latter for an encoder that sees no more of a pattern: between patterns of all detectors, pixels tell nothing.

    Parameters
    ----------
    arrays : ndarray
        ``(N, channels, H, W)`` in [0, 1].
    encoder : Encoder or None
        As for :func:`familiar_arrays`.

    Returns
    -------
    ndarray
        ``(N, D)`` float32.
    """
    if not isinstance(encoder, ScatteringEncoder):
        return pooled(arrays)
    place = encoder.q_edge.device
    parts = [
        encoder.curves(torch.from_numpy(array[None].astype(np.float32)).to(place)).cpu() for array in arrays
    ]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float32)


@torch.no_grad()
def texture_summary(crops: NDArray[np.generic]) -> Singles:
    """Texture statistics of crops ``(N, 1, h, w)`` in [0, 1], one after the other: ``(N, D)``."""
    statistics = texture.statistics(torch.from_numpy(crops.astype(np.float32)), names=STATISTICS)
    return np.concatenate([part.numpy() for part in statistics.values()], axis=1)


def spread_crops(array: NDArray[np.generic], shape: tuple[int, int, int]) -> NDArray[np.generic]:
    """Crops that an array holds side by side, evenly spread.

    Parameters
    ----------
    array : ndarray
        ``(channels, H, W)``.
    shape : tuple of int
        ``(channels, h, w)`` of a crop.

    Returns
    -------
    ndarray
        ``(M, channels, h, w)``, at most twelve.
    """
    _, rows, columns = shape
    corners = [
        (top, left)
        for top in range(0, array.shape[1] - rows + 1, rows)
        for left in range(0, array.shape[2] - columns + 1, columns)
    ]
    chosen = evenly_spread(len(corners), MOST_CROPS)
    cut = [
        array[:, top : top + rows, left : left + columns]
        for top, left in (corners[index] for index in chosen)
    ]
    return np.stack(cut)


def familiar_arrays(
    arrays: NDArray[np.generic],
    groups: Sequence[str | None] | None = None,
    encoder: Encoder | None = None,
) -> OutOfDistributionScore | None:
    """What whole training arrays are like.

    Parameters
    ----------
    arrays : ndarray
        ``(N, channels, H, W)``.
    groups : sequence of str or None, optional
        ``N`` names, None is none: arrays of one group are views of one sample.
    encoder : Encoder, optional
        Of the model: pixels are compared, or what it sees of patterns of any detector.

    Returns
    -------
    OutOfDistributionScore or None
        None for fewer than three that differ.
    """
    if len(arrays) < LEAST_INPUTS:
        return None
    summaries = array_summary(arrays, encoder)
    count = COMPONENTS_OF_CURVES if isinstance(encoder, ScatteringEncoder) else COMPONENTS
    return _fitted(summaries, np.ones(summaries.shape[1], np.float32), groups, count)


def familiar_crops(
    crops: Sequence[NDArray[np.generic]], groups: Sequence[str | None] | None = None
) -> OutOfDistributionScore | None:
    """What the crops of training images are like.

    Parameters
    ----------
    crops : sequence of ndarray
        ``K`` crops ``(K, h, w)`` of each of ``N`` images.
    groups : sequence of str or None, optional
        As for :func:`familiar_arrays`.

    Returns
    -------
    OutOfDistributionScore or None
        None for fewer than three that differ.
    """
    if len(crops) < LEAST_INPUTS:
        return None
    single = np.stack([texture_summary(sample[:, None]) for sample in crops])
    weight = _equal_shares(single.mean(1))
    whole = _fitted(single.mean(1) * weight, weight, groups, COMPONENTS)
    if whole is None:
        return None
    distances = whole._distances(single.mean(1))
    apart = whole._distances(single.reshape(-1, single.shape[2]))
    ratio = max(float(np.quantile(apart, 0.95) / np.quantile(distances, 0.95)), 1.0)
    return OutOfDistributionScore(
        weight, whole.mean, whole.basis, whole.spread, whole.card, single.shape[1], whole.card.threshold * ratio
    )  # fmt: skip


def _fitted(
    summaries: Singles, weight: Singles, groups: Sequence[str | None] | None, components: int
) -> OutOfDistributionScore | None:
    """Components and thresholds of weighted summaries ``(N, D)``; None for too few."""
    if training_distance.sets_apart(summaries, groups).max() + 1 < LEAST_INPUTS:
        return None
    card = training_distance.fit(summaries, components, groups=groups)
    mean, basis, spread = principal_components(torch.from_numpy(summaries), card.components)
    return OutOfDistributionScore(weight, mean.numpy(), basis.numpy(), spread.numpy(), card)


def _equal_shares(summaries: Singles) -> Singles:
    """Factors ``(D,)`` that give each kind of statistics the same total variance, as in the texture encoder."""
    kinds = texture.statistics(torch.zeros(1, 1, 96, 96), names=STATISTICS)
    weight, start = np.ones(summaries.shape[1], np.float32), 0
    for part in kinds.values():
        stop = start + part.shape[1]
        weight[start:stop] = 1 / sqrt(max(float(summaries[:, start:stop].var(0).sum()), 1e-12))
        start = stop
    return weight
