"""Training samples of one modality, in the form that plans ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from pairvae.data.batches import CropSchedule, cut, stream

FIT, FIT_SAMPLES, FIT_CROPS = 3, 1024, 8
FIT_BYTES = 1 << 27  # of the examples: fitting needs about ten times as much
CHUNK = 32
KEPT_BYTES = 1 << 30


class Featuriser(Protocol):
    """The frozen part of an encoder."""

    def features(self, inputs: Tensor) -> Tensor:
        """Frozen features of prepared inputs."""
        ...


def fitting(values: int) -> int:
    """How many examples of ``values`` float32 numbers closed-form parts are fitted to at most."""
    return max(2, min(FIT_SAMPLES, FIT_BYTES // (4 * values)))


def frozen_features(encoder: Featuriser, inputs: Tensor) -> Tensor:
    """Features of prepared inputs, computed on the device where the encoder lies.

    Parameters
    ----------
    encoder : Featuriser
        Without gradients.
    inputs : Tensor
        ``(B, channels, H, W)`` in [0, 1], on any device.

    Returns
    -------
    Tensor
        ``(B, ...)``, on the encoder's device.
    """
    if isinstance(encoder, nn.Module):
        state = next(iter(encoder.state_dict().values()), inputs)
        inputs = inputs.to(state.device)
    with torch.no_grad():
        return encoder.features(inputs)


@dataclass
class WholeArrays:
    """Samples used whole (SAXS patterns): their frozen features are computed once.

    Parameters
    ----------
    arrays : sequence of ndarray
        ``(channels, H, W)`` in [0, 1] each, possibly memory-mapped.
    encoder : Featuriser
        Of their modality.
    """

    arrays: Sequence[np.ndarray] | np.ndarray
    encoder: Featuriser
    _features: Tensor | None = None
    _too_many: bool = False

    def __len__(self) -> int:
        return len(self.arrays)

    def inputs(self, indices: np.ndarray, round_number: int = 0, draw: int = 0) -> Tensor:
        """Prepared arrays of some samples.

        Parameters
        ----------
        indices : ndarray of int
            ``(B,)``, the samples.
        round_number, draw : int
            Without effect: every round sees the same.

        Returns
        -------
        Tensor
            ``(B, channels, H, W)`` float32.
        """
        return torch.from_numpy(np.stack([self.arrays[index] for index in indices]).astype(np.float32))

    def features(self, indices: np.ndarray, round_number: int = 0, draw: int = 0) -> Tensor:
        """Frozen features; those of a data set that fits in ``KEPT_BYTES`` from the first call on out of memory.

        Parameters
        ----------
        indices, round_number, draw
            As for :meth:`inputs`.

        Returns
        -------
        Tensor
            ``(B, ...)``.
        """
        if self._too_many:
            return frozen_features(self.encoder, self.inputs(indices))
        if self._features is None:
            parts = np.array_split(np.arange(len(self)), -(-len(self) // CHUNK))
            first = frozen_features(self.encoder, self.inputs(parts[0]))
            self._too_many = first[0].element_size() * first[0].numel() * len(self) > KEPT_BYTES
            if self._too_many:
                return self.features(indices, round_number, draw)
            rest = [frozen_features(self.encoder, self.inputs(part)) for part in parts[1:]]
            self._features = torch.cat([first, *rest])
        return self._features[torch.from_numpy(indices).to(self._features.device)]

    def examples(self, seed: int) -> Tensor:
        """Inputs that closed-form parts are fitted to: all samples, or a seeded choice of many."""
        count = min(len(self), fitting(self.arrays[0].size))
        return self.inputs(np.sort(stream(seed, FIT).permutation(len(self))[:count]))


@dataclass
class CroppedImages:
    """Samples of which each round sees crops (SEM): features of focused crops are kept.

    Parameters
    ----------
    images : sequence of ndarray
        ``(H, W)`` in [0, 1] each, possibly memory-mapped.
    encoder : Featuriser
        Of their modality.
    schedule : CropSchedule
        Which crops a round draws.
    """

    images: Sequence[np.ndarray]
    encoder: Featuriser
    schedule: CropSchedule
    _kept: dict[int, Tensor] = field(default_factory=dict)
    _last: tuple[tuple[int, int, bytes], Tensor] | None = None
    _drawn: tuple[tuple[int, int], np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def _positions(self, round_number: int, draw: int) -> np.ndarray:
        """The crops of all images, drawn once an epoch and not once a batch."""
        if self._drawn is None or self._drawn[0] != (round_number, draw):
            self._drawn = ((round_number, draw), self.schedule.positions(self._shapes(), round_number, draw))
        return self._drawn[1]

    def _shapes(self) -> list[tuple[int, int]]:
        return [(image.shape[0], image.shape[1]) for image in self.images]

    def _crops(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        return cut(self.images, indices, self._positions(round_number, draw), self.schedule.size)

    def inputs(self, indices: np.ndarray, round_number: int = 0, draw: int = 0) -> Tensor:
        """Crops of some samples.

        Parameters
        ----------
        indices : ndarray of int
            ``(B,)``, the samples.
        round_number, draw : int
            The round and the epoch in it, from 0, which decide the positions.

        Returns
        -------
        Tensor
            ``(B, 1, size, size)`` float32 in [0, 1].
        """
        key = (round_number, draw, indices.tobytes())
        if self._last is None or self._last[0] != key:
            self._last = (key, self._crops(indices, round_number, draw))
        return self._last[1]

    def features(self, indices: np.ndarray, round_number: int = 0, draw: int = 0) -> Tensor:
        """Frozen features of the same crops.

        Parameters
        ----------
        indices, round_number, draw
            As for :meth:`inputs`.

        Returns
        -------
        Tensor
            ``(B, ...)``.
        """
        if not self.schedule.focused(round_number):
            return frozen_features(self.encoder, self.inputs(indices, round_number, draw))
        missing = np.array([index for index in indices if int(index) not in self._kept], dtype=int)
        if len(missing):
            computed = frozen_features(self.encoder, self._crops(missing, round_number, draw))
            self._kept.update(zip(missing.tolist(), computed, strict=True))
        kept = torch.stack([self._kept[int(index)] for index in indices])
        if kept[0].element_size() * kept[0].numel() * len(self._kept) > KEPT_BYTES:
            self._kept.clear()  # too many to keep: going through all of them would only push out what comes next
        return kept

    def examples(self, seed: int) -> Tensor:
        """Crops that closed-form parts are fitted to: several of each image, or one of each of a choice."""
        most = fitting(self.schedule.size**2)
        chosen = np.sort(stream(seed, FIT).permutation(len(self))[:most])
        draws = max(1, min(FIT_CROPS, most // len(chosen)))
        random = CropSchedule(self.schedule.size, 1, False, seed)
        crops = [
            cut(self.images, chosen, random.positions(self._shapes(), 0, draw), random.size)
            for draw in range(draws)
        ]
        return torch.cat(crops)
