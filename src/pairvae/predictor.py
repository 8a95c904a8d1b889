"""What a user calls: a trained pair that predicts either measurement from the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pairvae.errors import InputError
from pairvae.models.vae import VAE, Posterior

SEEDS = 2**63


@dataclass(frozen=True)
class Predictor:
    """VAEs keyed by modality, in evaluation mode, and the card of the model folder they came from."""

    vaes: Mapping[str, VAE]
    card: Mapping[str, Any]

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(self.vaes)

    def shape(self, modality: str) -> tuple[int, int, int]:
        """Channels, rows and columns of the prepared arrays of ``modality``."""
        self._known(modality)
        channels, rows, columns = self.card["modalities"][modality]["shape"]
        return channels, rows, columns

    def posterior(self, arrays: np.ndarray, source: str) -> Posterior:
        """Posterior ``(N, C, g, g)`` of prepared arrays ``(N, channels, H, W)`` in [0, 1]."""
        inputs = self._checked(arrays, source)
        with torch.inference_mode():
            # One by one: a matrix product's last bits depend on the batch, and may tip a pixel over its threshold.
            some = inputs if len(inputs) else torch.zeros(1, *self.shape(source))
            parts = [self.vaes[source].posterior(part) for part in torch.split(some, 1)]
        mean, std = torch.cat([p.mean for p in parts]), torch.cat([p.std for p in parts])
        return Posterior(mean[: len(inputs)], std[: len(inputs)])

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
            self._decode(posterior.mean[index], posterior.std[index], target, samples, seed)
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

        Crops on a grid that covers the array are encoded and their posteriors averaged: a whole micrograph says
        more of its sample than one crop does.
        """
        _, rows, columns = self.shape(source)
        crops = [
            image[:, row : row + rows, column : column + columns]
            for row in _starts(image.shape[1], rows)
            for column in _starts(image.shape[2], columns)
        ]
        posterior = self.posterior(np.stack(crops), source)
        return Posterior(
            posterior.mean.mean(0, keepdim=True), posterior.std.square().mean(0, keepdim=True).sqrt()
        )

    def is_binary(self, modality: str) -> bool:
        """Whether images of ``modality`` have two values."""
        one_channel = self.shape(modality)[0] == 1
        return bool(self.card["modalities"][modality].get("binary", one_channel))

    def _decode(self, mean: Tensor, std: Tensor, target: str, samples: int, seed: int) -> np.ndarray:
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            latents = mean.expand(samples, *mean.shape)
            if samples > 1:
                latents = latents + std * torch.randn(latents.shape)
            image = self.vaes[target].decoder(latents)
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
                remedy="prepare raw files with `pairvae predict`, or pairvae.prepare",
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
    """First pixels of the fewest evenly spread windows of ``size`` that cover ``length`` px."""
    count = -(-length // size)
    return [int(start) for start in np.linspace(0, length - size, count).round()]
