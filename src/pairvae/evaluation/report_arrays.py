"""Arrays that the report draws: examples, contact sheets, latents, bands of morphology curves (Figures 5, S6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pairvae.evaluation.scores.definitions import curves
from pairvae.evaluation.scores.evaluate import Reference
from pairvae.evaluation.scores.reconstruct import EvaluationSet, Reconstructions

SPLITS = ("all", "validation")
SHEET = 16  # images
Curves = Mapping[str, np.ndarray]
Images = Mapping[str, Mapping[str, np.ndarray]]


def figure_arrays(
    data: EvaluationSet,
    reference: Reference,
    images: Images,
    solo_latents: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Arrays for the report: bands of curves, and latents of the VAEs trained alone.

    Parameters
    ----------
    data : EvaluationSet
        N samples.
    reference : Reference
        Their true curves.
    images : mapping of str to mapping
        Every plan's images by direction.
    solo_latents : mapping of str to ndarray
        ``(N, ...)`` by modality, or ``(N K, ...)`` of crops, which are averaged over the crops of a sample.

    Returns
    -------
    dict of str to ndarray
        The keys of :func:`curve_bands`, and ``latent_solo_<modality>`` ``(N, C)``.
    """
    n = len(data.patterns)
    arrays = {f"latent_solo_{name}": _by_sample(latent, n) for name, latent in solo_latents.items()}
    if reference.curves:
        all_curves: dict[str, Curves] = {"true": reference.curves}
        for plan, directions in images.items():
            for direction, array in directions.items():
                if direction.endswith(f"_{data.names[1]}") and array.ndim == data.crops.ndim:
                    all_curves[f"{plan}/{direction}"] = curves_of(array, data.estimator)
        members = {"all": range(n), "validation": data.validation}
        arrays |= curve_bands(all_curves, members, SPLITS)
    return arrays


def _by_sample(latent: np.ndarray, n: int) -> np.ndarray:
    """``(N K, ...)`` as ``(N, C)``: the mean over the K crops of a sample."""
    return np.asarray(latent.reshape(n, len(latent) // n, -1).mean(1))


def curves_of(images: np.ndarray, estimator: str) -> dict[str, np.ndarray]:
    """S(r) and lineal paths of several images of each sample.

    Parameters
    ----------
    images : ndarray
        ``(N, K, h, w)`` of 0 and 1.
    estimator : str
        Of S(r), see :func:`pairvae.numerics.morphology.two_point_correlation`.

    Returns
    -------
    dict of str to ndarray
        ``(N, K, bins)`` by kind.
    """
    n, k, h, w = images.shape
    flat = curves(images.reshape(n * k, h, w), estimator)
    return {kind: curve.reshape(n, k, -1) for kind, curve in flat.items()}


def curve_bands(
    curves_by_name: Mapping[str, Curves], members: Mapping[str, Sequence[int]], splits: Sequence[str]
) -> dict[str, np.ndarray]:
    """Mean and standard deviation of curves over the images of a split.

    Parameters
    ----------
    curves_by_name : mapping of str to mapping
        By key (``true``, ``pair/saxs_sem``) curves ``(N, K, bins)`` by kind.
    members : mapping of str to sequence of int
        The samples of each split.
    splits : sequence of str
        The splits to show.

    Returns
    -------
    dict of str to ndarray
        ``band/<kind>/<split>/<key>`` -> ``(2, bins)``; empty splits are left out.
    """
    bands: dict[str, np.ndarray] = {}
    for key, kinds in curves_by_name.items():
        for kind, curve in kinds.items():
            for split in splits:
                chosen = curve[np.asarray(members[split], dtype=int)].reshape(-1, curve.shape[-1])
                if len(chosen):
                    bands[f"band/{kind}/{split}/{key}"] = np.stack([chosen.mean(0), chosen.std(0)])
    return bands


def example_arrays(reference: Reference, images: Images, decoded: Reconstructions) -> dict[str, np.ndarray]:
    """One example of each morphology, contact sheets, and the pair's latents by sample.

    Parameters
    ----------
    reference : Reference
        Samples and true curves.
    images : mapping of str to mapping
        Every plan's images by direction.
    decoded : Reconstructions
        The pair's.

    Returns
    -------
    dict of str to ndarray
        By the keys that the report reads.
    """
    data = reference.data
    return {**sample_latents(data, decoded), **_examples(data, reference, images), **_sheets(data, images)}


def descriptor_arrays(measured: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """``descriptor/<name>/<key>`` -> ``(N, K)`` float32 for properties by key (``true``, ``pair/saxs_sem``)."""
    return {
        f"descriptor/{name}/{key}": values.astype(np.float32)
        for key, directions in measured.items()
        for name, values in directions.items()
        if values.ndim == 2
    }


def sample_latents(data: EvaluationSet, decoded: Reconstructions) -> dict[str, np.ndarray]:
    """Latents of the samples: of crops their mean.

    Parameters
    ----------
    data : EvaluationSet
        N samples.
    decoded : Reconstructions
        With latents of every modality.

    Returns
    -------
    dict of str to ndarray
        ``latent_<modality>`` -> ``(N, D)``.
    """
    arrays = {}
    for name in data.names:
        latents, array = decoded.latents[name], data.array(name)
        rows = latents.reshape(*array.shape[:2], -1).mean(1) if data.cropped(name) else latents
        arrays[f"latent_{name}"] = rows.reshape(len(array), -1)
    return arrays


def _examples(data: EvaluationSet, reference: Reference, images: Images) -> dict[str, np.ndarray]:
    """True arrays, reconstructions and curves of the example samples, of cropped ones the first crop."""
    chosen = examples(data)
    arrays: dict[str, np.ndarray] = {}
    for name in data.names:
        array = data.array(name)
        arrays[name] = array[chosen, 0] if data.cropped(name) else array[chosen]
    for family, directions in images.items():
        for direction, array in directions.items():
            several = array.ndim > data.array(direction.partition("_")[2]).ndim
            several = several or data.cropped(direction.partition("_")[2])
            first = array[chosen, 0] if several else array[chosen]
            arrays[f"image/{family}/{direction}"] = first
            if data.cropped(direction.partition("_")[2]):
                for kind, curve in curves(first, data.estimator).items():
                    arrays[f"curve/{kind}/{family}/{direction}"] = curve
    for kind, curve in reference.curves.items():
        arrays[f"curve/{kind}/true"] = curve[chosen, 0]
    return arrays


def _sheets(data: EvaluationSet, images: Images) -> dict[str, np.ndarray]:
    """Sixteen true and as many predicted crops of validation samples by morphology."""
    if not data.cropped(data.names[1]):
        return {}
    arrays = {}
    for name, rows in sheet_rows(data).items():
        arrays[f"sheet/{name}/true"] = _spread(data.crops[rows])
        arrays[f"sheet/{name}/predicted"] = _spread(images["pair"]["_".join(data.names)][rows])
    return arrays


def _spread(images: np.ndarray) -> np.ndarray:
    """Up to 16 images of ``(M, K, h, w)``, from as many samples as there are."""
    by_crop = images.swapaxes(0, 1).reshape(-1, *images.shape[2:])
    return by_crop[:SHEET]


def examples(data: EvaluationSet) -> list[int]:
    """The first validation sample of each morphology; the first four where morphologies are not known."""
    samples: dict[str, int] = {}
    for index in data.validation:
        name = data.morphologies[index]
        if name is not None:
            samples.setdefault(name, int(index))
    return list(samples.values()) if samples else [int(index) for index in data.validation[:4]]


def sheet_rows(data: EvaluationSet) -> dict[str, list[int]]:
    """Validation samples by morphology."""
    rows: dict[str, list[int]] = {}
    for index in data.validation:
        rows.setdefault(data.morphologies[index] or "all", []).append(int(index))
    return rows
