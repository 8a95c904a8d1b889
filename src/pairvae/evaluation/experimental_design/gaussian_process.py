"""A Gaussian process from features of one measurement to numbers of the other (Rasmussen and Williams 2006, ch. 2, 5).

The kernel is the sum of a linear, a squared exponential and a constant part, shared by all targets; each target has a
noise of its own. The constant says that the mean of the measured samples is not that of all: samples chosen for what
they teach are no fair draw (ordinary kriging is its limit; ch. 2.7). Everything is closed form: the length scale, the
linear share and the noises maximise the marginal likelihood (with a weak prior of the noise) over a grid, so that a
refit of 40 samples takes milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from pairvae.numerics.series import evenly_spread

Floats = NDArray[np.float64]

LENGTHS = (0.5, 1.0, 2.0, 4.0)  # of the root mean square distance between samples
LINEAR_SHARES = (0.0, 0.5, 0.9)
NOISES = tuple(10.0**power for power in np.arange(-3.0, 1.01, 0.5))  # of a target's variance by the kernel
USUAL_NOISE = (
    10**-0.75
)  # of descriptors by patterns; a prior, one decade wide: 8 samples tell little of their noise
UNKNOWN_MEAN = 1.0  # the constant, in units of the rest of the kernel; 0.3 to 10 serve as well
MOST_FOR_GRID = 400  # samples that choose the kernel: the work grows with their cube
MOST_SAMPLES = 2000


@dataclass(frozen=True)
class Kernel:
    """``share`` x·x' / ``scale``² plus (1 - ``share``) exp(-|x - x'|² / (2 ``length``² ``scale``²)) plus a constant.

    Parameters
    ----------
    length : float
        Length scale of the squared exponential part, in units of ``scale``.
    share : float
        Of the linear part, in [0, 1].
    scale : float
        Root mean square of the features' norms.
    """

    length: float
    share: float
    scale: float

    def __call__(self, first: Floats, second: Floats) -> Floats:
        """Covariances ``(M, N)`` of features ``(M, D)`` and ``(N, D)``."""
        return self._of_differences(first, second) + UNKNOWN_MEAN

    def _of_differences(self, first: Floats, second: Floats) -> Floats:
        products = first @ second.T / self.scale**2
        squares = [(points**2).sum(1) / self.scale**2 for points in (first, second)]
        gaps = np.maximum(squares[0][:, None] + squares[1][None, :] - 2 * products, 0.0)
        return np.asarray(self.share * products + (1 - self.share) * np.exp(-gaps / (2 * self.length**2)))

    def correlation(self, first: Floats, second: Floats) -> Floats:
        """The kernel without its constant, over the root of both variances.

        Parameters
        ----------
        first, second : ndarray
            Features ``(M, D)`` and ``(N, D)``.

        Returns
        -------
        ndarray
            ``(M, N)`` in [-1, 1].
        """
        scale = np.sqrt(np.outer(*(self.variance(features) - UNKNOWN_MEAN for features in (first, second))))
        return np.asarray(self._of_differences(first, second) / np.maximum(scale, 1e-300))

    def variance(self, features: Floats) -> Floats:
        """The kernel of each sample with itself, ``(N,)``, of features ``(N, D)``."""
        return np.asarray(self.share * (features**2).sum(1) / self.scale**2 + 1 - self.share + UNKNOWN_MEAN)


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted process of ``T`` targets.

    Parameters
    ----------
    kernel : Kernel
        Shared by all targets.
    features : ndarray
        ``(N, D)`` of the measured samples.
    mean, scale : ndarray
        ``(T,)``: they standardise the targets.
    noise : ndarray
        ``(T,)``, variances relative to ``amplitude``.
    amplitude : ndarray
        ``(T,)``: the variance of each standardised target by a kernel of 1.
    weights : ndarray
        ``(N, T)``, by which kernels give the posterior mean.
    """

    kernel: Kernel
    features: Floats
    mean: Floats
    scale: Floats
    noise: Floats
    amplitude: Floats
    weights: Floats

    def predict(self, features: NDArray[np.floating]) -> Floats:
        """Posterior mean ``(M, T)`` of features ``(M, D)``, in the targets' own units."""
        cross = self.kernel(np.asarray(features, dtype=np.float64), self.features)
        return np.asarray(self.mean + self.scale * np.einsum("mn,nt->mt", cross, self.weights))

    def variance(self, features: NDArray[np.floating], further: NDArray[np.floating] | None = None) -> Floats:
        """Posterior variance of what the targets are without noise.

        Parameters
        ----------
        features : ndarray
            ``(M, D)``.
        further : ndarray, optional
            ``(F, D)``, of samples that are measured besides; their outcome does not matter.

        Returns
        -------
        ndarray
            ``(M, T)``, in units of the targets' squares.
        """
        inputs = np.asarray(features, dtype=np.float64)
        known = self.features if further is None else np.concatenate([self.features, further])
        prior, cross = self.kernel.variance(inputs), self.kernel(known, inputs)
        kernel = self.kernel(known, known)
        variances = np.empty((len(inputs), len(self.noise)))
        for noise in np.unique(self.noise):
            lower = np.linalg.cholesky(kernel + noise * np.eye(len(kernel)))
            half = scipy.linalg.solve_triangular(lower, cross, lower=True)
            columns = self.noise == noise
            left = np.maximum(prior - (half**2).sum(0), 0.0)
            variances[:, columns] = left[:, None] * (self.amplitude * self.scale**2)[columns]
        return variances

    @property
    def noise_variance(self) -> Floats:
        """Variance ``(T,)`` of the targets that no feature tells, in units of their squares."""
        return np.asarray(self.noise * self.amplitude * self.scale**2)


def fit(features: NDArray[np.floating], targets: NDArray[np.floating]) -> GaussianProcess:
    """Fit a process; a target that does not vary is predicted as it is.

    Parameters
    ----------
    features : ndarray
        ``(N, D)``; of more than 2000 samples, as many at even distances.
    targets : ndarray
        ``(N, T)``.

    Returns
    -------
    GaussianProcess
        With the most likely kernel and noises.

    Raises
    ------
    ValueError
        For fewer than three samples.
    """
    if len(features) < 3:
        raise ValueError(f"a Gaussian process of at least 3 samples, not {len(features)}")
    chosen = evenly_spread(len(features), MOST_SAMPLES)
    inputs, outputs = (np.asarray(values, dtype=np.float64)[chosen] for values in (features, targets))
    mean, spread = outputs.mean(0), outputs.std(0)
    scale = np.where(spread > 0, spread, 1.0)
    standard = (outputs - mean) / scale
    extent = float(np.sqrt(max((inputs**2).sum(1).mean(), 1e-300)))
    few = evenly_spread(len(inputs), MOST_FOR_GRID)
    kernel, noise = _most_likely(inputs[few], standard[few], extent)
    gram = kernel(inputs, inputs)
    weights, amplitude = np.empty_like(standard), np.empty(len(noise))
    for value in np.unique(noise):
        columns = noise == value
        factor = scipy.linalg.cho_factor(gram + value * np.eye(len(gram)), lower=True)
        weights[:, columns] = scipy.linalg.cho_solve(factor, standard[:, columns])
        amplitude[columns] = (standard[:, columns] * weights[:, columns]).mean(0)
    return GaussianProcess(kernel, inputs, mean, scale, noise, np.maximum(amplitude, 1e-12), weights)


def _most_likely(inputs: Floats, standard: Floats, extent: float) -> tuple[Kernel, Floats]:
    """The kernel that maximises the posterior density given all targets, and the noise ``(T,)`` of each with it.

    The amplitude is profiled out: -N/2 log(y' R^-1 y) - 1/2 log|R| with R = K + noise (their eq. 5.8).
    """
    best: tuple[float, Kernel, Floats] | None = None
    count = len(inputs)
    prior = -(np.log10(np.asarray(NOISES) / USUAL_NOISE)[:, None] ** 2)
    for length in LENGTHS:
        for share in LINEAR_SHARES:
            kernel = Kernel(length, share, extent)
            values, vectors = np.linalg.eigh(kernel(inputs, inputs))
            values = np.maximum(values, 0.0)
            squares = (vectors.T @ standard) ** 2
            table = np.stack(
                [
                    -0.5 * count * np.log(np.maximum((squares / (values + noise)[:, None]).sum(0), 1e-12))
                    - 0.5 * np.log(values + noise).sum()
                    for noise in NOISES
                ]
            )
            table += prior
            total = float(table.max(0).sum())
            if best is None or total > best[0]:
                best = (total, kernel, np.asarray(NOISES)[table.argmax(0)])
    assert best is not None
    return best[1], best[2]
