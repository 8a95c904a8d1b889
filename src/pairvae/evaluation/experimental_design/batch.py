"""The batch of samples whose measurement lowers the expected error of all others most.

Measuring a sample j lowers the posterior variance of every sample i by C(i, j)² / (C(j, j) + noise), whatever the
outcome. The best single sample maximises the sum over i (Cohn, Neural Networks 1996, 9, 1071; Seo et al., IJCNN 2000).
A batch is built greedily: each choice conditions the process, so that no two choices ask the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from pairvae.evaluation.experimental_design.gaussian_process import GaussianProcess, Kernel
from pairvae.numerics.series import evenly_spread

Floats = NDArray[np.float64]

MOST_REFERENCES = 1000  # samples over which the error is summed


@dataclass(frozen=True)
class Preferences:
    """What else counts in a choice among ``M`` candidates.

    Parameters
    ----------
    terms : mapping of str to (float, ndarray)
        Further reasons by name, each a weight and values ``(M,)`` of at least 0. They count relative to their largest
        value, and less for candidates whose variance the batch has lowered already.
    error_weight : float
        Weight of the expected reduction of error.
    costs : ndarray, optional
        ``(M,)``, > 0, by which a utility is divided.
    allowed : ndarray of bool, optional
        ``(M,)``: only these are chosen, but the error is that of all.
    pending : sequence of int
        Candidates that are being measured.
    """

    terms: Mapping[str, tuple[float, NDArray[np.floating]]] = field(default_factory=dict)
    error_weight: float = 1.0
    costs: NDArray[np.floating] | None = None
    allowed: NDArray[np.bool_] | None = None
    pending: Sequence[int] = ()

    def free(self, count: int) -> NDArray[np.bool_]:
        """Which of ``count`` candidates may be chosen: those allowed that are not being measured."""
        free = np.ones(count, bool) if self.allowed is None else np.array(self.allowed, dtype=bool)
        free[list(self.pending)] = False
        return free

    def prices(self, count: int) -> Floats:
        """Costs ``(count,)`` of the candidates; 1 where none are given."""
        return np.ones(count) if self.costs is None else np.asarray(self.costs, dtype=np.float64)


@dataclass(frozen=True)
class Batch:
    """A choice of candidates and what it is expected to bring.

    Parameters
    ----------
    chosen : tuple of int
        K numbers of candidates, the best first.
    error : ndarray
        ``(K + 1, T)``: expected root mean square error of each target over all candidates before and after each
        choice, without noise.
    total : ndarray
        ``(K + 1,)``: that of all targets together, relative to their spread.
    terms : mapping of str to ndarray
        ``(M,)`` by name: what speaks for each candidate before the first choice, at most 1.
    """

    chosen: tuple[int, ...]
    error: Floats
    total: Floats
    terms: Mapping[str, Floats]


class _Conditioned:
    """Posterior covariances by one kernel and noise, conditioned on more and more samples.

    Between ``rows`` ``(R, D)``, over which errors are summed, and ``candidates`` ``(M, D)``.
    """

    def __init__(
        self, kernel: Kernel, noise: float, measured: Floats, candidates: Floats, rows: Floats
    ) -> None:
        lower = np.linalg.cholesky(kernel(measured, measured) + noise * np.eye(len(measured)))
        half = scipy.linalg.solve_triangular(lower, kernel(measured, candidates), lower=True)
        part = scipy.linalg.solve_triangular(lower, kernel(measured, rows), lower=True)
        self.noise, self.kernel, self.candidates = noise, kernel, candidates
        self.half = [half]
        self.covariance = (kernel(rows, candidates) - part.T @ half).astype(np.float32)
        self.variance = np.maximum(kernel.variance(candidates) - (half**2).sum(0), 1e-12)

    def reduction(self) -> Floats:
        """By how much measuring each candidate lowers the variance of all rows together, ``(M,)``."""
        squares = np.einsum("rm,rm->m", self.covariance, self.covariance)
        return np.asarray(squares / (self.variance + self.noise))

    def measure(self, index: int) -> None:
        """Condition on candidate ``index``."""
        prior = self.kernel(self.candidates[index : index + 1], self.candidates)[0]
        scale = np.sqrt(self.variance[index] + self.noise)
        row = (prior - sum(part[:, index] @ part for part in self.half)) / scale
        along = self.covariance[:, index].astype(np.float64) / scale
        self.covariance -= np.outer(along, row).astype(np.float32)
        self.variance = np.maximum(self.variance - row**2, 1e-12)
        self.half.append(row[None])


def greedy_batch(
    process: GaussianProcess,
    candidates: NDArray[np.floating],
    count: int,
    preferences: Preferences | None = None,
    weights: NDArray[np.floating] | None = None,
) -> Batch:
    """Choose candidates to measure together.

    Parameters
    ----------
    process : GaussianProcess
        Fitted on the measured samples.
    candidates : ndarray
        Features ``(M, D)``.
    count : int
        How many to choose.
    preferences : Preferences, optional
        What counts besides the error.
    weights : ndarray, optional
        ``(T,)``, >= 0, of the targets; equal without it.

    Returns
    -------
    Batch
        Of fewer candidates where fewer are allowed.
    """
    preferences = preferences or Preferences()
    inputs = np.asarray(candidates, dtype=np.float64)
    targets = _Targets(process, inputs, weights)
    for index in preferences.pending:
        targets.measure(index)
    free, prices = preferences.free(len(inputs)), preferences.prices(len(inputs))
    extra = {name: (weight, _relative(values)) for name, (weight, values) in preferences.terms.items()}
    before, first = targets.variance(), targets.reduction()
    largest = max(float(first.max()), 1e-300)
    chosen, known = list[int](), list(preferences.pending)
    errors = [targets.error(inputs[known])]
    for _ in range(min(count, int(free.sum()))):
        utility = preferences.error_weight * targets.reduction() / largest
        for weight, values in extra.values():
            utility = utility + weight * values * targets.variance() / before
        best = int(np.argmax(np.where(free, utility / prices, -np.inf)))
        chosen.append(best)
        free[best] = False
        targets.measure(best)
        errors.append(targets.error(inputs[known + chosen]))
    terms = {"error": first / largest, **{name: values for name, (_, values) in extra.items()}}
    return Batch(tuple(chosen), np.stack(errors), targets.total(np.stack(errors)), terms)


class _Targets:
    """Covariances by each noise of the process, weighted by its targets; these are standardised."""

    def __init__(
        self, process: GaussianProcess, inputs: Floats, weights: NDArray[np.floating] | None
    ) -> None:
        share = np.ones(len(process.noise)) if weights is None else np.asarray(weights, dtype=np.float64)
        self.share = share / max(float(share.sum()), 1e-300)
        self.process, self.rows = process, inputs[evenly_spread(len(inputs), MOST_REFERENCES)]
        self.parts = [
            (
                float((self.share * process.amplitude)[process.noise == noise].sum()),
                _Conditioned(process.kernel, float(noise), process.features, inputs, self.rows),
            )
            for noise in np.unique(process.noise)
        ]

    def reduction(self) -> Floats:
        """By how much measuring each candidate lowers the variance of all targets, ``(M,)``."""
        return np.asarray(sum(weight * part.reduction() for weight, part in self.parts))

    def variance(self) -> Floats:
        """The variance of all targets together at each candidate, ``(M,)``."""
        return np.asarray(sum(weight * part.variance for weight, part in self.parts))

    def measure(self, index: int) -> None:
        """Condition on candidate ``index``."""
        for _, part in self.parts:
            part.measure(index)

    def error(self, measured: Floats) -> Floats:
        """Root mean square errors ``(T,)`` over all rows with some more ``measured``, by the fitted process itself."""
        return np.asarray(np.sqrt(self.process.variance(self.rows, measured).mean(0)))

    def total(self, errors: Floats) -> Floats:
        """Errors ``(K, T)`` of all targets together, relative to their spread, ``(K,)``."""
        return np.asarray(np.sqrt((errors / self.process.scale) ** 2 @ self.share))


def _relative(values: NDArray[np.floating]) -> Floats:
    """Values of at least 0 over their largest."""
    positive = np.maximum(np.nan_to_num(np.asarray(values, dtype=np.float64)), 0.0)
    return np.asarray(positive / max(float(positive.max(initial=0.0)), 1e-300))
