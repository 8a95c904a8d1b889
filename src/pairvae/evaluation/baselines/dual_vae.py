"""Two VAEs trained apart and a regression between their latents (the dual VAE of Yaman et al.)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pairvae.numerics.ridge import ridge


def mapped_latents(source: np.ndarray, target: np.ndarray, train: Sequence[int]) -> np.ndarray:
    """Latents of the target modality predicted from those of the source one, by ridge regression.

    Parameters
    ----------
    source, target : ndarray
        Posterior means ``(N, K, D)`` and ``(N, K', D')`` of the views of each sample (1 for whole arrays). The target
        of a sample is the mean over its views.
    train : sequence of int
        The samples that the regression learns from.

    Returns
    -------
    ndarray
        ``(N, K, D')``: one for each view of the source.
    """
    samples, views, width = source.shape
    members = np.asarray(train)
    fitted = ridge(
        source[members].reshape(-1, width),
        target[members].mean(1),
        np.repeat(np.arange(len(members)), views),
    )
    return fitted(source.reshape(-1, width)).reshape(samples, views, -1)


def by_view(latents: Mapping[str, np.ndarray], samples: int) -> dict[str, np.ndarray]:
    """Latents of each sample's views together.

    Parameters
    ----------
    latents : mapping of str to ndarray
        ``(N K, C, g, g)`` by modality, with a K of its own.
    samples : int
        N.

    Returns
    -------
    dict of str to ndarray
        ``(N, K, C g g)`` by modality.
    """
    return {name: array.reshape(samples, len(array) // samples, -1) for name, array in latents.items()}
