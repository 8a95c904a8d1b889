"""The batch of samples whose measurement lowers the expected error of all others most.

Measuring a sample j lowers the posterior variance of every sample i by C(i, j)² / (C(j, j) + noise), whatever the
outcome. The best single sample maximises the sum over i (Cohn, Neural Networks 1996, 9, 1071; Seo et al., IJCNN 2000).
A batch is built greedily: each choice conditions the process, so that it is not made twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from pairvae.evaluation.experimental_design.gaussian_process import GaussianProcess
from pairvae.numerics.rows import evenly_spread

Floats = NDArray[np.float64]

MOST_REFERENCES = 1000  # samples over which the error is summed


@dataclass(frozen=True)
class Batch:
    """``chosen`` numbers of candidates, the best first. ``error`` ``(K + 1, T)``: the expected root mean square error of
    each target over all candidates before and after each of them, without noise. ``utility`` ``(K,)``: of each choice.
    """

    chosen: tuple[int, ...]
    error: Floats
    utility: Floats
    terms: Mapping[str, Floats] = field(default_factory=dict)


class _Conditioned:
    """Posterior covariances of one noise level, conditioned on more and more samples."""

    def __init__(self, process: GaussianProcess, noise: float, candidates: Floats, rows: Floats) -> None:
        kernel = process.kernel
        gram = kernel(process.features, process.features) + noise * np.eye(len(process.features))
        lower = np.linalg.cholesky(gram)
        half = scipy.linalg.solve_triangular(lower, kernel(process.features, candidates), lower=True)
        part = scipy.linalg.solve_triangular(lower, kernel(process.features, rows), lower=True)
        self.noise, self.kernel, self.candidates = noise, kernel, candidates
        self.half = [half]
        self.covariance = (kernel(rows, candidates) - part.T @ half).astype(np.float32)
        self.variance = np.maximum(kernel.variance(candidates) - (half**2).sum(0), 1e-12)
        self.rows_variance = np.maximum(kernel.variance(rows) - (part**2).sum(0), 0.0)

    def reduction(self) -> Floats:
        """By how much measuring each candidate lowers the variance of all references together, ``(M,)``."""
        squares = np.einsum("rm,rm->m", self.covariance, self.covariance)
        return np.asarray(squares / (self.variance + self.noise))

    def measure(self, index: int, chosen_row: Floats) -> None:
        """Condition on candidate ``index``, whose posterior covariance with all candidates is ``chosen_row``."""
        scale = np.sqrt(self.variance[index] + self.noise)
        along = self.covariance[:, index].astype(np.float64) / scale
        row = chosen_row / scale
        self.covariance -= np.outer(along, row).astype(np.float32)
        self.variance = np.maximum(self.variance - row**2, 1e-12)
        self.rows_variance = np.maximum(self.rows_variance - along**2, 0.0)
        self.half.append(row[None])

    def row(self, index: int) -> Floats:
        """Posterior covariance ``(M,)`` of one candidate with all."""
        prior = self.kernel(self.candidates[index : index + 1], self.candidates)[0]
        known: Floats = sum((part[:, index] @ part for part in self.half), np.zeros(len(prior)))
        return np.asarray(prior - known)


def greedy_batch(
    process: GaussianProcess,
    candidates: NDArray[np.floating],
    count: int,
    *,
    weights: NDArray[np.floating] | None = None,
    terms: Mapping[str, tuple[float, NDArray[np.floating]]] | None = None,
    error_weight: float = 1.0,
    costs: NDArray[np.floating] | None = None,
    allowed: Sequence[bool] | NDArray[np.bool_] | None = None,
) -> Batch:
    """Choose ``count`` of ``candidates`` ``(M, D)`` to measure together.

    ``weights`` ``(T,)`` of the targets (equal ones by default), relative to their variance. ``terms``: further reasons
    by name, each a weight and values ``(M,)`` of at least 0, as novelty; they count relative to their largest value, and
    less for candidates whose variance the batch has lowered already. ``error_weight`` is that of the expected reduction
    of error. A utility is divided by ``costs`` ``(M,)``; only ``allowed`` ``(M,)`` candidates are chosen, but the error
    is that of all.
    """
    inputs = np.asarray(candidates, dtype=np.float64)
    rows = inputs[evenly_spread(len(inputs), MOST_REFERENCES)]
    share = np.ones(len(process.noise)) if weights is None else np.asarray(weights, dtype=np.float64)
    share = share / max(float(share.sum()), 1e-300)
    levels = np.unique(process.noise)
    states = [_Conditioned(process, float(noise), inputs, rows) for noise in levels]
    # Targets are standardised: a share of the amplitude is a share of the target's own variance.
    level_weights = [float((share * process.amplitude)[process.noise == noise].sum()) for noise in levels]
    price = np.ones(len(inputs)) if costs is None else np.asarray(costs, dtype=np.float64)
    free = np.ones(len(inputs), bool) if allowed is None else np.array(allowed, dtype=bool)
    before = sum(weight * state.variance for weight, state in zip(level_weights, states, strict=True))
    extra = {name: (weight, _relative(values)) for name, (weight, values) in (terms or {}).items()}
    chosen: list[int] = []
    errors, utilities = [_errors(process, states, levels)], []
    first: dict[str, Floats] = {}
    largest = 0.0
    for _ in range(min(count, int(free.sum()))):
        pairs = list(zip(level_weights, states, strict=True))
        reduction = np.asarray(sum(weight * state.reduction() for weight, state in pairs))
        largest = largest or max(float(reduction.max()), 1e-300)
        left = np.asarray(sum(weight * state.variance for weight, state in pairs)) / before
        utility = error_weight * reduction / largest
        for weight, values in extra.values():
            utility = utility + weight * values * left
        first = first or {"reduction": reduction / largest, **{name: one for name, (_, one) in extra.items()}}
        scored = np.where(free, utility / price, -np.inf)
        best = int(np.argmax(scored))
        chosen.append(best)
        utilities.append(float(scored[best]))
        free[best] = False
        for state in states:
            state.measure(best, state.row(best))
        errors.append(_errors(process, states, levels))
    return Batch(tuple(chosen), np.stack(errors), np.array(utilities), first)


def _relative(values: NDArray[np.floating]) -> Floats:
    """Values of at least 0 over their largest."""
    positive = np.maximum(np.nan_to_num(np.asarray(values, dtype=np.float64)), 0.0)
    return np.asarray(positive / max(float(positive.max(initial=0.0)), 1e-300))


def _errors(process: GaussianProcess, states: list[_Conditioned], levels: Floats) -> Floats:
    """Expected root mean square error ``(T,)`` over the references, in the targets' units, without noise."""
    found = np.empty(len(process.noise))
    for noise, state in zip(levels, states, strict=True):
        columns = process.noise == noise
        variance = state.rows_variance.mean() * (process.amplitude * process.scale**2)[columns]
        found[columns] = np.sqrt(variance)
    return found
