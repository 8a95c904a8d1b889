"""Principal components of rows of numbers, and standardised features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PrincipalComponents:
    """Principal components of N rows of D numbers.

    Parameters
    ----------
    mean : ndarray
        ``(D,)``, the mean of the rows.
    axes : ndarray
        ``(K, D)``, orthonormal, in falling order of variance.
    sizes : ndarray
        ``(min(N, D),)``, all singular values of the centred rows: their squares over N are the variances.
    """

    mean: Floats
    axes: Floats
    sizes: Floats

    def scores(self, rows: NDArray[Any]) -> Floats:
        """Coordinates of rows along the axes.

        Parameters
        ----------
        rows : ndarray
            ``(..., D)``.

        Returns
        -------
        ndarray
            ``(..., K)``.
        """
        return np.asarray((np.asarray(rows, np.float64) - self.mean) @ self.axes.T)

    @property
    def shares(self) -> Floats:
        """The share ``(K,)`` of the variance along each axis, in [0, 1]."""
        squares = np.square(self.sizes)
        return np.asarray(squares[: len(self.axes)] / max(float(squares.sum()), np.finfo(float).tiny))


def principal_components(rows: NDArray[Any], count: int) -> PrincipalComponents:
    """The leading principal components of rows of numbers.

    Parameters
    ----------
    rows : ndarray
        ``(N, D)``.
    count : int
        The most components; at most the smaller of N and D are kept.

    Returns
    -------
    PrincipalComponents
        Mean, axes and singular values.

    Examples
    --------
    >>> import numpy as np
    >>> components = principal_components(np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]), 2)
    >>> components.shares.round(6).tolist()
    [1.0, 0.0]
    """
    flat = np.asarray(rows, np.float64)
    mean = flat.mean(0)
    _, sizes, axes = np.linalg.svd(flat - mean, full_matrices=False)
    return PrincipalComponents(mean, axes[:count], sizes)


def standardised(features: NDArray[Any]) -> Floats:
    """Features with mean 0 and standard deviation 1 over the rows, as the similarity loss sees them.

    Parameters
    ----------
    features : ndarray
        ``(N, ...)``.

    Returns
    -------
    ndarray
        ``(N, C)``: all axes but the first as one. A feature that does not vary is 0.

    Examples
    --------
    >>> import numpy as np
    >>> standardised(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    flat = np.asarray(features, np.float64).reshape(len(features), -1)
    spread = flat.std(axis=0)
    return np.asarray((flat - flat.mean(axis=0)) / np.where(spread > 0, spread, 1.0))
