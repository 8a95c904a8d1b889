"""The mean of several measurements of one sample: a regression on their features, or a weighted mean of their means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pairvae.calibration.latents import flat
from pairvae.numerics.ridge import cross_val_predict, ridge


@dataclass(frozen=True)
class JointMean:
    """What a mean is made of, and how it errs.

    Parameters
    ----------
    left_out : ndarray
        ``(N, C, P)``: the means of N samples that it was not fitted to.
    before, after : float
        Mean squared error of the best technique alone, and of all together.
    weights, slopes, bias
        As of :class:`pairvae.models.joint.JointPosterior`.
    """

    left_out: np.ndarray
    before: float
    after: float
    weights: np.ndarray
    slopes: Mapping[str, np.ndarray] = field(default_factory=dict)
    bias: np.ndarray | None = None


def weighted(unseen: Mapping[str, np.ndarray], target: np.ndarray) -> JointMean:
    """Weighted means of what each technique says of left-out samples.

    Parameters
    ----------
    unseen : mapping of str to ndarray
        ``(N, C, P)`` by technique.
    target : ndarray
        ``(N, C, P)``: what they predict.

    Returns
    -------
    JointMean
        With :func:`best_weights`.
    """
    errors = np.stack([flat(one - target).ravel() for one in unseen.values()])
    weights = best_weights(errors @ errors.T / errors.shape[1])
    centre = np.tensordot(weights, np.stack(list(unseen.values())), 1)
    squares = [float(np.square(one).mean()) for one in (*errors, weights @ errors)]
    return JointMean(centre, min(squares[:-1]), squares[-1], weights)


def regressed(
    features: Mapping[str, np.ndarray],
    scales: Mapping[str, np.ndarray],
    target: np.ndarray,
    groups: Sequence[str],
) -> JointMean:
    """A ridge regression from the features of all techniques together.

    From crops to the crops of another technique, networks learn few samples by heart: on new ones their means err
    six times as much as a regression (docs/guides/more-techniques.md).

    Parameters
    ----------
    features : mapping of str to ndarray
        ``(N, K)`` by technique.
    scales : mapping of str to ndarray
        ``(K,)`` or ``(1,)``: what they are multiplied by. Besides, each technique has the same total variance.
    target : ndarray
        ``(N, C, 1)``: latents.
    groups : sequence of str
        Of the samples; those of one are left out together.

    Returns
    -------
    JointMean
        With slopes and bias, and equal weights.
    """
    aim = flat(target)
    factors = {
        name: scales[name] / (float(np.sqrt((rows * scales[name]).var(0).sum())) or 1.0)
        for name, rows in features.items()
    }
    scaled = {name: rows * factors[name] for name, rows in features.items()}

    def left_out(*inputs: np.ndarray) -> np.ndarray:
        return cross_val_predict(np.concatenate(inputs, axis=1), aim, groups)

    alone = [float(np.square(left_out(rows) - aim).mean()) for rows in scaled.values()]
    unseen = left_out(*scaled.values())
    weight, bias = ridge(np.concatenate(list(scaled.values()), axis=1), aim).affine()
    ends = np.cumsum([rows.shape[1] for rows in scaled.values()])[:-1]
    slopes = {
        name: part * factors[name] for name, part in zip(scaled, np.split(weight, ends, axis=1), strict=True)
    }
    after = float(np.square(unseen - aim).mean())
    equal = np.full(len(scaled), 1.0 / len(scaled))
    return JointMean(unseen.reshape(target.shape), min(alone), after, equal, slopes, bias)


def best_weights(errors: np.ndarray) -> np.ndarray:
    """Weights of predictors whose weighted mean errs least (Bates and Granger 1969).

    Parameters
    ----------
    errors : ndarray
        ``(S, S)``: mean products of the errors of S predictors.

    Returns
    -------
    ndarray
        ``(S,)``, none below 0, with the sum 1.

    Examples
    --------
    >>> best_weights(np.diag([1.0, 3.0])), best_weights(np.array([[1.0, 1.5], [1.5, 3.0]]))
    (array([0.75, 0.25]), array([1., 0.]))
    """
    used = np.ones(len(errors), bool)
    while True:
        some = errors[np.ix_(used, used)]
        few = np.linalg.lstsq(
            some + 1e-9 * np.trace(some) * np.eye(len(some)), np.ones(len(some)), rcond=None
        )[0]
        if few.min() >= 0 or len(few) == 1:
            break
        used[np.flatnonzero(used)[few.argmin()]] = False
    weights = np.zeros(len(errors))
    weights[used] = few / few.sum()
    return weights
