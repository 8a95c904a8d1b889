"""Which part of a measurement moves what is predicted from it: occlusion (Zeiler and Fergus, ECCV 2014).

A part is replaced by what an average measurement shows there; the change of each predicted number is the part's share
in it. Patterns are cut into rings of q and sectors of azimuth (a sector with its inverse, since patterns are inversion
symmetric), micrographs into squares. An explanation is worth something only if it changes with the model: it is
repeated with randomised weights (Adebayo et al., NeurIPS 2018), and :func:`likeness` compares both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import scipy.stats
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Describe = Callable[[NDArray[np.float32]], Mapping[str, Floats]]

RINGS, SECTORS, SQUARES = 12, 6, 6
SOFT_PX = 1.0  # of the edges of a part, so that occluding leaves no edge of its own
AXIAL = ("orientation_deg",)  # angles mod 180 degrees


@dataclass(frozen=True)
class Parts:
    """The parts that a measurement is cut into.

    Parameters
    ----------
    labels : ndarray
        ``(H, W)``: the part of each pixel, in [0, P), or -1 for none.
    radii : ndarray
        ``(P, 2)``: inner and outer radius in px from the beam; nan for micrographs.
    azimuths : ndarray
        ``(P,)``: the middle in degrees, in [0, 180), 0 is horizontal; nan for micrographs.
    """

    labels: NDArray[np.int64]
    radii: Floats
    azimuths: Floats

    def __len__(self) -> int:
        return len(self.azimuths)

    def painted(self, values: NDArray[np.floating]) -> Floats:
        """Values ``(P,)`` on their pixels, ``(H, W)``; nan where there is no part."""
        filled = np.append(np.asarray(values, dtype=np.float64), np.nan)
        return np.asarray(filled[self.labels])


def polar_parts(shape: tuple[int, int], rings: int = RINGS, sectors: int = SECTORS) -> Parts:
    """Rings of equal width out to the nearer edge, each cut into sectors of azimuth mod 180 degrees.

    Parameters
    ----------
    shape : tuple of int
        ``(H, W)`` of the pattern; the beam is at the middle.
    rings, sectors : int
        How many.

    Returns
    -------
    Parts
        ``rings * sectors`` parts, the innermost ring first.
    """
    rows, columns = (np.arange(side) - (side - 1) / 2 for side in shape)
    radius = np.hypot(rows[:, None], columns[None, :])
    azimuth = np.degrees(np.arctan2(-rows[:, None], columns[None, :]))
    width, turn = (min(shape) / 2) / rings, 180 / sectors
    ring = (radius / width).astype(np.int64)
    sector = np.floor((azimuth + turn / 2) / turn).astype(np.int64) % sectors
    labels = np.where(ring < rings, ring * sectors + sector, -1)
    edges = np.arange(rings)[:, None] * width + np.array([0.0, width])
    return Parts(labels, np.repeat(edges, sectors, axis=0), np.tile(np.arange(sectors) * turn, rings))


def square_parts(shape: tuple[int, int], squares: int = SQUARES) -> Parts:
    """Squares side by side.

    Parameters
    ----------
    shape : tuple of int
        ``(H, W)`` of the micrograph.
    squares : int
        How many along each side.

    Returns
    -------
    Parts
        ``squares ** 2`` parts, row by row.
    """
    rows, columns = (np.arange(side) * squares // side for side in shape)
    labels = rows[:, None] * squares + columns[None, :]
    count = squares * squares
    return Parts(labels.astype(np.int64), np.full((count, 2), np.nan), np.full(count, np.nan))


def without(array: NDArray[np.float32], baseline: NDArray[np.float32], parts: Parts) -> NDArray[np.float32]:
    """An array with one part after the other replaced.

    Parameters
    ----------
    array : ndarray
        ``(C, H, W)``.
    baseline : ndarray
        ``(C, H, W)``: what takes the place of a part, with soft edges unless both are binary.
    parts : Parts
        P parts of ``(H, W)``.

    Returns
    -------
    ndarray
        ``(P, C, H, W)`` float32.
    """
    binary = bool(np.isin(array, (0, 1)).all() and np.isin(baseline, (0, 1)).all())
    images = np.empty((len(parts), *array.shape), np.float32)
    for part in range(len(parts)):
        weight = (parts.labels == part).astype(np.float32)
        if not binary:
            weight = cv2.GaussianBlur(weight, (0, 0), SOFT_PX)
        images[part] = array + weight * (baseline - array)
    return images


def shuffled(array: NDArray[np.float32], parts: Parts, seed: int) -> NDArray[np.float32]:
    """A baseline of a micrograph: the pixels of each part in random order, which keeps its phase fraction.

    Parameters
    ----------
    array : ndarray
        ``(C, H, W)``.
    parts : Parts
        Of ``(H, W)``.
    seed : int
        Of the order.

    Returns
    -------
    ndarray
        ``(C, H, W)``.
    """
    generator, mixed = np.random.default_rng(seed), array.copy()
    for part in range(len(parts)):
        inside = parts.labels == part
        mixed[:, inside] = generator.permutation(mixed[:, inside], axis=1)
    return mixed


def occlusion(
    array: NDArray[np.float32], baseline: NDArray[np.float32], parts: Parts, describe: Describe
) -> dict[str, Floats]:
    """By how much each part moves each number: with the part minus without it.

    Parameters
    ----------
    array, baseline : ndarray
        ``(C, H, W)``: the measurement, and what takes the place of its parts.
    parts : Parts
        P parts of ``(H, W)``.
    describe : callable
        Numbers ``(N,)`` by name of what is predicted from arrays ``(N, C, H, W)`` float32.

    Returns
    -------
    dict of str to ndarray
        ``(P,)`` by name, in the number's unit; 0 where it has no value. Angles differ by -90 to 90 degrees.
    """
    descriptors = describe(np.concatenate([array[None], without(array, baseline, parts)]).astype(np.float32))
    changes = {}
    for name, values in descriptors.items():
        change = values[0] - values[1:]
        if name in AXIAL:
            change = (change + 90) % 180 - 90
        changes[name] = np.asarray(np.nan_to_num(change))
    return changes


def shares(changes: NDArray[np.floating]) -> Floats:
    """Each part's share ``(P,)`` in [0, 1] of the changes ``(P,)`` without their signs; all 0 where nothing changes."""
    size = np.abs(np.asarray(changes, dtype=np.float64))
    return np.asarray(size / max(float(size.sum()), 1e-300))


def likeness(changes: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Spearman's rank correlation of two explanations without their signs.

    Parameters
    ----------
    changes, other : ndarray
        ``(P,)`` each, of the same parts.

    Returns
    -------
    float
        In [-1, 1]; 0 where one of them is constant.
    """
    first, second = np.abs(changes), np.abs(other)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(scipy.stats.spearmanr(first, second).statistic)
