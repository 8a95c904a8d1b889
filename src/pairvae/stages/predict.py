"""`pairvae predict`: raw files in; predicted images and a table of what they show out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pairvae import store
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.readers import HDF5_SUFFIXES
from pairvae.models.vae import Posterior
from pairvae.numerics.morphology import domain_spacing, phase_fraction
from pairvae.predictor import Predictor
from pairvae.progress import Progress
from pairvae.settings import Section
from pairvae.stages.load import load


def predict(files: Sequence[str], *, to: str, out: Path, model: str, samples: int, seed: int) -> int:
    """Predict ``to`` from each raw file (folders: all files in them); returns the number of images written.

    Writes ``<name>-<to>-<number>.png`` (bright phase white; of a curve ``.csv``) and ``predictions.csv`` into
    ``out``; one file is in memory at a time.
    """
    predictor = load(model)
    predictor.shape(to)  # an unknown modality is an InputError
    (source,) = [name for name in predictor.modalities if name != to]
    inputs = expand(files, MODALITIES[source].suffixes)
    rows: list[dict[str, str | int | float]] = []
    progress = Progress(len(inputs), f"predict {to}")
    names = unique_names(inputs)
    for path, name in zip(inputs, names, strict=True):
        posterior = posterior_of_file(predictor, path, source)
        images = predictor.decode(posterior, to, samples, seed)[0]
        for number, image in enumerate(images):
            file = write_image(out / f"{name}-{to}-{number:02d}", image, predictor, to)
            rows.append({"input": path, "sample": number, "file": file.name, **describe(image, to)})
        progress.advance(name)
    write_table(out / "predictions.csv", rows)
    return len(rows)


def posterior_of_file(predictor: Predictor, path: str, source: str) -> Posterior:
    """Posterior ``(1, C, g, g)`` of one raw file, prepared as the model's training data were."""
    modality = MODALITIES[source]
    array = modality.prepare(modality.read(path), prepared_with(predictor, source))
    if modality.cropped:
        return predictor.pooled_posterior(array, source)
    return predictor.posterior(array[None], source)


def prepared_with(predictor: Predictor, name: str) -> Section:
    """The settings that the model's training data of one modality were prepared with."""
    return MODALITIES[name].settings.model_validate(predictor.card["modalities"][name]["prepare"])


def expand(files: Sequence[str], suffixes: frozenset[str]) -> list[str]:
    """Files as given; of folders, the files of a kind in them by name (``InputError`` where there is nothing)."""
    kinds = {f".{suffix}" for suffix in suffixes - HDF5_SUFFIXES}  # an HDF5 file needs its ::/path
    found: list[str] = []
    for entry in files:
        path = Path(entry)
        if path.is_dir():
            inside = sorted(str(one) for one in path.iterdir() if one.suffix.lower() in kinds)
            if not inside:
                raise InputError(expected="readable files in the folder", found="none", where=entry)
            found += inside
        else:
            found.append(entry)
    return found


def unique_names(inputs: Sequence[str]) -> list[str]:
    """File stems, numbered where two inputs share one."""
    seen: dict[str, int] = {}
    names = []
    for entry in inputs:
        stem = Path(entry.partition("::")[0]).stem
        seen[stem] = seen.get(stem, 0) + 1
        names.append(stem if seen[stem] == 1 else f"{stem}-{seen[stem]}")
    return names


def write_image(stem: Path, image: np.ndarray, predictor: Predictor, name: str) -> Path:
    """Write one predicted image, or a curve over its axis, next to ``stem``; returns the file."""
    modality = MODALITIES[name]
    file = stem.with_name(f"{stem.name}{'.png' if modality.coordinates is None else '.csv'}")
    if modality.coordinates is None:
        write_png(file, image)
        return file
    axis = modality.axes[-1]
    along = modality.coordinates(prepared_with(predictor, name))
    head = f"{axis.name} ({axis.unit})"
    write_table(file, [{head: float(x), name: float(y)} for x, y in zip(along, image.ravel(), strict=True)])
    return file


def write_png(path: Path, image: np.ndarray) -> None:
    """Write a binary image ``(H, W)`` or a pattern ``(3, H, W)`` in [0, 1] as 8-bit PNG, atomically."""
    if image.ndim == 3:
        pixels = np.clip(image.transpose(1, 2, 0)[..., ::-1] * 255 + 0.5, 0, 255).astype(np.uint8)
    else:
        pixels = image * np.uint8(255)
    done, encoded = cv2.imencode(".png", pixels)
    if not done:
        raise RuntimeError(f"could not encode {path}")
    with store.atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def describe(image: np.ndarray, modality: str) -> dict[str, float | str]:
    """What a predicted SEM image shows: phase fraction and domain spacing in px; nothing for a pattern."""
    if modality != "sem":
        return {}
    spacing = float(domain_spacing(image[None])[0])  # nan for a uniform image: an empty cell says so
    return {
        "phase_fraction": round(float(phase_fraction(image[None])[0]), 5),
        "domain_spacing_px": "" if np.isnan(spacing) else round(spacing, 3),
    }


def write_table(path: Path, rows: Sequence[dict[str, str | int | float]]) -> None:
    """Write rows as CSV, atomically."""
    with store.atomic_path(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
