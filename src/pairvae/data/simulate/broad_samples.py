"""Compact samples of the broad world for the prior's training: binary crops and what is read from patterns.

Pairs are made one after the other and never stored whole: of each there remain four crops, a bit a pixel, and the
radial curves of its pattern.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pairvae.data.batches import CROPS, stream
from pairvae.data.simulate.broad import broad_pair
from pairvae.data.simulate.broad_structures import SIDE
from pairvae.data.sources import Featuriser, frozen_features
from pairvae.numerics.scattering import harmonics
from pairvae.numerics.thresholds import binarise_sem
from pairvae.operating_system import end_with_parent
from pairvae.progress import track
from pairvae.store import atomic_path

CROP = 192  # px
PER_PAIR = 4
CHUNK = 100  # pairs of a file
ADAPTIVE_UP_TO = 18.0  # px of spacing: the preset's window of 15 px hollows wider domains
LEFT_OUT = frozenset({"spheres"})  # a family that the prior is tested on


@dataclass(frozen=True)
class BroadSamples:
    """Samples of N pairs.

    Parameters
    ----------
    crops : ndarray
        ``(N, 4, 4608)`` uint8: four binary crops of 192 px, eight pixels a byte.
    curves : ndarray
        ``(N, 384)`` float32 (:func:`pairvae.numerics.scattering.harmonics.radial_harmonics`).
    kinds : ndarray
        ``(N,)``: names of the kinds of structure.
    """

    crops: NDArray[np.uint8]
    curves: NDArray[np.float32]
    kinds: NDArray[np.str_]


def unpacked(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Binary images ``(..., 192, 192)`` of packed ones ``(..., 4608)``."""
    return np.unpackbits(crops, axis=-1).reshape(*crops.shape[:-1], CROP, CROP)


def broad_samples(work: Path, pairs: int, seed: int, workers: int) -> BroadSamples:
    """Samples of the first ``pairs`` of the broad world, a multiple of 100; files in ``work`` are not made again."""
    work.mkdir(parents=True, exist_ok=True)
    starts = range(0, pairs, CHUNK)
    files = [work / f"seed-{seed}-{start}.npz" for start in starts]
    missing = [start for start, file in zip(starts, files, strict=True) if not file.is_file()]
    make = partial(_write_chunk, work=work, seed=seed)
    if workers > 1 and len(missing) > 1:
        with ProcessPoolExecutor(workers, get_context("spawn"), end_with_parent) as pool:
            _finish(pool.map(make, missing), len(missing))
    else:
        _finish(map(make, missing), len(missing))
    loaded = [np.load(file, allow_pickle=False) for file in files]
    crops, curves, kinds = (
        np.concatenate([one[key] for one in loaded]) for key in ("crops", "curves", "kinds")
    )
    return BroadSamples(crops, curves.astype(np.float32), kinds)


def _finish(chunks: Iterable[None], count: int) -> None:
    for _ in track(chunks, count, f"broad world, {CHUNK} pairs each"):
        pass


def _write_chunk(start: int, *, work: Path, seed: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    crops, curves, kinds = zip(*(_sample(index, seed) for index in range(start, start + CHUNK)), strict=True)
    with atomic_path(work / f"seed-{seed}-{start}.npz") as temporary, temporary.open("wb") as out:
        np.savez(
            out, crops=np.stack(crops), curves=np.stack(curves).astype(np.float16), kinds=np.array(kinds)
        )


def _sample(index: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], str]:
    rng = np.random.default_rng([seed, index, 7])
    pair = broad_pair(index, seed, LEFT_OUT)
    spacing = pair.truth.spacing_px
    narrow = spacing < ADAPTIVE_UP_TO and rng.random() < 0.6
    method = "adaptive" if narrow or rng.random() < 0.5 else "otsu"
    binary = binarise_sem(
        pair.grey,
        blur_px=5,
        blur_sigma=1.0,
        window_px=15 if narrow or method == "otsu" else 2 * int(1.5 * spacing) + 1,
        offset=2.0,
        method=method,
    )
    corners = rng.integers(0, SIDE - CROP + 1, (PER_PAIR, 2))
    crops = [np.packbits(binary[row : row + CROP, column : column + CROP]) for row, column in corners]
    edge = torch.tensor([pair.truth.q_edge_per_px])
    curves = harmonics.curves_of_levels(torch.from_numpy(pair.levels)[None], edge)
    return np.stack(crops), curves[0].numpy(), pair.truth.kind


def turned(curves: Tensor, turn: int) -> Tensor:
    """Radial curves ``(B, 384)`` of a pattern that is mirrored (1), transposed (2), or both (3: first transposed).

    As :func:`turned_images` turns images.
    """
    parts = curves.view(len(curves), harmonics.CURVES + 1, harmonics.RADII).clone()
    for row, order in enumerate(harmonics.ORDERS[1:]):
        cosine, sine = 1 + 2 * row, 2 + 2 * row
        if turn & 2:  # angle a becomes pi / 2 - a
            sign = 1.0 if order % 4 == 0 else -1.0
            parts[:, cosine] *= sign
            parts[:, sine] *= -sign
        if turn & 1:  # a becomes -a
            parts[:, sine] *= -1.0
    return parts.flatten(1)


def turned_images(images: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Images ``(..., H, H)`` mirrored (1), transposed (2) or both (3: first transposed)."""
    if turn & 2:
        images = images.swapaxes(-1, -2)
    return images[..., ::-1] if turn & 1 else images


@dataclass
class PackedCrops:
    """Training crops of the broad world, mirrored and turned at random (a :class:`pairvae.training.plans.Source`)."""

    crops: NDArray[np.uint8]
    encoder: Featuriser
    seed: int
    _last: tuple[tuple[int, int, bytes], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.crops)

    def inputs(self, indices: np.ndarray, round_number: int = 0, draw: int = 0) -> Tensor:
        """Crops ``(B, 1, 192, 192)`` of 0 and 1."""
        key = (round_number, draw, indices.tobytes())
        if self._last is None or self._last[0] != key:
            rng = stream(self.seed, CROPS, round_number, draw, int(indices[0]))
            chosen, turns = rng.integers(0, PER_PAIR, len(indices)), rng.integers(0, 8, len(indices))
            images = unpacked(self.crops[indices, chosen])
            flipped = [
                turned_images(image[::-1] if turn & 4 else image, int(turn) & 3)
                for image, turn in zip(images, turns, strict=True)
            ]
            self._last = (key, torch.from_numpy(np.stack(flipped).astype(np.float32))[:, None])
        return self._last[1]

    def features(self, indices: np.ndarray, round_number: int = 0, draw: int = 0) -> Tensor:
        """Frozen features of the same crops."""
        return frozen_features(self.encoder, self.inputs(indices, round_number, draw))


@dataclass(frozen=True)
class StoredFeatures:
    """Features ``(N, 4, D)`` of which each epoch draws one for each sample, the same for all that share the seed."""

    stored: Tensor
    seed: int

    def __len__(self) -> int:
        return len(self.stored)

    def inputs(self, indices: np.ndarray, round_number: int = 0, draw: int = 0) -> Tensor:
        """The same as the features: a training of encoders alone decodes nothing."""
        return self.features(indices, round_number, draw)

    def features(self, indices: np.ndarray, round_number: int = 0, draw: int = 0) -> Tensor:
        """Features ``(B, D)``."""
        chosen = stream(self.seed, CROPS, round_number, draw).integers(0, self.stored.shape[1], len(self))
        return self.stored[torch.from_numpy(indices), torch.from_numpy(chosen[indices])]
