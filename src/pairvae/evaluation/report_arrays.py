"""Arrays that the report draws: examples, contact sheets, latents, bands of morphology curves (Figures 5, S6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pairvae.evaluation.scores.definitions import curves
from pairvae.evaluation.scores.evaluate import Evaluated, Reconstructions, Truth

SPLITS = ("all", "validation")
SHEET = 16  # images
Curves = Mapping[str, np.ndarray]
Images = Mapping[str, Mapping[str, np.ndarray]]


def drawing_material(
    what: Evaluated,
    truth: Truth,
    images: Images,
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


def example_arrays(truth: Truth, images: Images, decoded: Reconstructions) -> dict[str, np.ndarray]:
    """One example of each morphology, contact sheets, and the pair's latents by sample."""
    what = truth.what
    return {**sample_latents(what, decoded), **_examples(what, truth, images), **_sheets(what, images)}


def descriptor_arrays(measured: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """``descriptor/<name>/<key>`` -> ``(N, K)`` float32 for properties by key (``true``, ``pair/saxs_sem``)."""
    return {
        f"descriptor/{name}/{key}": values.astype(np.float32)
        for key, found in measured.items()
        for name, values in found.items()
        if values.ndim == 2
    }


def sample_latents(what: Evaluated, decoded: Reconstructions) -> dict[str, np.ndarray]:
    """``latent_<modality>`` -> latents ``(N, D)`` of the samples: of crops their mean."""
    arrays = {}
    for name in what.names:
        latents, array = decoded.latents[name], what.array(name)
        rows = latents.reshape(*array.shape[:2], -1).mean(1) if what.cropped(name) else latents
        arrays[f"latent_{name}"] = rows.reshape(len(array), -1)
    return arrays


def _examples(what: Evaluated, truth: Truth, images: Images) -> dict[str, np.ndarray]:
    """True arrays, reconstructions and curves of the example samples, of cropped ones the first crop."""
    chosen = examples(what)
    arrays: dict[str, np.ndarray] = {}
    for name in what.names:
        array = what.array(name)
        arrays[name] = array[chosen, 0] if what.cropped(name) else array[chosen]
    for family, directions in images.items():
        for direction, array in directions.items():
            several = array.ndim > what.array(direction.partition("_")[2]).ndim
            several = several or what.cropped(direction.partition("_")[2])
            first = array[chosen, 0] if several else array[chosen]
            arrays[f"image/{family}/{direction}"] = first
            if what.cropped(direction.partition("_")[2]):
                for kind, curve in curves(first, what.estimator).items():
                    arrays[f"curve/{kind}/{family}/{direction}"] = curve
    for kind, curve in truth.curves.items():
        arrays[f"curve/{kind}/true"] = curve[chosen, 0]
    return arrays


def _sheets(what: Evaluated, images: Images) -> dict[str, np.ndarray]:
    """Sixteen true and as many predicted crops of validation samples by morphology."""
    if not what.cropped(what.names[1]):
        return {}
    arrays = {}
    for name, rows in sheet_rows(what).items():
        arrays[f"sheet/{name}/true"] = _spread(what.crops[rows])
        arrays[f"sheet/{name}/predicted"] = _spread(images["pair"]["_".join(what.names)][rows])
    return arrays


def _spread(images: np.ndarray) -> np.ndarray:
    """Up to 16 images of ``(M, K, h, w)``, from as many samples as there are."""
    by_crop = images.swapaxes(0, 1).reshape(-1, *images.shape[2:])
    return by_crop[:SHEET]


def examples(what: Evaluated) -> list[int]:
    """The first validation sample of each morphology; the first four where morphologies are not known."""
    found: dict[str, int] = {}
    for index in what.validation:
        name = what.morphologies[index]
        if name is not None:
            found.setdefault(name, int(index))
    return list(found.values()) if found else [int(index) for index in what.validation[:4]]


def sheet_rows(what: Evaluated) -> dict[str, list[int]]:
    """Validation samples by morphology."""
    rows: dict[str, list[int]] = {}
    for index in what.validation:
        rows.setdefault(what.morphologies[index] or "all", []).append(int(index))
    return rows
