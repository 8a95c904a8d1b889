"""Direct regression of one modality from the other on paired samples: the plan of a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from pairvae.models.vae import VAE
from pairvae.settings import UNetSettings
from pairvae.training.adam_plans import AdamPlan
from pairvae.training.rounds import Batch, LossTerms, Source


@dataclass(frozen=True)
class SupervisedPlan(AdamPlan):
    """Direct regression of one modality from the other.

    Parameters
    ----------
    network : Module
        Gives logits of the target from arrays of the source.
    sources : mapping of str to Source
        Training samples by modality.
    source, target : str
        The modalities.
    binary : bool
        Whether the target is binary: Bernoulli loss; otherwise squared error.
    settings : UNetSettings
        The section of the baseline.
    seed : int
        Of batches.
    device : torch.device
        Where batches go.
    """

    network: nn.Module
    sources: Mapping[str, Source]
    source: str
    target: str
    binary: bool
    settings: UNetSettings
    seed: int
    device: torch.device

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.network

    @property
    def vaes(self) -> Mapping[str, VAE]:
        """None."""
        return {}

    def drawn_from(self) -> Mapping[str, Source]:
        """Training samples by modality."""
        return self.sources

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """Mean squared error, or mean Bernoulli negative log likelihood, per pixel."""
        logits, target = self.network(batch.inputs[self.source]).float(), batch.inputs[self.target]
        if self.binary:
            loss = F.binary_cross_entropy_with_logits(logits, target)
        else:
            loss = F.mse_loss(torch.sigmoid(logits), target)
        return LossTerms(loss, {f"{self.source}_{self.target}": loss})
