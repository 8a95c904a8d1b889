"""The file beside a pair's weights that says what its training data were like (``facts.safetensors``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pairvae.inference.card import refusing
from pairvae.inference.measurement import size_in
from pairvae.inference.out_of_distribution import OutOfDistributionScore, familiar_arrays, familiar_crops
from pairvae.inference.predictor import Predictor
from pairvae.inference.training_distance import DistanceScale
from pairvae.inference.training_summary import Scattering, TrainingSummary, scattering_of
from pairvae.modalities import MODALITIES, main_pair
from pairvae.models.conditions import shifts_of
from pairvae.numerics.images import has_grey_levels
from pairvae.numerics.scattering import Calibration
from pairvae.numerics.series import evenly_spread
from pairvae.store.model_folder import add_file
from pairvae.store.prepared import Prepared
from pairvae.store.tensors import load_tensors, save_tensors

FILE = "facts.safetensors"
MOST_SIZES = 4
REMEMBERED = (
    128  # training pairs that are looked at, evenly spread: leaving each out once costs their number cubed
)


def write_training_summary(
    folder: Path, prepared: Prepared, train: Sequence[int], predictor: Predictor
) -> None:
    """Look at the training pairs of a trained pair, and keep what they are like in its folder.

    Parameters
    ----------
    folder : Path
        The model folder.
    prepared : Prepared
        The data.
    train : sequence of int
        Rows of the training pairs, of which at most 128 are looked at.
    predictor : Predictor
        The trained pair.
    """
    chosen = evenly_spread(len(train), REMEMBERED)
    facts = facts_of(predictor, prepared, [train[index] for index in chosen])
    tensors, card = packed(facts)
    save_tensors(folder / FILE, tensors, card)
    add_file(folder, FILE)


def facts_of(predictor: Predictor, prepared: Prepared, rows: list[int]) -> TrainingSummary:
    """What training pairs are like.

    Parameters
    ----------
    predictor : Predictor
        The trained pair.
    prepared : Prepared
        The data.
    rows : list of int
        Of the training pairs.

    Returns
    -------
    TrainingSummary
        Of these pairs.
    """
    familiar: dict[str, OutOfDistributionScore] = {}
    latents: dict[str, np.ndarray] = {}
    given, rows = rows, list(prepared.rows_with(main_pair(predictor.modalities), rows))
    pairs = [prepared.pairs[row] for row in rows]
    for name in predictor.modalities:
        measured = list(prepared.rows_with([name], given))
        known = [prepared.pairs[row] for row in measured]
        groups = [pair.group for pair in known]
        if MODALITIES[name].cropped:
            crops = prepared.crops(name)
            score = familiar_crops([np.array(crops[row]) for row in measured], groups)
            means = [predictor.pooled_of_crops(np.array(crops[row]), name).mean for row in measured]
        else:
            arrays = np.array(prepared.whole(name)[measured])
            score = familiar_arrays(arrays, groups, predictor.vaes[name].encoder)
            shift = shifts_of(predictor.card, [pair.conditions for pair in known], name)
            mean = predictor.posterior(arrays, name).mean
            means = [mean if shift is None else mean + shift]
        if score is not None:
            familiar[name] = score
        if set(rows) <= set(measured):
            latents[name] = torch.cat(means).numpy()[[measured.index(row) for row in rows]]
    sizes = {
        name: size
        for name in predictor.modalities
        if MODALITIES[name].cropped
        and (size := _median([pair.nm_per_px(name) for pair in pairs])) is not None
    }
    return TrainingSummary(
        familiar,
        latents,
        tuple(pair.id for pair in pairs),
        tuple(pair.morphology for pair in pairs),
        _scattering(predictor, prepared, rows),
        next(iter(sizes.values()), None),
        _median([pair.saxs_q_per_px_inv_nm for pair in pairs]),
        {name: _sizes(prepared, name, rows) for name in predictor.modalities},
        _micrographs(predictor, prepared, rows),
        sizes,
    )


def _micrographs(predictor: Predictor, prepared: Prepared, rows: list[int]) -> np.ndarray | None:
    """The first evaluation crop of each image; None where the main pair has no micrographs, or two kinds."""
    names = [name for name in main_pair(predictor.modalities) if MODALITIES[name].cropped]
    return np.array(prepared.crops(names[0])[rows, 0]) if len(names) == 1 else None


def _sizes(prepared: Prepared, name: str, rows: list[int]) -> tuple[tuple[int, int], ...]:
    """The most frequent sizes of the training files; none for curves, and arrays that were not prepared from files."""
    done = prepared.card.get("done", {}).get(name, [])
    sizes = Counter(size for row in rows if row < len(done) and (size := size_in(done[row])) is not None)
    return tuple(size for size, _ in sizes.most_common(MOST_SIZES))


def _scattering(predictor: Predictor, prepared: Prepared, rows: list[int]) -> Scattering | None:
    """Where the main pair is an image and a pattern of three channels."""
    names = main_pair(predictor.modalities)
    images = [name for name in names if MODALITIES[name].cropped]
    patterns = [name for name in names if not MODALITIES[name].cropped and predictor.shape(name)[0] == 3]
    if len(images) != 1 or len(patterns) != 1:
        return None
    crops = prepared.crops(images[0])
    return scattering_of(
        (images[0], patterns[0]),
        [np.array(crops[row]) for row in rows],
        np.array(prepared.whole(patterns[0])[rows]),
    )


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def packed(facts: TrainingSummary) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by name and the JSON card that :func:`unpacked` makes facts of."""
    tensors: dict[str, Tensor] = {}
    card: dict[str, Any] = {
        "ids": facts.ids,
        "morphologies": facts.morphologies,
        "nm_per_px": facts.nm_per_px,
        "pixel_sizes": dict(facts.pixel_sizes),
        "q_per_px": facts.q_per_px,
        "sizes": facts.sizes,
        "familiar": {},
    }
    for name, entry in facts.familiar.items():
        for part in ("weight", "mean", "basis", "spread"):
            tensors[f"{name}.{part}"] = torch.from_numpy(getattr(entry, part))
        card["familiar"][name] = {
            "card": asdict(entry.card),
            "crops": entry.crops,
            "crop_threshold": entry.crop_threshold,
        }
    for name, array in facts.latents.items():
        tensors[f"{name}.latents"] = torch.from_numpy(array)
    if facts.micrographs is not None:
        tensors["micrographs"] = torch.from_numpy(_packed_images(facts.micrographs))
        card["micrographs"] = facts.micrographs.shape[1:]
        if has_grey_levels(facts.micrographs):
            card["grey"] = True
    if facts.scattering is not None:
        tensors["mask"] = torch.from_numpy(np.ascontiguousarray(facts.scattering.mask))
        card["scattering"] = {
            "image": facts.scattering.image,
            "pattern": facts.scattering.pattern,
            "colormap": facts.scattering.colormap,
            "calibration": asdict(facts.scattering.calibration),
        }
    return tensors, card


def unpacked(tensors: dict[str, Tensor], card: dict[str, Any]) -> TrainingSummary:
    """The facts of what :func:`packed` gave.

    Parameters
    ----------
    tensors : dict of str to Tensor
        By name.
    card : dict
        The JSON card.

    Returns
    -------
    TrainingSummary
        As it was packed.
    """
    familiar = {name: _unpacked_score(tensors, name, entry) for name, entry in card["familiar"].items()}
    latents = {
        name.removesuffix(".latents"): tensor.numpy()
        for name, tensor in tensors.items()
        if name.endswith(".latents")
    }
    scattering = None
    if "scattering" in card:
        numbers = card["scattering"]
        scattering = Scattering(
            numbers["image"],
            numbers["pattern"],
            Calibration(**numbers["calibration"]),
            tensors["mask"].numpy(),
            numbers["colormap"],
        )
    return TrainingSummary(
        familiar,
        latents,
        tuple(card["ids"]),
        tuple(card["morphologies"]),
        scattering,
        card["nm_per_px"],
        card["q_per_px"],
        {
            name: tuple((int(rows), int(columns)) for rows, columns in sizes)
            for name, sizes in card.get("sizes", {}).items()
        },
        _unpacked_images(tensors["micrographs"].numpy(), card) if "micrographs" in card else None,
        {str(name): float(size) for name, size in card.get("pixel_sizes", {}).items()},
    )


def _unpacked_score(tensors: dict[str, Tensor], name: str, entry: dict[str, Any]) -> OutOfDistributionScore:
    weight, mean, basis, spread = (
        tensors[f"{name}.{part}"].numpy() for part in ("weight", "mean", "basis", "spread")
    )
    scale = DistanceScale(**entry["card"])
    return OutOfDistributionScore(weight, mean, basis, spread, scale, entry["crops"], entry["crop_threshold"])


def _packed_images(images: np.ndarray) -> np.ndarray:
    """Micrographs ``(N, h, w)`` as uint8 ``(N, D)``: eight pixels of two phases in a byte, or a byte a grey level."""
    flat = images.reshape(len(images), -1)
    if has_grey_levels(images):
        return np.asarray(np.rint(flat.astype(np.float32) * 255), np.uint8)
    return np.packbits(flat, axis=1)


def _unpacked_images(packed_bits: np.ndarray, card: dict[str, Any]) -> np.ndarray:
    """The micrographs ``(N, h, w)`` of :func:`_packed_images`."""
    shape = card["micrographs"]
    if card.get("grey", False):
        return packed_bits.reshape(-1, *shape).astype(np.float32) / 255
    return np.unpackbits(packed_bits, axis=1, count=shape[0] * shape[1]).reshape(-1, *shape)


def read_training_summary(folder: Path) -> TrainingSummary | None:
    """Facts of a model folder; None for a model that was trained before they were kept."""
    path = folder / FILE
    if not path.is_file():
        return None
    tensors, card = load_tensors(path)
    with refusing("facts about the training data", path):
        infinite = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
        if infinite:
            raise ValueError(f"{infinite[0]} is not finite")
        return unpacked(tensors, card)
