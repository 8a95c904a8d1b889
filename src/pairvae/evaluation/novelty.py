"""How unlike the training data an input is: inside and outside of the components that an encoder keeps.

An encoder that sees inputs ``(N, D)`` by their leading principal components keeps whitened scores ``(N, K)`` and
drops a residual. An input is unlike the training data where its scores are far from theirs (Mahalanobis), or
where much of it lies in no component; the encoder alone is blind to the latter. The card holds three numbers:
everything else is in the encoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Novelty:
    """Number of components, the usual norm of a residual, and the distance from which an input is unlike."""

    components: int
    residual: float
    threshold: float


def scores_and_residuals(
    inputs: NDArray[np.floating], mean: Floats, basis: Floats, spread: Floats
) -> tuple[Floats, Floats]:
    """Whitened scores ``(N, K)`` and residual norms ``(N,)`` of inputs ``(N, D)``; ``basis`` ``(K, D)``."""
    centred = np.asarray(inputs, dtype=np.float64) - mean
    scores = centred @ basis.T
    outside = (centred**2).sum(1) - (scores**2).sum(1)
    return scores / spread, np.sqrt(np.maximum(outside, 0.0))


def distance(scores: NDArray[np.floating], residuals: NDArray[np.floating], card: Novelty) -> Floats:
    """Distance ``(N,)`` from the training data, about 1 within them: scores ``(N, K)``, residual norms ``(N,)``.

    sqrt of half the mean squared whitened score plus half the squared residual over the usual one.
    """
    inside = (np.asarray(scores, dtype=np.float64) ** 2).sum(1) / max(card.components, 1)
    outside = (np.asarray(residuals, dtype=np.float64) / card.residual) ** 2
    return np.asarray(np.sqrt((inside + outside) / 2))


def unlike(distances: Floats, card: Novelty) -> NDArray[np.bool_]:
    """Whether each input ``(N,)`` lies beyond the threshold."""
    return np.asarray(distances > card.threshold)


def fit(
    inputs: NDArray[np.floating], components: int, quantile: float = 0.95, margin: float = 1.1
) -> Novelty:
    """The card of training inputs ``(N, D)``, N >= 3, for an encoder that keeps ``components`` of them.

    Every input is measured by the components of the others (leave one out), since its own are too kind to it.
    The threshold is the ``quantile`` of those distances times ``margin``, which makes up for the few inputs
    that it rests on. ``ValueError`` for fewer than three inputs.
    """
    if len(inputs) < 3:
        raise ValueError("novelty needs at least three training inputs")
    kept = min(components, len(inputs) - 2)
    left_out = [_left_out(gram_rows, kept) for gram_rows in _orders(inputs)]
    scores, residuals = (np.stack(part) for part in zip(*left_out, strict=True))
    usual = max(float(np.median(residuals)), 1e-6 * float(np.abs(inputs).max()) + 1e-12)
    loose = Novelty(kept, usual, np.inf)
    return Novelty(kept, usual, margin * float(np.quantile(distance(scores, residuals, loose), quantile)))


def _orders(inputs: NDArray[np.floating]) -> list[Floats]:
    """For each input, the Gram matrix ``(N, N)`` of all with that one last."""
    flat = np.asarray(inputs, dtype=np.float64)
    flat = flat - flat.mean(0)
    gram = flat @ flat.T
    everyone = np.arange(len(flat))
    orders = [np.append(everyone[everyone != one], one) for one in everyone]
    return [gram[np.ix_(order, order)] for order in orders]


def _left_out(gram: Floats, kept: int) -> tuple[Floats, Floats]:
    """Whitened scores ``(kept,)`` and residual norm of the last input, by the components of the others.

    Of the Gram matrix alone, so that large inputs cost no more than small ones.
    """
    count = len(gram) - 1
    own, cross, size = gram[:count, :count], gram[:count, count], gram[count, count]
    row = own.mean(1)
    centred = own - row[:, None] - row[None, :] + row.mean()
    towards = cross - row - cross.mean() + row.mean()
    norm = size - 2 * cross.mean() + row.mean()
    values, vectors = np.linalg.eigh(centred)
    values, vectors = values[::-1][:kept], vectors[:, ::-1][:, :kept]
    lengths = np.sqrt(np.maximum(values, 1e-12 * max(values[0], 1e-300)))
    scores = vectors.T @ towards / lengths
    outside = np.sqrt(max(norm - float((scores**2).sum()), 0.0))
    return scores / (lengths / np.sqrt(count - 1)), np.array(outside)
