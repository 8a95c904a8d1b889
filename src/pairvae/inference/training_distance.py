"""Distance of an input from the training data, inside and outside of the components that an encoder keeps.

An encoder that sees inputs ``(N, D)`` by their leading principal components keeps whitened scores ``(N, K)`` and
drops a residual. An input is out of distribution where its scores are far from those of the training data
(Mahalanobis distance), or where much of it lies in no component, which the encoder alone does not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DistanceScale:
    """What distances are measured by.

    Parameters
    ----------
    components : int
        How many an encoder keeps.
    residual : float
        The usual norm of what lies in no component.
    threshold : float
        The largest usual distance.
    """

    components: int
    residual: float
    threshold: float


def scores_and_residuals(
    inputs: NDArray[np.floating], mean: Floats, basis: Floats, spread: Floats
) -> tuple[Floats, Floats]:
    """What of inputs lies inside and outside of principal components.

    Parameters
    ----------
    inputs : ndarray
        ``(N, D)``.
    mean, basis, spread : ndarray
        ``(D,)``, ``(K, D)`` and ``(K,)``: centre, orthonormal directions, and standard deviations along them.

    Returns
    -------
    scores : ndarray
        Whitened, ``(N, K)``.
    residuals : ndarray
        Norms ``(N,)``.
    """
    centred = np.asarray(inputs, dtype=np.float64) - mean
    scores = centred @ basis.T
    outside = (centred**2).sum(1) - (scores**2).sum(1)
    return scores / spread, np.sqrt(np.maximum(outside, 0.0))


def distance(scores: NDArray[np.floating], residuals: NDArray[np.floating], card: DistanceScale) -> Floats:
    """Distance from the training data, about 1 within them.

    sqrt of half the mean squared whitened score plus half the squared residual over the usual one.

    Parameters
    ----------
    scores, residuals : ndarray
        ``(N, K)`` and ``(N,)``, of :func:`scores_and_residuals`.
    card : DistanceScale
        Of the training data.

    Returns
    -------
    ndarray
        ``(N,)``, >= 0.
    """
    inside = (np.asarray(scores, dtype=np.float64) ** 2).sum(1) / max(card.components, 1)
    outside = (np.asarray(residuals, dtype=np.float64) / card.residual) ** 2
    return np.asarray(np.sqrt((inside + outside) / 2))


def fit(
    inputs: NDArray[np.floating],
    components: int,
    quantile: float = 0.95,
    margin: float = 1.1,
    groups: Sequence[object] | None = None,
) -> DistanceScale:
    """The scale of training inputs.

    Every input is measured by the components of the others, since its own are too kind to it. Inputs of one group
    (views of one sample) and equal inputs are left out together: a twin is as kind.

    Parameters
    ----------
    inputs : ndarray
        ``(N, D)``.
    components : int
        How many the encoder keeps.
    quantile, margin : float
        The threshold is this quantile of the distances times the margin, which makes up for few inputs.
    groups : sequence, optional
        ``N`` names; None is none.

    Returns
    -------
    DistanceScale
        Of fewer components where there are fewer than ``components + 2`` sets of inputs.

    Raises
    ------
    ValueError
        For fewer than three :func:`sets_apart`.
    """
    owners = sets_apart(inputs, groups)
    distinct = int(owners.max(initial=-1)) + 1
    if distinct < 3:
        raise ValueError("a distance needs at least three training inputs that differ, of three groups")
    kept = min(components, distinct - 2)
    flat = np.asarray(inputs, dtype=np.float64)
    flat = flat - flat.mean(0)
    gram = flat @ flat.T
    held_out = [
        _left_out(gram, owners != owner, np.flatnonzero(owners == owner), kept) for owner in range(distinct)
    ]
    scores, residuals = (np.concatenate(part) for part in zip(*held_out, strict=True))
    usual = max(float(np.median(residuals)), 1e-6 * float(np.abs(inputs).max()) + 1e-12)
    loose = DistanceScale(kept, usual, np.inf)
    return DistanceScale(
        kept, usual, margin * float(np.quantile(distance(scores, residuals, loose), quantile))
    )


def sets_apart(inputs: NDArray[np.floating], groups: Sequence[object] | None) -> NDArray[np.int64]:
    """Number the sets of inputs that belong together: those of one group, or equal ones.

    Parameters
    ----------
    inputs : ndarray
        ``(N, D)``.
    groups : sequence or None
        ``N`` names; None is none.

    Returns
    -------
    ndarray of int
        ``(N,)``: the set of each, counted from 0.
    """
    owners = np.arange(len(inputs))
    keys: dict[object, int] = {}
    for index, array in enumerate(inputs):
        named = () if groups is None or groups[index] is None else (("group", groups[index]),)
        for key in (("content", np.ascontiguousarray(array).tobytes()), *named):
            first = owners[keys.setdefault(key, index)]
            owners[owners == owners[index]] = first
    return np.unique(owners, return_inverse=True)[1].astype(np.int64)


def _left_out(
    gram: Floats, known: NDArray[np.bool_], held: NDArray[np.int64], kept: int
) -> tuple[Floats, Floats]:
    """Whitened scores ``(M, kept)`` and residual norms ``(M,)`` of the inputs ``held``, by the ``known`` ones.

    Of the Gram matrix ``(N, N)`` alone, so that large inputs cost no more than small ones.
    """
    known_gram, cross, sizes = gram[np.ix_(known, known)], gram[np.ix_(held, known)], gram[held, held]
    row = known_gram.mean(1)
    centred = known_gram - row[:, None] - row[None, :] + row.mean()
    middle = cross.mean(1)
    towards = cross - row[None, :] - middle[:, None] + row.mean()
    norms = sizes - 2 * middle + row.mean()
    values, vectors = np.linalg.eigh(centred)
    values, vectors = values[::-1][:kept], vectors[:, ::-1][:, :kept]
    lengths = np.sqrt(np.maximum(values, 1e-12 * max(values[0], 1e-300)))
    scores = towards @ vectors / lengths
    outside = np.sqrt(np.maximum(norms - (scores**2).sum(1), 0.0))
    return scores / (lengths / np.sqrt(len(known_gram) - 1)), outside
