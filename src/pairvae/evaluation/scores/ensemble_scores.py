"""Ensembles of images against ensembles: not image by image, but the distributions of what they are like.

Images are compared by a vector of descriptors: phase fraction, domain spacing, orientation (two numbers), Euler
number (of grey levels the contrast in place of both) and the leading principal components of S(r), each divided by its
standard deviation over the true crops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pairvae.numerics.components import PrincipalComponents, principal_components

Floats = NDArray[np.float64]

COMPONENTS = 3
NEIGHBOURS = 5
HALVINGS = 20
PARTS = ("phase_fraction", "spacing", "orientation_x", "orientation_y", "euler_density", "contrast")


@dataclass(frozen=True)
class Space:
    """The descriptor space of true crops.

    Parameters
    ----------
    centre, scale : ndarray
        ``(D,)``: mean and standard deviation of numbers and scores over the true crops.
    components : PrincipalComponents
        Of S(r).
    """

    centre: Floats
    scale: Floats
    components: PrincipalComponents

    def vectors(self, properties: dict[str, NDArray[np.float64]]) -> Floats:
        """Descriptor vectors ``(..., D)`` of numbers ``(...,)`` and ``s2`` ``(..., bins)`` by name."""
        scores = self.components.scores(properties["s2"])
        raw = np.concatenate([_numbers(properties), scores], axis=-1)
        return np.asarray((raw - self.centre) / self.scale)


def _numbers(properties: dict[str, NDArray[np.float64]]) -> Floats:
    """``(..., D)``; an image without any period counts as one of spacing 0, far from all others."""
    known = [properties[name] for name in PARTS if name in properties]
    return np.nan_to_num(np.stack(known, axis=-1), nan=0.0)


def descriptor_space(true: dict[str, NDArray[np.float64]]) -> Space:
    """The space of true crops, whose numbers are ``(...,)`` and whose ``s2`` is ``(..., bins)``."""
    curves = true["s2"].reshape(-1, true["s2"].shape[-1])
    components = principal_components(curves, COMPONENTS)
    numbers = _numbers(true)
    flat = np.concatenate([numbers.reshape(-1, numbers.shape[-1]), components.scores(curves)], axis=1)
    deviation = flat.std(0)
    return Space(flat.mean(0), np.where(deviation > 1e-12, deviation, 1.0), components)


def frechet_distance(first: Floats, second: Floats) -> float:
    """Frechet (2-Wasserstein) distance squared between normal fits of two sets of vectors.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Dowson and Landau, J. Multivar. Anal. 1982, 12, 450), as in the
    FID of image generation, on morphology instead of a network's features.

    Parameters
    ----------
    first, second : ndarray
        ``(N, D)`` and ``(M, D)``.

    Returns
    -------
    float
        >= 0.
    """
    gap = first.mean(0) - second.mean(0)
    cov_first, cov_second = (np.atleast_2d(np.cov(part, rowvar=False, bias=True)) for part in (first, second))
    root = _square_root(cov_first)
    eigenvalues = np.linalg.eigvalsh(root @ cov_second @ root)
    trace = np.trace(cov_first) + np.trace(cov_second) - 2 * np.sqrt(np.maximum(eigenvalues, 0)).sum()
    return float(max(gap @ gap + trace, 0.0))


def _square_root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def coverage(generated: Floats, true: Floats, neighbours: int = NEIGHBOURS) -> float:
    """Share of true vectors with a generated one within the distance of their k-th true neighbour.

    Naeem et al., ICML 2020 (arXiv 2002.09797): about 1 - 2^-k for two equally large draws of one distribution.

    Parameters
    ----------
    generated, true : ndarray
        ``(N, D)`` and ``(M, D)``.
    neighbours : int
        k; fewer where there are fewer true vectors.

    Returns
    -------
    float
        In [0, 1].
    """
    k = min(neighbours, len(true) - 1)
    radius = cKDTree(true).query(true, k=[k + 1])[0][:, -1]
    nearest = cKDTree(generated).query(true)[0]
    return float((nearest <= radius).mean())


def mean_distance(vectors: Floats) -> float:
    """Root mean square distance between two different vectors of ``(N, D)``: sqrt(2 tr C)."""
    return float(np.sqrt(2 * vectors.var(0, ddof=1).sum())) if len(vectors) > 1 else 0.0


def repeats(images: NDArray[Any]) -> float:
    """Share of images ``(N, h, w)`` that equal an earlier one pixel by pixel, in [0, 1]."""
    distinct = {image.tobytes() for image in images}
    return 1.0 - len(distinct) / len(images)


def ensemble_scores(generated: Floats, true: Floats, seed: int) -> dict[str, float | int]:
    """Scores of generated vectors against true ones.

    Parameters
    ----------
    generated, true : ndarray
        ``(N, K, D)`` and ``(M, L, D)``, of N and M samples.
    seed : int
        Of the random halvings.

    Returns
    -------
    dict of str to float
        * ``frechet``: mean :func:`frechet_distance` of half of the generated samples from the other half of the true
          ones over random halvings; ``frechet_floor`` the same between the two halves of the true ones. Halves
          have the same sizes in both, so that 1 x the floor is what a perfect model gets.
        * ``coverage`` in [0, 1], ``coverage_floor`` that of one half of the true ones by the other.
        * ``diversity``: :func:`mean_distance` over that of the true ones; 1 is right, 0 is one image repeated.
        * ``n``: N K.

        The floors are left out for a single sample: its crops are no two independent halves.
    """
    flat, flat_true = generated.reshape(-1, generated.shape[-1]), true.reshape(-1, true.shape[-1])
    spread = mean_distance(flat_true)
    scores: dict[str, float | int] = {
        "coverage": coverage(flat, flat_true),
        "diversity": mean_distance(flat) / spread if spread > 0 else 0.0,
        "n": len(flat),
    }
    if len(true) < 2 or len(generated) != len(true):
        return scores | {"frechet": frechet_distance(flat, flat_true)}
    return scores | _halved(generated, true, seed)


def _halved(generated: Floats, true: Floats, seed: int) -> dict[str, float]:
    generator = np.random.default_rng([seed, len(true)])
    model, floor, covered = [], [], []
    for _ in range(HALVINGS):
        order = generator.permutation(len(true))
        left, right = order[: len(true) // 2], order[len(true) // 2 :]
        reference = true[right].reshape(-1, true.shape[-1])
        half, other = (part[left].reshape(-1, part.shape[-1]) for part in (generated, true))
        model.append(frechet_distance(half, reference))
        floor.append(frechet_distance(other, reference))
        covered.append(coverage(other, reference))
    return {
        "frechet": float(np.mean(model)),
        "frechet_floor": float(np.mean(floor)),
        "coverage_floor": float(np.mean(covered)),
    }
