"""What a Gaussian process sees of a measurement, and what of the other it predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COMPONENTS = 12
CURVE_COMPONENTS = 4
WHITENING = 0.3  # 0: components as they are, 1: all of equal variance


def component_scores(
    summaries: NDArray[np.floating], count: int = COMPONENTS, whitening: float = WHITENING
) -> Floats:
    """Leading principal components ``(N, K)`` of summaries ``(N, D)``, measured samples and candidates together.

    Each is divided by its standard deviation to the power of ``whitening``: small components tell of samples too.
    """
    flat = np.asarray(summaries, dtype=np.float64)
    centred = flat - flat.mean(0)
    if len(flat) < flat.shape[1]:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        kept = _kept(values, count)
        scores = vectors[:, :kept] * np.sqrt(values[:kept])
    else:
        values, axes = np.linalg.eigh(centred.T @ centred)
        values, axes = np.maximum(values[::-1], 0.0), axes[:, ::-1]
        kept = _kept(values, count)
        scores = centred @ axes[:, :kept]
    spread = np.sqrt(values[:kept] / len(flat))
    return np.asarray(scores / np.where(spread > 0, spread, 1.0) ** whitening)


def _kept(values: Floats, count: int) -> int:
    return max(1, min(count, int((values > values[0] * 1e-9).sum())))


@dataclass(frozen=True)
class Targets:
    """Numbers ``values`` ``(N, T)`` that describe ``N`` measurements, by ``names``, with ``weights`` ``(T,)``.

    Descriptors as they are, curves as their leading principal components ``axes`` ``(C, B)`` around ``mean`` ``(B,)``.
    """

    values: Floats
    names: tuple[str, ...]
    weights: Floats
    axes: Floats
    mean: Floats

    def curves(self, values: Floats) -> Floats:
        """The curves ``(M, B)`` of predicted ``values`` ``(M, T)``."""
        return np.asarray(self.mean + values[:, len(self.names) - len(self.axes) :] @ self.axes)


def targets_of(descriptors: dict[str, NDArray[np.floating]], curves: NDArray[np.floating]) -> Targets:
    """Targets of descriptors ``(N,)`` by name and curves ``(N, B)``, which count as much as four descriptors.

    What an image does not have (nan) counts as the mean of the others.
    """
    columns = [_filled(np.asarray(values, dtype=np.float64)) for values in descriptors.values()]
    flat = np.asarray(curves, dtype=np.float64)
    mean = flat.mean(0)
    _, values, axes = np.linalg.svd(flat - mean, full_matrices=False)
    kept = max(1, min(CURVE_COMPONENTS, len(flat) - 1))
    scores, share = (flat - mean) @ axes[:kept].T, values[:kept] ** 2
    total = max(float(share.sum()), 1e-300)
    weights = np.concatenate([np.ones(len(columns)), CURVE_COMPONENTS * share / total])
    names = (*descriptors, *(f"S(r), component {number}" for number in range(1, kept + 1)))
    return Targets(np.column_stack([*columns, scores]), names, weights, axes[:kept], mean)


def _filled(values: Floats) -> Floats:
    known = np.isfinite(values)
    return np.where(known, values, values[known].mean() if known.any() else 0.0)
