"""Two VAEs trained apart and a regression between their latents (the dual VAE of Yaman et al.)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pairvae.numerics.ridge import ridge


def mapped_latents(source: np.ndarray, target: np.ndarray, train: Sequence[int]) -> np.ndarray:
    """Latents of the target modality predicted from those of the source one, each way as many as the source has.

    ``source`` and ``target`` are posterior means ``(N, K, D)`` of K views of each sample (1 for whole arrays);
    the wanted latent of a sample is the mean over its views. Returns ``(N, K, D')`` with the source's K. Only
    the samples ``train`` are looked at.
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
    """Latents ``(N K, C, g, g)`` of each modality as ``(N, K, C g g)``."""
    return {name: array.reshape(samples, len(array) // samples, -1) for name, array in latents.items()}
