"""A pair whose p(z | y) is known: patterns tell the mean latent of a sample, its crops lie around it, correlated.

The encoder of patterns has learned its training patterns by heart and believes itself surer than it is; the decoder of
crops follows latents by half of what true crops do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pairvae.calibration.correction import CalibrationData
from pairvae.models.compact import CompactEncoder
from pairvae.models.pair import PairVAE
from pairvae.models.vae import VAE, Decoder, Encoder

CHANNELS, SIDE, EACH = 4, 32, 10
SLOPES = np.array([0.02, -0.02, 0.02, 0.02])  # of a crop's phase fraction on its latent
FOLLOWED = np.array([1.0, 1.0, 0.0, 0.0])  # of these, by the decoder; patterns tell of these channels alone
WITHIN = np.linalg.cholesky(
    np.array([[1.0, 0.6, -0.4, 0.3], [0.6, 1.0, 0.0, 0.2], [-0.4, 0.0, 1.0, -0.5], [0.3, 0.2, -0.5, 1.0]])
)


class KnowsLatent(Encoder):
    """Crops hold their latent in their first pixels."""

    def features(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1)[:, :CHANNELS]

    def head(self, features: Tensor) -> Tensor:
        return torch.cat([features, torch.full_like(features, 1e-3)], dim=1)[:, :, None, None]


class FollowsInPart(Decoder):
    """Noise of a phase fraction that follows two of the four channels."""

    def __init__(self) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.from_numpy(FOLLOWED * SLOPES).float())

    def logits(
        self, latent: Tensor, generator: torch.Generator | None = None, size: int | None = None
    ) -> Tensor:
        noise = torch.rand((len(latent), 1, SIDE, SIDE), generator=generator)
        found: Tensor = 0.5 + (latent[:, :, 0, 0] @ self.slopes)[:, None, None, None] - noise
        return found


@dataclass(frozen=True)
class Samples:
    """Patterns ``(N, 3, 8, 8)``, latents of crops ``(N, K, C)`` and their phase fractions ``(N, K)``."""

    patterns: np.ndarray
    latents: np.ndarray
    fractions: np.ndarray

    def data(self, pairs: int | None = None) -> CalibrationData:
        count = len(self.patterns)
        crops = np.empty((count, EACH, 1, SIDE, SIDE))
        flat = crops.reshape(count, EACH, -1)
        flat[..., :CHANNELS] = self.latents
        rest = flat.shape[-1] - CHANNELS
        flat[..., CHANNELS:] = ((flat.shape[-1] * self.fractions - self.latents.sum(-1)) / rest)[..., None]
        names = [str(number) for number in range(count)]
        return CalibrationData({"saxs": self.patterns[:, None], "sem": crops}, names, pairs or count)


def samples(count: int, seed: int) -> Samples:
    """Samples of p(y, z)."""
    law, draw = np.random.default_rng(0), np.random.default_rng([1, seed])
    basis, maps = law.normal(0, 0.1, (6, 3 * 8 * 8)), law.normal(0, 0.6, (6, CHANNELS)) * FOLLOWED
    causes = draw.normal(0, 1, (count, 6))
    patterns = 0.5 + causes @ basis + draw.normal(0, 0.1, (count, 3 * 8 * 8))
    noise = draw.normal(0, 1, (count, EACH, CHANNELS))
    latents = (causes @ maps)[:, None] + 0.7 * noise @ WITHIN.T
    own = draw.normal(0, 0.5 / SIDE, (count, EACH))  # a crop holds few domains
    return Samples(patterns.reshape(-1, 3, 8, 8).astype(np.float32), latents, 0.5 + latents @ SLOPES + own)


def trained(seen: Samples) -> PairVAE:
    """A pair whose pattern encoder gives exactly the mean latents of the samples that it has seen."""
    torch.manual_seed(0)
    encoder = CompactEncoder((3, 8, 8), pool=1, components=16, width=64, channels=CHANNELS, grid=1)
    patterns = torch.from_numpy(seen.patterns)
    encoder.fit(patterns)
    target = torch.from_numpy(seen.latents.mean(1)).float()
    with torch.no_grad():
        encoder.dense.hidden.weight.mul_(2.0)
        hidden = torch.cat(
            [encoder.last_hidden(encoder.features(patterns)), torch.ones(len(target), 1)], dim=1
        )
        weights = torch.linalg.lstsq(hidden, target, driver="gelsd").solution.T
        encoder.dense.output.weight[:CHANNELS] = weights[:, :64]
        encoder.dense.shortcut.weight[:CHANNELS] = weights[:, 64:-1]
        encoder.dense.output.bias[:CHANNELS] = weights[:, -1]
        encoder.dense.output.weight[CHANNELS:].zero_()
        encoder.dense.shortcut.weight[CHANNELS:].zero_()
        encoder.dense.output.bias[CHANNELS:] = -1.0
    return PairVAE({"saxs": VAE(encoder, Decoder()), "sem": VAE(KnowsLatent(), FollowsInPart())})
