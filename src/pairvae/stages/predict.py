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
from pairvae.modalities.readers import read_image
from pairvae.models.vae import Posterior
from pairvae.numerics.morphology import domain_spacing, phase_fraction
from pairvae.predictor import Predictor
from pairvae.progress import Progress
from pairvae.settings import SaxsPrepare, Section, SemPrepare
from pairvae.stages.load import load

PREPARE: dict[str, type[Section]] = {"saxs": SaxsPrepare, "sem": SemPrepare}
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".npy", ".edf", ".cbf"}


def predict(files: Sequence[str], *, to: str, out: Path, model: str, samples: int, seed: int) -> int:
    """Predict ``to`` from each raw file (folders: all images in them); returns the number of images written.

    Writes ``<name>-<to>-<number>.png`` (bright phase white) and ``predictions.csv`` into ``out``; one file is in memory
    at a time.
    """
    inputs = expand(files)
    predictor = load(model)
    (source,) = [name for name in predictor.modalities if name != to]
    rows: list[dict[str, str | int | float]] = []
    progress = Progress(len(inputs), f"predict {to}")
    names = unique_names(inputs)
    for path, name in zip(inputs, names, strict=True):
        posterior = posterior_of_file(predictor, path, source)
        images = predictor.decode(posterior, to, samples, seed)[0]
        for number, image in enumerate(images):
            file = out / f"{name}-{to}-{number:02d}.png"
            write_png(file, image)
            rows.append({"input": path, "sample": number, "file": file.name, **describe(image, to)})
        progress.advance(name)
    write_table(out / "predictions.csv", rows)
    return len(rows)


def posterior_of_file(predictor: Predictor, path: str, source: str) -> Posterior:
    """Posterior ``(1, C, g, g)`` of one raw file, prepared as the model's training data were."""
    settings = PREPARE[source].model_validate(predictor.card["modalities"][source]["prepare"])
    modality = MODALITIES[source]
    array = modality.prepare(read_image(path), settings)
    if modality.cropped:
        return predictor.pooled_posterior(array, source)
    return predictor.posterior(array[None], source)


def expand(files: Sequence[str]) -> list[str]:
    """Files as given; of folders, the images in them by name (``InputError`` where there is nothing)."""
    found: list[str] = []
    for entry in files:
        path = Path(entry)
        if path.is_dir():
            inside = sorted(str(one) for one in path.iterdir() if one.suffix.lower() in IMAGE_SUFFIXES)
            if not inside:
                raise InputError(expected="images in the folder", found="none", where=entry)
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
