"""Baselines without a network: the nearest training sample, and a Gaussian process regression of curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pairvae.numerics.components import principal_components

QUERIES = 256  # at once: distances to many references fill the memory


def neighbours(
    queries: np.ndarray,
    references: np.ndarray,
    count: int,
    query_samples: np.ndarray,
    reference_samples: np.ndarray,
) -> np.ndarray:
    """The references nearest to each query (Euclidean), the nearest first; none of the query's own sample.

    Parameters
    ----------
    queries, references : ndarray
        ``(N, D)`` and ``(M, D)``.
    count : int
        How many for each query.
    query_samples, reference_samples : ndarray
        ``(N,)`` and ``(M,)``: the samples that they belong to.

    Returns
    -------
    ndarray
        Indices ``(N, count)``; fewer columns where there are fewer references of other samples, but at least one.
    """
    others = len(reference_samples) - int(np.unique(reference_samples, return_counts=True)[1].max())
    count = max(min(count, others), 1)
    nearest = []
    for start in range(0, len(queries), QUERIES):
        part = slice(start, start + QUERIES)
        squares = -2 * queries[part] @ references.T + (references**2).sum(1)[None]
        squares[query_samples[part, None] == reference_samples[None]] = np.inf
        nearest.append(np.argsort(squares, axis=1, kind="stable")[:, :count])
    return np.concatenate(nearest)


def retrieval(features: np.ndarray, train: Sequence[int], count: int = 1) -> np.ndarray:
    """The nearest *other* training samples (Euclidean) to each sample.

    Parameters
    ----------
    features : ndarray
        ``(N, ...)`` of all samples.
    train : sequence of int
        The training samples.
    count : int
        How many for each sample.

    Returns
    -------
    ndarray
        Samples ``(N, count)``, the nearest first; fewer columns where there are fewer.
    """
    training = np.asarray(train)
    flat = features.reshape(len(features), -1).astype(np.float64)
    return np.asarray(training[neighbours(flat, flat[training], count, np.arange(len(flat)), training)])


def gaussian_process(
    inputs: np.ndarray, outputs: np.ndarray, train: Sequence[int], components: int = 12
) -> np.ndarray:
    """Direct regression of curves on inputs, without any image.

    Gaussian process with a squared-exponential kernel on the leading principal components of the training
    inputs; length and noise minimise the leave-one-out error over a small grid, on training pairs only.

    Parameters
    ----------
    inputs, outputs : ndarray
        ``(N, ...)`` and curves ``(N, bins)`` of all samples.
    train : sequence of int
        The samples that it learns from.
    components : int
        Principal components at most.

    Returns
    -------
    ndarray
        Curves ``(N, bins)`` of all samples.
    """
    training = np.asarray(train)
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    principal = principal_components(flat[training], min(components, len(training) - 1))
    scores = principal.scores(flat) / max(principal.sizes[0] / np.sqrt(len(training)), 1e-12)
    squares = ((scores[:, None] - scores[None, training]) ** 2).sum(-1)
    centre = outputs[training].mean(0)
    targets = outputs[training] - centre
    best, choice = -np.inf, (1.0, 0.1)
    for length in (0.5, 1.0, 2.0, 4.0, 8.0):
        for noise in (0.01, 0.03, 0.1, 0.3, 1.0):
            quality = _leave_one_out(np.exp(-squares[training] / (2 * length**2)), noise, targets)
            if quality > best:
                best, choice = quality, (length, noise)
    length, noise = choice
    kernel = np.exp(-squares / (2 * length**2))
    weights = np.linalg.solve(kernel[training] + noise * np.eye(len(training)), targets)
    return np.asarray(kernel @ weights + centre)


def _leave_one_out(kernel: np.ndarray, noise: float, targets: np.ndarray) -> float:
    """Negative leave-one-out squared error (Rasmussen and Williams 2006, eq. 5.12)."""
    inverse = np.linalg.inv(kernel + noise * np.eye(len(kernel)))
    residuals = inverse @ targets / np.diag(inverse)[:, None]
    return -float((residuals**2).mean())


def at_own_fraction(probabilities: np.ndarray) -> np.ndarray:
    """Binary images ``(B, h, w)`` uint8 of probabilities ``(B, 1, h, w)``: as many bright pixels as expected.

    Where domains may lie anywhere, a regression predicts a nearly even grey, and its mode at one half is all bright
    or all dark. The brightest pixels up to the mean probability are a better guess.
    """
    flat = probabilities.reshape(len(probabilities), -1)
    count = np.round(flat.mean(1) * flat.shape[1]).astype(int)
    ranks = np.argsort(np.argsort(-flat, axis=1, kind="stable"), axis=1, kind="stable")
    bright = (ranks < count[:, None]).astype(np.uint8)
    return np.asarray(bright.reshape(len(flat), *probabilities.shape[2:]))
