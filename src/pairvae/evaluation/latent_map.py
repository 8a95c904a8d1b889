"""Maps of latent spaces: t-SNE (van der Maaten and Hinton, J. Mach. Learn. Res. 2008, 9, 2579)."""

from __future__ import annotations

import numpy as np

from pairvae.numerics.components import standardised

PERPLEXITY = 15.0
LEAST = 5  # samples; fewer have no neighbourhoods to keep


def embed(features: np.ndarray, seed: int) -> np.ndarray:
    """Points in a plane whose neighbours are those of the features, by t-SNE from the principal plane.

    Parameters
    ----------
    features : ndarray
        ``(N, C)``.
    seed : int
        The same points for the same seed.

    Returns
    -------
    ndarray
        ``(N, 2)`` float64.

    Raises
    ------
    ValueError
        For fewer than ``LEAST`` samples.
    """
    if len(features) < LEAST:
        raise ValueError(f"t-SNE of at least {LEAST} samples, not {len(features)}")
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    start = "pca" if features.shape[1] > 1 else "random"
    embedding = TSNE(perplexity=perplexity, init=start, random_state=seed, max_iter=1000, n_jobs=1)
    points = embedding.fit_transform(np.asarray(features, dtype=np.float32))
    return np.asarray(points, dtype=np.float64)


def separate_maps(latents: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """A map of each modality's latents of its own.

    Parameters
    ----------
    latents : dict of str to ndarray
        ``(N, ...)`` by modality.
    seed : int
        As for :func:`embed`.

    Returns
    -------
    dict of str to ndarray
        Points ``(N, 2)`` by modality.
    """
    return {name: embed(standardised(values), seed) for name, values in latents.items()}


def joint_map(latents: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """One map of the latents of all modalities together.

    Parameters
    ----------
    latents : dict of str to ndarray
        ``(N, ...)`` by modality, of one shape.
    seed : int
        As for :func:`embed`.

    Returns
    -------
    dict of str to ndarray
        Points ``(N, 2)`` by modality.
    """
    parts = [standardised(values) for values in latents.values()]
    points = np.split(embed(np.concatenate(parts), seed), len(parts))
    return dict(zip(latents, points, strict=True))
