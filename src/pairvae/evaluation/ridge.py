"""Ridge regression between few samples of many numbers, its strength chosen by leaving one sample out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairvae.numerics.series import evenly_spread

STRENGTHS = tuple(
    10.0**power for power in np.arange(-6.0, 2.25, 0.5)
)  # of the mean squared norm of the inputs
LARGEST = 2000  # rows: the work grows with their cube


@dataclass(frozen=True)
class Ridge:
    """A fitted regression; ``strength`` and ``error`` (mean squared, left out) tell how it was chosen."""

    inputs: np.ndarray
    centre: np.ndarray
    scale: float
    coefficients: np.ndarray
    components: np.ndarray
    mean: np.ndarray
    strength: float
    error: float

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs ``(M, T)`` float32 of inputs ``(M, D)``."""
        kernel = _kernel(inputs.astype(np.float64) - self.centre, self.inputs, self.scale)
        scores = (kernel @ self.coefficients).astype(np.float32)
        return np.asarray(scores @ self.components + self.mean)

    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """The same as a matrix ``(T, D)`` and what it gives for inputs of 0 ``(T,)``."""
        width = self.inputs.shape[1]
        bias = self(np.zeros((1, width)))[0]
        return (self(np.eye(width)) - bias).T, bias


def ridge(inputs: np.ndarray, outputs: np.ndarray, owners: np.ndarray | None = None) -> Ridge:
    """Regression of ``outputs`` ``(N, T)`` on ``inputs`` ``(R, D)``; row ``r`` belongs to sample ``owners[r]``.

    Without ``owners`` each sample has one row. The strength minimises the squared error of samples whose rows
    are all left out, in closed form (Rasmussen and Williams 2006, eq. 5.12, for blocks). Of more than
    ``LARGEST`` rows, as many are taken at even distances.
    """
    chosen = evenly_spread(len(inputs), LARGEST)
    rows = inputs[chosen].astype(np.float64)
    of = (np.arange(len(inputs)) if owners is None else np.asarray(owners))[chosen]
    centre, mean = rows.mean(0), outputs.mean(0)
    rows = rows - centre
    scale = max(float((rows**2).sum(1).mean()), 1e-300)
    kernel = _kernel(rows, rows, scale)
    scores, components = _components(outputs - mean)
    wanted = scores[of]
    errors = [_left_out(kernel, strength, wanted, of) for strength in STRENGTHS]
    best = int(np.argmin(errors))
    coefficients = np.linalg.solve(kernel + STRENGTHS[best] * np.eye(len(kernel)), wanted)
    return Ridge(
        rows, centre, scale, coefficients, components, mean.astype(np.float32), STRENGTHS[best], errors[best]
    )


def _kernel(first: np.ndarray, second: np.ndarray, scale: float) -> np.ndarray:
    """``(M, R)`` products of centred inputs, plus a constant for the intercept.

    Without the constant, centring alone would tell every left-out row: the rows add up to nothing.
    """
    return np.asarray(first @ second.T / scale + 1.0)


def _components(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores ``(N, C)`` and orthonormal rows ``(C, T)`` whose product is ``centred``: few numbers to regress."""
    left, values, right = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    kept = max(int((values > values[0] * 1e-9).sum()), 1)
    return left[:, :kept] * values[:kept], right[:kept].astype(np.float32)


def _left_out(kernel: np.ndarray, strength: float, wanted: np.ndarray, of: np.ndarray) -> float:
    """Mean squared error of each row's outputs when the rows of its sample are left out."""
    inverse = np.linalg.inv(kernel + strength * np.eye(len(kernel)))
    weighted = inverse @ wanted
    squares = 0.0
    for sample in np.unique(of):
        own = np.flatnonzero(of == sample)
        squares += float((np.linalg.solve(inverse[np.ix_(own, own)], weighted[own]) ** 2).sum())
    return squares / len(kernel)
