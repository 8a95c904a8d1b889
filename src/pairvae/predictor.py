"""What a user calls: a trained pair that predicts either measurement from the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pairvae.errors import InputError
from pairvae.evaluation.training_facts import Confidence, TrainingFacts
from pairvae.modalities import MODALITIES
from pairvae.modalities.acquisition import Acquisition
from pairvae.models.vae import VAE, Posterior, decode_in_chunks
from pairvae.numerics.scattering import PhysicalCheck
from pairvae.settings import Section

SEEDS = 2**63
OVERLAP = 0.25  # least share of a crop that lies in its neighbour, too


@dataclass(frozen=True)
class Predictor:
    """VAEs keyed by modality, in evaluation mode, the card of the model folder they came from, and what is known
    of the training data (None for models that were trained before that was kept)."""

    vaes: Mapping[str, VAE]
    card: Mapping[str, Any]
    facts: TrainingFacts | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(self.vaes)

    def shape(self, modality: str) -> tuple[int, int, int]:
        """Channels, rows and columns of the prepared arrays of ``modality``."""
        self._known(modality)
        channels, rows, columns = self.card["modalities"][modality]["shape"]
        return channels, rows, columns

    def prepare(self, file: str | Path, source: str, acquisition: Acquisition | None = None) -> np.ndarray:
        """The prepared array ``(channels, H, W)`` of a raw file, made as those of the training data were.

        ``acquisition``: what is known of the file besides, as ``Acquisition(nm_per_px=1.2)``.
        Of a whole micrograph it is larger than what the networks see. ``InputError`` for a file that cannot be read.
        """
        self._known(source)
        modality = MODALITIES[source]
        known = acquisition or Acquisition()
        return modality.prepare(*known.applied(modality.read(file), self.prepared_with(source)))

    def prepared_with(self, modality: str) -> Section:
        """The settings that the training data of one modality were prepared with."""
        self._known(modality)
        return MODALITIES[modality].settings.model_validate(self.card["modalities"][modality]["prepare"])

    def encode(self, array: np.ndarray, source: str) -> Posterior:
        """Posterior ``(1, C, g, g)`` of one prepared array; of a whole micrograph, that of all of it."""
        if MODALITIES[source].cropped:
            return self.pooled_posterior(array, source)
        return self.posterior(array[None], source)

    def confidence(self, array: np.ndarray, source: str) -> Confidence | None:
        """How unlike the training data a prepared array is; None for a model that does not know."""
        self._known(source)
        if self.facts is None or source not in self.facts.familiar:
            return None
        return self.facts.familiar[source].confidence(array, self.shape(source))

    def physical_check(self, images: np.ndarray, pattern: np.ndarray) -> PhysicalCheck | None:
        """Whether images ``(S, H, W)`` scatter like a pattern ``(3, h, w)``; None for a model that does not know."""
        if self.facts is None or self.facts.scattering is None:
            return None
        return self.facts.scattering.agreement(images, pattern)

    def posterior(self, arrays: np.ndarray, source: str) -> Posterior:
        """Posterior ``(N, C, g, g)`` of prepared arrays ``(N, channels, H, W)`` in [0, 1]."""
        inputs = self._checked(arrays, source)
        with torch.inference_mode():
            # One by one: a matrix product's last bits depend on the batch, and may tip a pixel over its threshold.
            some = inputs if len(inputs) else torch.zeros(1, *self.shape(source))
            parts = [self.vaes[source].posterior(part) for part in torch.split(some, 1)]
        mean, std = torch.cat([p.mean for p in parts]), torch.cat([p.std for p in parts])
        return Posterior(mean[: len(inputs)], std[: len(inputs)], self.vaes[source].mixing)

    def predict(
        self, arrays: np.ndarray, source: str, target: str, samples: int = 1, seed: int = 0
    ) -> np.ndarray:
        """Images of ``target`` for each prepared array ``(N, channels, H, W)`` in [0, 1] of ``source``.

        Returns ``(N, samples, H, W)`` uint8 in {0, 1} for a binary target (the Bernoulli mode), else
        ``(N, samples, channels, H, W)`` float32 in [0, 1]. One sample is decoded from the posterior's mean,
        several from draws of it; an input's images depend on it and on ``seed`` alone, not on its neighbours.
        ``InputError`` for an unknown modality, another shape, or values outside [0, 1].
        """
        return self.decode(self.posterior(arrays, source), target, samples, seed)

    def decode(self, posterior: Posterior, target: str, samples: int = 1, seed: int = 0) -> np.ndarray:
        """Images of ``target`` for posteriors ``(N, C, g, g)``; see :meth:`predict`."""
        self._known(target)
        if samples < 1:
            raise InputError(expected="at least one sample", found=str(samples), where="samples")
        if not 0 <= seed < SEEDS:
            raise InputError(expected="a seed from 0 to 2**63 - 1", found=str(seed), where="seed")
        images = [
            self._decode(posterior.repeated(index, samples), target, seed)
            for index in range(len(posterior.mean))
        ]
        shape = self.shape(target)
        binary = self.is_binary(target)
        if not images:
            return np.zeros(
                (0, samples, *(shape[1:] if binary else shape)), np.uint8 if binary else np.float32
            )
        return np.stack(images)

    def pooled_posterior(self, image: np.ndarray, source: str) -> Posterior:
        """One posterior ``(1, C, g, g)`` of an array ``(channels, H, W)`` larger than the networks see.

        Crops on a grid that covers the array, overlapping by a quarter or more, are encoded up to the frozen
        features, and the posterior is that of the features' mean: a whole micrograph says more of its sample
        than one crop does, and the mean of statistics is the statistics of the whole. One crop is in memory at
        a time, so that a memory-mapped image of any size will do.
        """
        channels, rows, columns = self.shape(source)
        if (
            image.ndim != 3
            or image.shape[0] != channels
            or min(image.shape[1] - rows, image.shape[2] - columns) < 0
        ):
            raise InputError(
                expected=f"an array of {channels} x {rows} x {columns} or more",
                found=" x ".join(map(str, image.shape)),
                where=source,
            )
        corners = [
            (row, column)
            for row in _starts(image.shape[1], rows)
            for column in _starts(image.shape[2], columns)
        ]
        cut = (image[:, row : row + rows, column : column + columns] for row, column in corners)
        return self.pooled_of_crops(cut, source)

    def pooled_of_crops(self, crops: Iterable[np.ndarray], source: str) -> Posterior:
        """One posterior ``(1, C, g, g)`` of crops ``(channels, H, W)`` of one image: of their features' mean."""
        encoder = self.vaes[source].encoder
        with torch.inference_mode():
            total, count = torch.zeros(()), 0
            for crop in crops:
                one = crop[None] if crop.ndim == 3 else crop[None, None]
                total, count = total + encoder.features(self._checked(one, source)).double(), count + 1
            return self.vaes[source].posterior_of((total / count).float())

    def is_binary(self, modality: str) -> bool:
        """Whether images of ``modality`` have two values."""
        one_channel = self.shape(modality)[0] == 1
        return bool(self.card["modalities"][modality].get("binary", one_channel))

    def _decode(self, posterior: Posterior, target: str, seed: int) -> np.ndarray:
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            latents = posterior.opposed() if len(posterior.mean) > 1 else posterior.mean
            image = decode_in_chunks(self.vaes[target].decoder, latents)
        if self.is_binary(target):
            return np.asarray((image[:, 0] >= 0.5).numpy().astype(np.uint8))
        return np.asarray(image.float().numpy())

    def _known(self, modality: str) -> None:
        if modality not in self.vaes:
            raise InputError(
                expected=f"a modality: {', '.join(self.vaes)}", found=repr(modality), where="modality"
            )

    def _checked(self, arrays: np.ndarray, source: str) -> Tensor:
        shape = self.shape(source)
        values = np.asarray(arrays)
        if values.ndim == 3 and shape[0] == 1:
            values = values[:, None]
        if values.shape[1:] != shape:
            raise InputError(
                expected=f"arrays of shape (N, {', '.join(map(str, shape))})",
                found=str(np.asarray(arrays).shape),
                where=source,
                remedy="prepare raw files with the method `prepare`",
            )
        if values.dtype.kind not in "biuf":
            raise InputError(expected="numbers", found=f"dtype {values.dtype}", where=source)
        numbers = values.astype(np.float32)
        if numbers.size and not (np.isfinite(numbers).all() and numbers.min() >= 0 and numbers.max() <= 1):
            raise InputError(
                expected="values in [0, 1]", found=f"{numbers.min():.3g} to {numbers.max():.3g}", where=source
            )
        return torch.from_numpy(np.ascontiguousarray(numbers))


def _starts(length: int, size: int) -> list[int]:
    """First pixels of the fewest evenly spread windows of ``size`` px that cover ``length`` px with overlap."""
    step = size * (1 - OVERLAP)
    count = 1 + max(0, math.ceil((length - size) / step))
    return [int(start) for start in np.linspace(0, length - size, count).round()]
