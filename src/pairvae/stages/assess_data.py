"""What `assess` leaves for the report in ``reports/assessment``; docs/metrics.md lists it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pairvae import store
from pairvae.evaluation.scores.definitions import curves
from pairvae.evaluation.scores.evaluate import Evaluated, Reconstructions, Truth
from pairvae.stages.project import Project
from pairvae.store.prepared import Prepared

SHEET = 16
Images = Mapping[str, Mapping[str, np.ndarray]]


def write_material(
    project: Project,
    prepared: Prepared,
    truth: Truth,
    images: Images,
    decoded: Reconstructions,
    distributions: dict[str, Any],
    more: Mapping[str, np.ndarray],
) -> None:
    """Arrays and numbers that the report draws: one example of each morphology, sheets, latents, all scores."""
    what = truth.what
    arrays = {**more, **_latents(what, decoded), **_examples(what, truth, images), **_sheets(what, images)}
    chosen = examples(what)
    with store.atomic_folder(project.reports / "assessment") as folder:
        np.savez_compressed(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]  # numpy's stubs
        store.write_json(
            folder / "assessment.json",
            {
                "examples": [prepared.pairs[index].id for index in chosen],
                "pairs": [vars(pair) for pair in prepared.pairs],
                "train": list(what.train),
                "validation": list(what.validation),
                "data_digest": prepared.digest,
                "distributions": distributions,
                "modalities": list(what.names),
            },
        )


def descriptor_arrays(measured: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """``descriptor/<name>/<key>`` -> ``(N, K)`` float32 for properties by key (``true``, ``pair/saxs_sem``)."""
    return {
        f"descriptor/{name}/{key}": values.astype(np.float32)
        for key, found in measured.items()
        for name, values in found.items()
        if values.ndim == 2
    }


def _latents(what: Evaluated, decoded: Reconstructions) -> dict[str, np.ndarray]:
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
