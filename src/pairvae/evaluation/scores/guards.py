"""What a reader must know before the scores: outputs that are degenerate, named instead of averaged away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pairvae.evaluation.leakage import Warnings, warning
from pairvae.evaluation.scores.ensemble_scores import repeats
from pairvae.evaluation.scores.reconstruct import EvaluationSet
from pairvae.numerics.images import uniform

REPEATED = 0.5
SAME_PATTERN = 0.05
NAMED = 3


def degenerate(
    images: Mapping[str, Mapping[str, np.ndarray]],
    data: EvaluationSet,
    ids: Sequence[str],
    members: Sequence[int],
) -> Warnings:
    """Warnings about uniform and repeated images.

    ``uniform images``: all black or all white, any number of them. ``one repeated image``: more than half of the
    samples get the image of another one, or patterns that hardly differ between samples.

    Parameters
    ----------
    images : mapping of str to mapping
        Images by model and direction.
    data : EvaluationSet
        The samples; the true crops are looked at too.
    ids : sequence of str
        Of all samples.
    members : sequence of int
        The samples to look at.

    Returns
    -------
    list of dict
        See :func:`pairvae.evaluation.leakage.warning`.
    """
    warnings: Warnings = []
    rows = np.asarray(members)
    if data.cropped(data.names[1]):
        warnings += _uniform(data.crops[rows], "true crops", [ids[row] for row in rows])
    for model, directions in images.items():
        for direction, predicted in directions.items():
            where = f"{model} {direction}"
            target = direction.partition("_")[2]
            if data.cropped(target):
                warnings += _uniform(predicted[rows], where, [ids[row] for row in rows])
                warnings += _repeated(repeats(predicted[rows][:, 0]), where)
            elif len(rows) > 1:
                warnings += _same_pattern(predicted[rows], data.array(target)[rows], where)
    return warnings


def _uniform(images: np.ndarray, where: str, ids: Sequence[str]) -> Warnings:
    n, k = images.shape[:2]
    blank = uniform(images.reshape(n * k, *images.shape[2:])).reshape(n, k)
    if not blank.any():
        return []
    named = [ids[row] for row in np.flatnonzero(blank.any(1)).tolist()]
    more = ", ..." if len(named) > NAMED else ""
    text = f"{where}: {int(blank.sum())} of {blank.size} images are all black or all white"
    return [warning("uniform images", f"{text} (samples {', '.join(named[:NAMED])}{more})")]


def _repeated(share: float, where: str) -> Warnings:
    if share <= REPEATED:
        return []
    text = f"{where}: {100 * share:.0f} % of the samples get exactly the image of another sample"
    return [warning("one repeated image", text)]


def _same_pattern(predicted: np.ndarray, true: np.ndarray, where: str) -> Warnings:
    """Patterns ``(N, [K,] ...)`` that differ far less between samples than the true ones ``(N, ...)`` do."""
    first = predicted if predicted.ndim == true.ndim else predicted[:, 0]
    spread, usual = (float(part.std(0, dtype=np.float64).mean()) for part in (first, true))
    if spread >= SAME_PATTERN * usual:
        return []
    text = f"{where}: patterns differ between samples by {100 * spread / usual:.0f} % of what true ones do"
    return [warning("one repeated image", text)]
