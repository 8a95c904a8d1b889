"""Mean and standard deviation of morphology curves over many images (paper, Figures 5 and S6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pairvae.evaluation.scores.definitions import curves
from pairvae.evaluation.scores.evaluate import Evaluated, Truth

SPLITS = ("all", "validation")
Curves = Mapping[str, np.ndarray]


def drawing_material(
    what: Evaluated,
    truth: Truth,
    images: Mapping[str, Mapping[str, np.ndarray]],
    solo_latents: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Arrays for the report: the bands of :func:`curve_bands`, and ``latent_solo_<modality>`` ``(N, C)``.

    ``images`` holds every plan's images by direction; ``solo_latents`` are ``(N, ...)``, or ``(N K, ...)`` of
    crops, which are averaged over the crops of a sample.
    """
    n = len(what.patterns)
    arrays = {f"latent_solo_{name}": _by_sample(latent, n) for name, latent in solo_latents.items()}
    if truth.curves:
        found: dict[str, Curves] = {"true": truth.curves}
        for plan, directions in images.items():
            for direction, array in directions.items():
                if direction.endswith(f"_{what.names[1]}") and array.ndim == what.crops.ndim:
                    found[f"{plan}/{direction}"] = curves_of(array, what.estimator)
        members = {"all": range(n), "validation": what.validation}
        arrays |= curve_bands(found, members, SPLITS)
    return arrays


def _by_sample(latent: np.ndarray, n: int) -> np.ndarray:
    """``(N K, ...)`` as ``(N, C)``: the mean over the K crops of a sample."""
    return np.asarray(latent.reshape(n, len(latent) // n, -1).mean(1))


def curves_of(images: np.ndarray, estimator: str) -> dict[str, np.ndarray]:
    """S(r) and lineal paths of binary images ``(N, K, h, w)``: ``(N, K, bins)`` each."""
    n, k, h, w = images.shape
    found = curves(images.reshape(n * k, h, w), estimator)
    return {kind: curve.reshape(n, k, -1) for kind, curve in found.items()}


def curve_bands(
    found: Mapping[str, Curves], members: Mapping[str, Sequence[int]], splits: Sequence[str]
) -> dict[str, np.ndarray]:
    """``band/<kind>/<split>/<key>`` -> ``(2, bins)``: mean and standard deviation over a split's images.

    ``found`` holds by key (``true``, ``pair/saxs_sem``) curves ``(N, K, bins)`` by kind; ``members`` the
    samples of each split.
    """
    bands: dict[str, np.ndarray] = {}
    for key, kinds in found.items():
        for kind, curve in kinds.items():
            for split in splits:
                chosen = curve[np.asarray(members[split], dtype=int)].reshape(-1, curve.shape[-1])
                if len(chosen):
                    bands[f"band/{kind}/{split}/{key}"] = np.stack([chosen.mean(0), chosen.std(0)])
    return bands
