"""Ridge regression between few samples of many numbers, and its cross-validated predictions.

scikit-learn's ``RidgeCV`` does not do: it leaves out single rows in closed form, but groups of rows (the crops of one
sample) only by refitting for each group and ``alpha``, which takes minutes for 480 crops of 48 samples.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from pairvae.numerics.series import evenly_spread

ALPHAS = tuple(10.0**power for power in np.arange(-6.0, 2.25, 0.5))  # of the mean squared norm of the inputs
LARGEST = 2000  # rows: the work grows with their cube
FOLDS = 48  # of up to so many groups each is left out alone


@dataclass(frozen=True)
class Ridge:
    """A fitted ridge regression from D to T numbers.

    Parameters
    ----------
    inputs : ndarray
        ``(R, D)``: the rows that it is fitted to, centred.
    centre : ndarray
        ``(D,)``: their mean.
    scale : float
        Their mean squared norm.
    coefficients : ndarray
        ``(R, C)``: weights of the kernel's columns, for the components of the outputs.
    components : ndarray
        ``(C, T)``: orthonormal rows.
    mean : ndarray
        ``(T,)``: the mean output.
    alpha : float
        Its strength, as a share of ``scale``.
    error : float
        Mean squared error per row of left-out samples at that strength, summed over outputs; nan where only one
        strength was given.
    """

    inputs: np.ndarray
    centre: np.ndarray
    scale: float
    coefficients: np.ndarray
    components: np.ndarray
    mean: np.ndarray
    alpha: float
    error: float

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Predict outputs.

        Parameters
        ----------
        inputs : ndarray
            ``(M, D)``.

        Returns
        -------
        ndarray
            ``(M, T)`` float32.
        """
        kernel = _kernel(inputs.astype(np.float64) - self.centre, self.inputs, self.scale)
        scores = (kernel @ self.coefficients).astype(np.float32)
        return np.asarray(scores @ self.components + self.mean)

    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """The same regression as a matrix and a bias.

        Returns
        -------
        weight : ndarray
            ``(T, D)``.
        bias : ndarray
            ``(T,)``: the outputs for inputs of 0.
        """
        width = self.inputs.shape[1]
        bias = self(np.zeros((1, width)))[0]
        return (self(np.eye(width)) - bias).T, bias


def ridge(
    inputs: np.ndarray,
    outputs: np.ndarray,
    samples: np.ndarray | None = None,
    alphas: Sequence[float] = ALPHAS,
) -> Ridge:
    """Ridge regression between few samples of many numbers (Hoerl and Kennard 1970).

    Parameters
    ----------
    inputs : ndarray
        ``(R, D)``. Of more than ``LARGEST`` rows, as many are taken at even distances.
    outputs : ndarray
        ``(N, T)``.
    samples : ndarray, optional
        ``(R,)`` in [0, N): which sample of the outputs each row of the inputs belongs to. By default each has one
        row.
    alphas : sequence of float
        Candidates, as shares of the mean squared norm of the inputs. That with the least squared error of samples
        whose rows are all left out is taken, in closed form (Rasmussen and Williams 2006, eq. 5.12, for blocks).

    Returns
    -------
    Ridge
        The fitted regression.
    """
    chosen = evenly_spread(len(inputs), LARGEST)
    rows = inputs[chosen].astype(np.float64)
    sample_of = (np.arange(len(inputs)) if samples is None else np.asarray(samples))[chosen]
    centre, mean = rows.mean(0), outputs.mean(0)
    rows = rows - centre
    scale = max(float((rows**2).sum(1).mean()), 1e-300)
    kernel = _kernel(rows, rows, scale)
    scores, components = _components(outputs - mean)
    targets = scores[sample_of]
    middle = targets.mean(0)  # not 0 where samples have different numbers of rows
    targets, mean = targets - middle, mean + middle @ components
    errors = _left_out_errors(kernel, targets, sample_of, alphas)
    best = int(np.argmin(errors))
    coefficients = np.linalg.solve(kernel + alphas[best] * np.eye(len(kernel)), targets)
    return Ridge(
        rows, centre, scale, coefficients, components, mean.astype(np.float32), alphas[best], errors[best]
    )


def cross_val_predict(
    inputs: np.ndarray, outputs: np.ndarray, groups: Sequence[Hashable], alphas: Sequence[float] = ALPHAS
) -> np.ndarray:
    """Cross-validated prediction: the outputs of each sample, by a ridge regression that never saw it.

    Parameters
    ----------
    inputs, outputs : ndarray
        ``(N, D)`` and ``(N, T)``.
    groups : sequence
        The group of each sample, two different ones at least. Samples of one group are left out together, several
        groups at a time where there are more than ``FOLDS``.
    alphas : sequence of float
        Candidates, as in :func:`ridge`.

    Returns
    -------
    ndarray
        ``(N, T)``.
    """
    fold = folds(groups)
    predicted = np.empty(outputs.shape)
    for number in np.unique(fold):
        out = fold == number
        predicted[out] = ridge(inputs[~out], outputs[~out], alphas=alphas)(inputs[out])
    return predicted


def folds(groups: Sequence[Hashable]) -> np.ndarray:
    """Folds for a cross-validation that keeps groups together.

    Parameters
    ----------
    groups : sequence
        The group of each of N samples.

    Returns
    -------
    ndarray
        ``(N,)``: the fold of each sample, in [0, K) with K the number of groups, at most ``FOLDS``.
    """
    number = {name: index for index, name in enumerate(dict.fromkeys(groups))}
    return np.array([number[name] for name in groups]) % min(FOLDS, len(number))


def alpha_of_error(inputs: np.ndarray, outputs: np.ndarray, error: float) -> float:
    """The strength of a ridge regression that misses the outputs it is fitted to by a given error.

    Parameters
    ----------
    inputs, outputs : ndarray
        ``(N, D)`` and ``(N, T)``.
    error : float
        Mean squared error on these outputs.

    Returns
    -------
    float
        ``alpha``, within the range of ``ALPHAS``.
    """
    rows = inputs.astype(np.float64) - inputs.mean(0)
    values, vectors = np.linalg.eigh(_kernel(rows, rows, max(float((rows**2).sum(1).mean()), 1e-300)))
    power = np.square(vectors.T @ (outputs - outputs.mean(0))).sum(1) / outputs.size
    low, high = ALPHAS[0], ALPHAS[-1]
    for _ in range(40):
        alpha = float(np.sqrt(low * high))
        if (power * np.square(alpha / (values.clip(0) + alpha))).sum() < error:
            low = alpha
        else:
            high = alpha
    return alpha


def _kernel(first: np.ndarray, second: np.ndarray, scale: float) -> np.ndarray:
    """``(M, R)`` products of centred inputs."""
    return np.asarray(first @ second.T / scale)


def _components(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores ``(N, C)`` and orthonormal rows ``(C, T)`` whose product is ``centred``: few numbers to regress."""
    left, values, right = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    kept = max(int((values > values[0] * 1e-9).sum()), 1)
    return left[:, :kept] * values[:kept], right[:kept].astype(np.float32)


def _left_out_errors(
    kernel: np.ndarray, targets: np.ndarray, sample_of: np.ndarray, alphas: Sequence[float]
) -> list[float]:
    """Mean squared error of each row's outputs when the rows of its sample are left out, for each alpha.

    The intercept is fitted without them too, and is not regularised: it adds 1 / R to each row's leverage. One that
    was fitted with them would make a regression that tells nothing look best after few samples.
    """
    if len(alphas) == 1 or not np.any(sample_of != sample_of[0]):
        return [float("nan")] * len(alphas)  # nothing to choose, or nothing to choose by
    if len(np.unique(sample_of)) < len(sample_of):
        return [_left_out(kernel, alpha, targets, sample_of) for alpha in alphas]
    values, vectors = np.linalg.eigh(kernel)
    scores, squares, errors = vectors.T @ targets, np.square(vectors), []
    for alpha in alphas:
        inverse = 1.0 / (values.clip(0) + alpha)
        own = (squares @ inverse - 1.0 / (alpha * len(kernel))).clip(1e-12)
        residuals = vectors @ (inverse[:, None] * scores) / own[:, None]
        errors.append(float(np.square(residuals).sum() / len(kernel)))
    return errors


def _left_out(kernel: np.ndarray, alpha: float, targets: np.ndarray, sample_of: np.ndarray) -> float:
    """The error for one alpha, of samples with several rows."""
    inverse = np.linalg.inv(kernel + alpha * np.eye(len(kernel))) - 1.0 / (alpha * len(kernel))
    weighted = inverse @ targets
    squares = 0.0
    for sample in np.unique(sample_of):
        rows = np.flatnonzero(sample_of == sample)
        squares += float((np.linalg.solve(inverse[np.ix_(rows, rows)], weighted[rows]) ** 2).sum())
    return squares / len(kernel)
