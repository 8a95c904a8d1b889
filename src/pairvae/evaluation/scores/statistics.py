"""Medians with their uncertainty, and paired comparisons of models.

A sample (a pair of the data) is the unit throughout: ten crops of one micrograph are ten looks at one sample,
not ten independent measurements. Bootstrap resamples draw whole samples with all of their crops, and tests
compare one number per sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairvae.numerics.paired import LEVEL, signed_rank

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Summary = dict[str, Any]

RESAMPLES = 1000


def resamples(samples: int, seed: int, count: int = RESAMPLES) -> Integers:
    """Draw bootstrap resamples.

    Parameters
    ----------
    samples : int
        How many samples there are, M.
    seed : int
        Of the draws.
    count : int
        How many resamples, B.

    Returns
    -------
    ndarray of int
        ``(B, M)``: how often each sample is drawn.
    """
    generator = np.random.default_rng([seed, samples])
    return generator.multinomial(samples, np.full(samples, 1 / samples), size=count)


def resampled_medians(values: NDArray[Any], counts: Integers) -> Floats:
    """Median in each resample of whole samples.

    The same as the median of the values written out as often as their sample is drawn, from one sorting.

    Parameters
    ----------
    values : ndarray
        ``(M,)`` or ``(M, K)``.
    counts : ndarray of int
        ``(B, M)``, of :func:`resamples`.

    Returns
    -------
    ndarray
        ``(B,)``.
    """
    flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    order = np.argsort(flat, axis=None, kind="stable")
    ordered, sample = flat.ravel()[order], order // flat.shape[1]
    reached = np.cumsum(counts[:, sample], axis=1)
    total = reached[:, -1]
    lower = (reached <= ((total - 1) // 2)[:, None]).sum(1)
    upper = (reached <= (total // 2)[:, None]).sum(1)
    return np.asarray((ordered[lower] + ordered[upper]) / 2)


def interval(values: NDArray[Any], counts: Integers) -> list[float]:
    """Percentile bootstrap interval of 95 % of the median.

    Parameters
    ----------
    values, counts
        As for :func:`resampled_medians`.

    Returns
    -------
    list of float
        Its lower and its upper end.
    """
    medians = resampled_medians(values, counts)
    tail = 100 * (1 - LEVEL) / 2
    return [float(end) for end in np.percentile(medians, [tail, 100 - tail])]


def summary(values: NDArray[Any], counts: Integers | None = None) -> Summary:
    """Median, quartiles and number of values.

    Parameters
    ----------
    values : ndarray
        ``(M,)`` or ``(M, K)``.
    counts : ndarray of int, optional
        ``(B, M)``, of :func:`resamples`: they add the :func:`interval` of the median.

    Returns
    -------
    dict
        ``median``, ``q1``, ``q3``, ``n`` and, with ``counts``, ``interval``.

    Raises
    ------
    ValueError
        Where a value is not finite, or where there are none.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    if len(flat) == 0 or not np.isfinite(flat).all():
        raise ValueError("scores must be finite, and at least one")
    q1, median, q3 = np.percentile(flat, [25, 50, 75])
    statistics: Summary = {"median": float(median), "q1": float(q1), "q3": float(q3), "n": len(flat)}
    if counts is not None:
        statistics["interval"] = interval(values, counts)
    return statistics


def by_sample(values: NDArray[Any]) -> Floats:
    """One number per sample ``(M,)``: the mean over the crops of ``(M, K)``."""
    numbers = np.asarray(values, dtype=np.float64)
    return numbers if numbers.ndim == 1 else np.asarray(numbers.reshape(len(numbers), -1).mean(1))


def paired(first: NDArray[Any], second: NDArray[Any]) -> Summary:
    """Errors of two methods on the same M samples: what differs, and how surely.

    Parameters
    ----------
    first, second : ndarray
        ``(M,)`` or ``(M, K)``.

    Returns
    -------
    dict
        ``median_difference`` of first minus second (Hodges-Lehmann; negative: the first is better) with its
        ``interval`` of 95 %, ``p`` and ``verdict`` of :func:`pairvae.numerics.paired.signed_rank`, ``better``, the
        share of samples on which the first has the lower error, and ``n`` samples.
    """
    gaps = by_sample(first) - by_sample(second)
    test = signed_rank(gaps)
    return {
        "median_difference": test.difference,
        "interval": None if test.interval is None else list(test.interval),
        "p": test.p,
        "verdict": test.verdict,
        "better": float((gaps < 0).mean()),
        "n": len(gaps),
    }


def ranking(errors: Mapping[str, NDArray[Any]], middle: Mapping[str, float]) -> dict[str, Any]:
    """The best of several methods on the same samples, and those that are not told apart from it.

    Parameters
    ----------
    errors : mapping of str to ndarray
        ``(M,)`` or ``(M, K)`` by method.
    middle : mapping of str to float
        The median or mean that is shown, by method. The best has the lowest, unless another is :func:`paired` better
        than it.

    Returns
    -------
    dict
        ``best``, ``not_told_apart`` and ``n`` samples.
    """
    names = sorted(errors, key=lambda name: middle[name])
    best = names[0]
    for name in names[1:]:
        if paired(errors[name], errors[best])["verdict"] == "better":
            best = name
    tied = [
        name
        for name in names
        if name != best and paired(errors[name], errors[best])["verdict"] == "not told apart"
    ]
    return {"best": best, "not_told_apart": tied, "n": len(errors[best])}


def comparisons(
    model: Mapping[str, Mapping[str, NDArray[Any]]],
    others: Mapping[str, Mapping[str, Mapping[str, NDArray[Any]]]],
    members: Sequence[int],
) -> dict[str, dict[str, dict[str, Summary]]]:
    """:func:`paired` of a model minus each of several others.

    Parameters
    ----------
    model : mapping of str to mapping
        Errors ``(N,)`` or ``(N, K)``: direction -> score.
    others : mapping of str to mapping
        The same: other -> direction -> score. Only what both have is compared.
    members : sequence of int
        The samples to compare on.

    Returns
    -------
    dict
        Other -> direction -> score.
    """
    chosen = np.asarray(members, dtype=np.int64)
    differences: dict[str, dict[str, dict[str, Summary]]] = {}
    for name, directions in others.items():
        for direction, scores in directions.items():
            model_scores = model.get(direction, {})
            shared = {
                score: paired(model_scores[score][chosen], values[chosen])
                for score, values in scores.items()
                if score in model_scores
            }
            if shared:
                differences.setdefault(name, {})[direction] = shared
    return differences
