"""Arrays and facts of ``reports/assessment`` in the form that figures draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pairvae.numerics.descriptors import phase_fraction
from pairvae.numerics.images import has_grey_levels
from pairvae.numerics.spacing import domain_spacing
from pairvae.reports.report_data import Example, Latents, Sheet

CURVES = ("s2", "lineal_vertical", "lineal_horizontal")


def shared(pairs: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """The value of ``key`` where all pairs have the same one."""
    values = {pair.get(key) for pair in pairs}
    return values.pop() if len(values) == 1 else None


def pixel_size(pairs: Sequence[Mapping[str, Any]], technique: str) -> float | None:
    """nm per pixel of a technique's images, where all pairs have the same one."""
    if technique == "sem":
        return shared(pairs, "sem_nm_per_px")
    return shared([pair.get("pixel_sizes", {}) for pair in pairs], technique)


def example(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], row: int) -> Example:
    """The example pair with number ``row``: its images and curves, measured and predicted."""
    identity = facts["examples"][row]
    pair = next(pair for pair in facts["pairs"] if pair["id"] == identity)
    images = {
        name.removeprefix("image/"): array[row] for name, array in arrays.items() if name.startswith("image/")
    }
    curves = {
        kind: {
            name.removeprefix(f"curve/{kind}/"): array[row]
            for name, array in arrays.items()
            if name.startswith(f"curve/{kind}/")
        }
        for kind in CURVES
    }
    technique = facts["modalities"][1]
    sem = arrays[technique][row]
    spacing = float(domain_spacing(sem[None])[0])
    return Example(
        identity,
        pair["morphology"],
        "validation",
        arrays["saxs"][row],
        sem,
        images,
        curves,
        phase_fraction=None if has_grey_levels(sem) else float(phase_fraction(sem[None])[0]),
        spacing_px=spacing if np.isfinite(spacing) else None,
        technique=technique,
    )


def sheets(arrays: Mapping[str, np.ndarray]) -> dict[str, Sheet]:
    """True and predicted crops by morphology."""
    names = [  # a label may hold a slash itself
        name.removeprefix("sheet/").removesuffix("/true")
        for name in arrays
        if name.startswith("sheet/") and name.endswith("/true")
    ]
    return {
        name: Sheet(true=arrays[f"sheet/{name}/true"], predicted=arrays[f"sheet/{name}/predicted"])
        for name in names
    }


def latents(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> Latents:
    """Posterior means of all pairs."""
    training = set(facts["train"])
    return Latents(
        saxs=arrays["latent_saxs"],
        sem=arrays[f"latent_{facts['modalities'][1]}"],
        technique=facts["modalities"][1],
        ids=[pair["id"] for pair in facts["pairs"]],
        morphology=[pair["morphology"] for pair in facts["pairs"]],
        split=["train" if row in training else "validation" for row in range(len(facts["pairs"]))],
    )


def bands(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """``band/<kind>/<split>/<key>`` of the assessment, nested."""
    found: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for name, values in arrays.items():
        if name.startswith("band/"):
            _, kind, split, key = name.split("/", 3)
            found.setdefault(kind, {}).setdefault(split, {})[key] = values
    return found
