"""The stage `preprocess`: raw files to prepared arrays and fixed evaluation crops, sample by sample."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from pairvae import store
from pairvae.data.manifest import read_pairs
from pairvae.data.pairs import Pair
from pairvae.errors import InputError
from pairvae.modalities import MODALITIES, Modality
from pairvae.modalities.readers import read_image
from pairvae.numerics.images import crop_positions, crops
from pairvae.progress import Progress
from pairvae.settings import AssessSettings, Section, Settings
from pairvae.stages.project import Project
from pairvae.store.prepared import PreparedPair, create_array, write_card


def preprocess(project: Project) -> None:
    """Prepare all pairs in ``data/raw`` and write ``data/prepared``, all or nothing."""
    prepare_folder(project.raw, project.prepared_folder, project.settings)


def prepare_folder(raw: Path, out: Path, settings: Settings) -> None:
    """Prepare the pairs of any folder in the data layout."""
    pairs = read_pairs(raw)
    with store.atomic_folder(out) as folder:
        shapes: dict[str, list[list[int]]] = {}
        files: list[str] = []
        for modality in MODALITIES.values():
            section = getattr(settings, modality.name).prepare
            write = _write_cropped if modality.cropped else _write_whole
            shapes[modality.name] = write(folder, modality, pairs, section, settings.assess)
            files += [f"{modality.name}.npy", *([f"{modality.name}-crops.npy"] if modality.cropped else [])]
        known = [_known(pair) for pair in pairs]
        facts: dict[str, Any] = {
            "pairs": known,
            "shapes": shapes,
            "prepare": {name: getattr(settings, name).prepare.model_dump() for name in MODALITIES},
            "assess": settings.assess.model_dump(),
        }
        hashes = {file: store.file_digest(folder / file) for file in files}
        write_card(folder, {**facts, "digest": store.digest({**facts, "files": hashes})}, files)


def _known(pair: Pair) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(PreparedPair)]
    return {name: getattr(pair, name) for name in names}


def _prepared(modality: Modality, pairs: Sequence[Pair], section: Section) -> Iterator[np.ndarray]:
    """Prepared arrays in the order of ``pairs``; a few are in memory at a time, on all cores."""

    def one(pair: Pair) -> np.ndarray:
        raw = read_image(getattr(pair, modality.name))
        given = getattr(pair, "sem_nm_per_px", None) if modality.name == "sem" else None
        if given is not None:
            raw = dataclasses.replace(raw, nm_per_px=given)
        return modality.prepare(raw, section)

    cores = len(os.sched_getaffinity(0))
    progress = Progress(len(pairs), f"preprocess {modality.name}")
    with ThreadPoolExecutor(cores) as pool:
        for start in range(0, len(pairs), 4 * cores):
            for array in pool.map(one, pairs[start : start + 4 * cores]):
                progress.advance()
                yield array


def _write_whole(
    folder: Path, modality: Modality, pairs: Sequence[Pair], section: Section, assess: AssessSettings
) -> list[list[int]]:
    shape = modality.prepared_shape(section)
    stacked = create_array(folder, f"{modality.name}.npy", (len(pairs), *shape), "float32")
    for index, array in enumerate(_prepared(modality, pairs, section)):
        stacked[index] = array
    stacked.flush()  # type: ignore[attr-defined]  # a numpy.memmap
    return [list(shape)] * len(pairs)


def _write_cropped(
    folder: Path, modality: Modality, pairs: Sequence[Pair], section: Section, assess: AssessSettings
) -> list[list[int]]:
    """Binary images, appended one by one since their sizes differ, and the fixed evaluation crops of each."""
    size = modality.prepared_shape(section)[1]
    fixed = create_array(
        folder, f"{modality.name}-crops.npy", (len(pairs), assess.crops, size, size), "uint8"
    )
    shapes: list[list[int]] = []
    flat = folder / f"{modality.name}.flat"
    with flat.open("wb") as stream:
        for index, array in enumerate(_prepared(modality, pairs, section)):
            image = array[0]
            shapes.append([int(side) for side in image.shape])
            stream.write(np.ascontiguousarray(image, np.uint8).tobytes())
            fixed[index] = evaluation_crops(image, size, assess, index)
            _refuse_constant(image, pairs[index])
    fixed.flush()  # type: ignore[attr-defined]  # a numpy.memmap
    total = sum(height * width for height, width in shapes)
    whole = create_array(folder, f"{modality.name}.npy", (total,), "uint8")
    source = np.memmap(flat, np.uint8, "r", shape=(total,))
    for start in range(0, total, 1 << 26):
        whole[start : start + (1 << 26)] = source[start : start + (1 << 26)]
    whole.flush()  # type: ignore[attr-defined]  # a numpy.memmap
    del source
    flat.unlink()
    return shapes


def evaluation_crops(image: np.ndarray, size: int, assess: AssessSettings, index: int) -> np.ndarray:
    """The fixed crops ``(K, size, size)`` of sample ``index``: crop k is drawn with the seed ``crop_seed + k``."""
    height, width = image.shape
    positions = [
        crop_positions(height, width, size, 1, np.random.default_rng([assess.crop_seed + number, index]))[0]
        for number in range(assess.crops)
    ]
    return crops(image, np.array(positions), size)


def _refuse_constant(image: np.ndarray, pair: Pair) -> None:
    if image.min() == image.max():
        raise InputError(
            expected="an image of two phases",
            found="a single grey level",
            where=str(pair.sem),
            remedy="leave the pair out of pairs.csv",
        )
