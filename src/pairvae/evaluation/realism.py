"""Classifier two-sample test: can a network tell predicted images from true crops (Lopez-Paz and Oquab, ICLR 2017)?

The samples are halved. A classifier that is trained on the images of one half judges those of the other, both ways, so
that it cannot know a film by heart. AUC is 0.5 where it cannot tell and 1 where it always can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Bits = NDArray[Any]  # of 0 and 1, or grey levels in [0, 1]
Judging = Callable[[Bits], NDArray[np.float64]]
Training = Callable[
    [Bits, Bits, int, int], Judging
]  # first and second kind, side (px), seed -> logits of images
SIDE = 128  # px of a crop that is judged, of images of 192
LEAST_SAMPLES = 4


def auc(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Area under the ROC curve (Mann-Whitney): the chance that one of the second kind has the higher value.

    Parameters
    ----------
    first, second : ndarray
        Values ``(N,)`` and ``(M,)``.

    Returns
    -------
    float
        In [0, 1]; ties count one half.
    """
    ranks = rankdata(np.concatenate([first, second]))[len(first) :]
    return float((ranks.mean() - (len(second) + 1) / 2) / len(first))


def halves(names: Sequence[str | None], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two halves of the samples, each morphology divided as evenly as can be.

    Parameters
    ----------
    names : sequence of str or None
        The samples' morphologies.
    seed : int
        Of the division.

    Returns
    -------
    tuple of ndarray
        The samples of each half, in order.
    """
    order = np.random.default_rng(seed).permutation(len(names))
    ordered = sorted(order.tolist(), key=lambda sample: names[sample] or "")
    return np.array(sorted(ordered[::2])), np.array(sorted(ordered[1::2]))


def two_sample_test(
    predicted: Bits, true: Bits, names: Sequence[str | None], train: Training, seed: int
) -> dict[str, float]:
    """How well a classifier tells predicted images from true crops; means over both ways of halving.

    Parameters
    ----------
    predicted, true : ndarray of uint8
        ``(V, K, h, w)`` and ``(V, L, h, w)`` of 0 and 1, of V samples.
    names : sequence of str or None
        The samples' morphologies.
    train : callable
        Trains a classifier on images of the first and the second kind ``(M, h, w)``, cut to a side (px), with a seed;
        what it returns gives logits ``(M,)`` of images, above 0 for the second kind.
    seed : int
        Of the halves and of both trainings.

    Returns
    -------
    dict of str to float
        ``auc`` and ``accuracy``, in [0, 1].
    """
    side = min(SIDE, 2 * predicted.shape[-1] // 3)
    first_half, second_half = halves(names, seed)
    accuracies = []
    for number, (known, held_out) in enumerate(((first_half, second_half), (second_half, first_half))):
        judge = train(_flat(predicted[known]), _flat(true[known]), side, seed + number)
        scores = [judge(_flat(kind[held_out])) for kind in (predicted, true)]
        accuracy = ((scores[0] <= 0).mean() + (scores[1] > 0).mean()) / 2
        accuracies.append((auc(*scores), float(accuracy)))
    return dict(zip(("auc", "accuracy"), map(float, np.mean(accuracies, axis=0)), strict=True))


def _flat(images: Bits) -> Bits:
    return images.reshape(-1, *images.shape[-2:])


def realism(
    predicted: Mapping[str, Bits], true: Bits, names: Sequence[str | None], train: Training, seed: int
) -> dict[str, dict[str, Any]]:
    """:func:`two_sample_test` of the images of each direction, with that of true crops among themselves beside it.

    Parameters
    ----------
    predicted : mapping of str to ndarray
        ``(V, K, h, w)`` by direction.
    true : ndarray of uint8
        ``(V, L, h, w)``; the control tells every other crop from the rest.
    names, train, seed
        As for :func:`two_sample_test`.

    Returns
    -------
    dict of str to dict
        By direction, with ``control_auc`` and ``n`` samples; empty for fewer than four samples.
    """
    if len(true) < LEAST_SAMPLES:
        return {}
    control = two_sample_test(true[:, ::2], true[:, 1::2], names, train, seed)["auc"]
    return {
        direction: two_sample_test(images[:, : true.shape[1]], true, names, train, seed)
        | {"control_auc": control, "n": len(true)}
        for direction, images in predicted.items()
    }
