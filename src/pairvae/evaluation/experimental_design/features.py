"""What a Gaussian process sees of a measurement, and what of the other it predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairvae.numerics.components import PrincipalComponents, principal_components

Floats = NDArray[np.float64]

COMPONENTS = 12
CURVE_COMPONENTS = 4
LEAST_SIZE = 3e-5  # of a singular value, relative to the largest
WHITENING = 0.3  # 0: components as they are, 1: all of equal variance


def component_scores(
    summaries: NDArray[np.floating], count: int = COMPONENTS, whitening: float = WHITENING
) -> Floats:
    """Leading principal components of summaries.

    Each is divided by its standard deviation to the power of ``whitening``: small components tell of samples too.

    Parameters
    ----------
    summaries : ndarray
        ``(N, D)``, of measured samples and candidates together.
    count : int
        Components at most.
    whitening : float
        In [0, 1]: 0 leaves the components as they are, 1 gives all the same variance.

    Returns
    -------
    ndarray
        ``(N, K)``.
    """
    components = principal_components(summaries, count)
    kept = max(1, int((components.sizes[:count] > components.sizes[0] * LEAST_SIZE).sum()))
    spread = components.sizes[:kept] / np.sqrt(len(summaries))
    return np.asarray(components.scores(summaries)[:, :kept] / np.where(spread > 0, spread, 1.0) ** whitening)


@dataclass(frozen=True)
class Targets:
    """Numbers that describe ``N`` measurements.

    Parameters
    ----------
    values : ndarray
        ``(N, T)``: descriptors as they are, then curves as the scores of their leading principal components.
    names : tuple of str
        Of the T numbers.
    weights : ndarray
        ``(T,)``, >= 0.
    components : PrincipalComponents
        Of curves ``(N, B)``.
    """

    values: Floats
    names: tuple[str, ...]
    weights: Floats
    components: PrincipalComponents

    def curves(self, values: Floats) -> Floats:
        """The curves ``(M, B)`` of predicted ``values`` ``(M, T)``."""
        axes = self.components.axes
        return np.asarray(self.components.mean + values[:, len(self.names) - len(axes) :] @ axes)


def targets_of(descriptors: dict[str, NDArray[np.floating]], curves: NDArray[np.floating]) -> Targets:
    """Targets of descriptors and curves, which count as much as four descriptors.

    Parameters
    ----------
    descriptors : dict of str to ndarray
        ``(N,)`` by name; what an image does not have (nan) counts as the mean of the others.
    curves : ndarray
        ``(N, B)``.

    Returns
    -------
    Targets
        The descriptors first.
    """
    columns = [_filled(np.asarray(values, dtype=np.float64)) for values in descriptors.values()]
    components = principal_components(curves, max(1, min(CURVE_COMPONENTS, len(curves) - 1)))
    share = components.shares / max(float(components.shares.sum()), 1e-300)
    weights = np.concatenate([np.ones(len(columns)), CURVE_COMPONENTS * share])
    names = (*descriptors, *(f"S(r), component {number}" for number in range(1, len(share) + 1)))
    return Targets(np.column_stack([*columns, components.scores(curves)]), names, weights, components)


def _filled(values: Floats) -> Floats:
    known = np.isfinite(values)
    return np.where(known, values, values[known].mean() if known.any() else 0.0)
