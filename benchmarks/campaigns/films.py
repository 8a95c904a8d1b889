"""Simulated films of two worlds, reduced to what a campaign needs; kept in a folder, one file for each seed.

`film` is the built-in blend on a grating, with its default parameters. `broad` varies the simulator widely: every film
has its own spacing, order, composition, roughness and grain size. Micrographs are 384 px wide instead of 1280 and
patterns 192 px instead of 640, so that a film takes a fifth of a second.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pairvae.data.simulate.samples import simulate_sample
from pairvae.inference.out_of_distribution import pooled
from pairvae.modalities import MODALITIES, prepare_settings
from pairvae.modalities.readers.raw_image import RawImage
from pairvae.numerics.colormaps import known_colormap, levels
from pairvae.numerics.descriptors import describe
from pairvae.numerics.morphology import two_point_correlation
from pairvae.settings import resolve
from pairvae.settings.simulation import SimulationParameters
from pairvae.store import atomic_path

WORLDS = ("film", "broad")
SMALL = {"sem_rows": 384, "sem_columns": 384, "sem_bar_rows": 0, "saxs_px": 192}
LAGS = 64  # px of S(r)
POOLED = 48  # px of a pattern


@dataclass(frozen=True)
class Films:
    """``N`` films: intensity levels of pooled ``patterns`` ``(N, D)`` in [0, 1], ``descriptors`` ``(N, 8)`` of their
    images by ``names``, ``s2`` ``(N, LAGS)``, and what was drawn for them (``truth``)."""

    patterns: np.ndarray
    descriptors: np.ndarray
    s2: np.ndarray
    names: tuple[str, ...]
    truth: dict[str, np.ndarray]


def parameters(world: str, seed: int, index: int) -> SimulationParameters:
    """The simulator's parameters of one film."""
    if world == "film":
        return SimulationParameters.model_validate(SMALL)
    rng = np.random.default_rng([seed, index, 7])
    spacing = float(np.exp(rng.uniform(np.log(25.0), np.log(60.0))))
    return SimulationParameters.model_validate(
        SMALL
        | {
            "spacing_nm": spacing,
            "spacing_variation": 0.0,
            "pitch_variation": 0.05,
            "grating": float(rng.uniform(0.005, 0.08)),
            "blend": 1.0,
            "domain_nm": float(rng.uniform(100, 400)),
            "disorder": float(rng.uniform(0.05, 0.8)),
            "defects": float(rng.uniform(0.05, 1.2)),
            "roughness": float(rng.uniform(0.2, 0.7)),
            "composition_variation": 0.4,
        }
    )


def films(world: str, seed: int, count: int, folder: Path) -> Films:
    """``count`` films of one seed; simulated where ``folder`` lacks them."""
    path = folder / f"{world}-{seed}-{count}.npz"
    if not path.is_file():
        _simulate(path, world, seed, count)
    with np.load(path, allow_pickle=False) as kept:
        truth = {key.removeprefix("truth_"): kept[key] for key in kept.files if key.startswith("truth_")}
        names = tuple(json.loads(str(kept["names"])))
        coloured = kept["patterns"].astype(np.float32).reshape(count, 3, POOLED, POOLED)
        seen = levels(coloured, known_colormap(coloured)).reshape(count, -1)
        return Films(seen, kept["descriptors"], kept["s2"], names, truth)


def together(sets: list[Films]) -> Films:
    """Several sets as one."""
    arrays = [
        np.concatenate([getattr(one, name) for one in sets]) for name in ("patterns", "descriptors", "s2")
    ]
    truth = {key: np.concatenate([one.truth[key] for one in sets]) for key in sets[0].truth}
    return Films(arrays[0], arrays[1], arrays[2], sets[0].names, truth)


def _simulate(path: Path, world: str, seed: int, count: int) -> None:
    cv2.setNumThreads(1)
    sem = MODALITIES["sem"]
    settings = prepare_settings(resolve({}), "sem")
    patterns, described, curves, truths = [], [], [], []
    for index in range(count):
        physics = parameters(world, seed, index)
        sample = simulate_sample(index, seed, physics)
        raw = RawImage(sample.sem[0], physics.sem_nm_per_px, physics.sem_rows, "array", "simulated")
        image = sem.prepare(raw, settings)
        pattern = np.moveaxis(sample.pattern.astype(np.float32) / 255, -1, 0)
        patterns.append(pooled(pattern[None])[0].astype(np.float16))
        described.append({name: float(value[0]) for name, value in describe(image).items()})
        curves.append(two_point_correlation(image)[0, :LAGS])
        truths.append(sample.truth)
    numbers = [key for key, value in truths[0].items() if not isinstance(value, str)]
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            patterns=np.stack(patterns),
            descriptors=np.array([list(one.values()) for one in described]),
            s2=np.stack(curves),
            names=json.dumps(list(described[0])),
            allow_pickle=False,
            **{f"truth_{key}": np.array([one[key] for one in truths]) for key in numbers},
        )
