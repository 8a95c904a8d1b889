"""Plans: which parameters move, which samples an epoch draws, and how the loss is put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from pairvae.data.batches import batches, steps_per_epoch
from pairvae.models.likelihoods import Likelihood
from pairvae.models.pair import PairVAE
from pairvae.models.vae import VAE
from pairvae.numerics import losses
from pairvae.settings import Optimisation, PairTraining, SoloTraining
from pairvae.training.optimisers import adam, learning_rate


@dataclass(frozen=True)
class LossTerms:
    """The number that is minimised and what it is made of (unweighted)."""

    total: Tensor
    parts: dict[str, Tensor]


class Source(Protocol):
    """Training samples of one modality."""

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def inputs(self, indices: np.ndarray, epoch: int, draw: int) -> Tensor:
        """Prepared inputs ``(B, ...)``; ``draw`` counts the batches of the epoch."""
        ...

    def features(self, indices: np.ndarray, epoch: int, draw: int) -> Tensor:
        """Frozen features of the same inputs."""
        ...


@dataclass(frozen=True)
class Batch:
    """One step's samples: their numbers, prepared inputs and frozen features by modality."""

    indices: Tensor
    inputs: dict[str, Tensor]
    features: dict[str, Tensor]


class Plan(Protocol):
    """What the loop needs to know of a training."""

    @property
    def epochs(self) -> int:
        """Epochs in all."""
        ...

    @property
    def seed(self) -> int:
        """Of batches, sampled latents and noise."""
        ...

    @property
    def module(self) -> nn.Module:
        """What is saved in a checkpoint."""
        ...

    @property
    def vaes(self) -> Mapping[str, VAE]:
        """The VAEs that are trained, by modality."""
        ...

    @property
    def gradient_clip(self) -> float:
        """Largest norm of the gradient; 0: no clipping."""
        ...

    def make_optimiser(self) -> torch.optim.Optimizer:
        """The optimiser over what moves."""
        ...

    def learning_rate(self, step: int) -> float:
        """Its rate at ``step``, counted over all epochs."""
        ...

    def steps(self) -> int:
        """Steps of one epoch."""
        ...

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch."""
        ...

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """The loss of one batch."""
        ...


def _batches(
    sources: Mapping[str, Source], settings: Optimisation, seed: int, epoch: int, device: torch.device
) -> Iterator[Batch]:
    count = len(next(iter(sources.values())))
    drawn = batches(
        count,
        settings.batch,
        passes=settings.passes,
        drop_remainder=settings.drop_remainder,
        seed=seed,
        epoch=epoch,
    )
    steps = steps_per_epoch(count, settings.batch, passes=1, drop_remainder=settings.drop_remainder)
    for number, indices in enumerate(drawn):
        draw = number // steps
        yield Batch(
            torch.from_numpy(indices).to(device),
            {name: source.inputs(indices, epoch, draw).to(device) for name, source in sources.items()},
            {name: source.features(indices, epoch, draw).to(device) for name, source in sources.items()},
        )


@dataclass(frozen=True)
class SoloPlan:
    """One VAE alone: its likelihood and a weak pull to the unit normal (paper, Figure 2A)."""

    name: str
    vae: VAE
    source: Source
    likelihood: Likelihood
    settings: SoloTraining
    seed: int
    device: torch.device

    @property
    def epochs(self) -> int:
        """Epochs in all."""
        return self.settings.epochs

    @property
    def module(self) -> nn.Module:
        """The VAE."""
        return self.vae

    @property
    def vaes(self) -> Mapping[str, VAE]:
        """The VAE under its modality's name."""
        return {self.name: self.vae}

    @property
    def gradient_clip(self) -> float:
        """Largest norm of the gradient; 0: no clipping."""
        return self.settings.gradient_clip

    def make_optimiser(self) -> torch.optim.Optimizer:
        """Adam."""
        return adam(self.module, self.settings)

    def learning_rate(self, step: int) -> float:
        """The settings' schedule."""
        return learning_rate(self.settings, step, self.steps() * self.epochs)

    def steps(self) -> int:
        """Steps of one epoch."""
        one = self.settings
        return steps_per_epoch(
            len(self.source), one.batch, passes=one.passes, drop_remainder=one.drop_remainder
        )

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch."""
        return _batches({self.name: self.source}, self.settings, self.seed, epoch, self.device)

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """Negative log likelihood plus weighted divergence, per sample."""
        posterior = self.vae.posterior_of(batch.features[self.name], self.settings.input_noise, generator)
        latent = posterior.sample(generator)
        misfit = self.likelihood(self.vae.decoder, latent, batch.inputs[self.name], batch.indices, generator)
        divergence = losses.kl_to_unit_normal(posterior.mean, posterior.std).mean()
        total = misfit + self.settings.kl_weight * divergence
        return LossTerms(total, {f"{self.name}_{self.name}": misfit, "kl": divergence})


@dataclass(frozen=True)
class PairPlan:
    """Both VAEs: four reconstructions and the similarity of their latents (paper, Figure 2B)."""

    pair: PairVAE
    sources: Mapping[str, Source]
    likelihoods: Mapping[str, Likelihood]
    settings: PairTraining
    seed: int
    device: torch.device

    @property
    def epochs(self) -> int:
        """Epochs of both parts."""
        return self.settings.epochs

    @property
    def module(self) -> nn.Module:
        """The pair."""
        return self.pair

    @property
    def vaes(self) -> Mapping[str, VAE]:
        """Both VAEs."""
        return {name: self.pair.vae(name) for name in self.sources}

    @property
    def gradient_clip(self) -> float:
        """Largest norm of the gradient; 0: no clipping."""
        return self.settings.gradient_clip

    def make_optimiser(self) -> torch.optim.Optimizer:
        """Adam."""
        return adam(self.module, self.settings)

    def learning_rate(self, step: int) -> float:
        """The settings' schedule."""
        return learning_rate(self.settings, step, self.steps() * self.epochs)

    def steps(self) -> int:
        """Steps of one epoch."""
        one = self.settings
        count = len(next(iter(self.sources.values())))
        return steps_per_epoch(count, one.batch, passes=one.passes, drop_remainder=one.drop_remainder)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch."""
        return _batches(self.sources, self.settings, self.seed, epoch, self.device)

    def similarity(self, first: Tensor, second: Tensor) -> Tensor:
        """Distance of the two latents, by the chosen measure, in float32."""
        with torch.autocast(first.device.type, enabled=False):
            return self._similarity(first.float(), second.float())

    def _similarity(self, first: Tensor, second: Tensor) -> Tensor:
        if self.settings.similarity == "barlow":
            return losses.barlow_twins(first, second, self.settings.redundancy)
        if self.settings.similarity == "simclr":
            return losses.simclr(first, second, self.settings.temperature)
        return losses.latent_distance(first, second)

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """Weighted sum of the similarity, the four reconstructions and the divergences."""
        one = self.settings
        posteriors = {
            name: self.pair.vae(name).posterior_of(batch.features[name], one.input_noise, generator)
            for name in self.sources
        }
        latents = {name: posterior.sample(generator) for name, posterior in posteriors.items()}
        first, second = latents.values()
        parts = {"similarity": self.similarity(first, second)}
        for source, latent in latents.items():
            for target in self.sources:
                weight = one.weights[f"{source}_{target}"]
                if weight > 0:
                    parts[f"{source}_{target}"] = self.likelihoods[target](
                        self.pair.vae(target).decoder, latent, batch.inputs[target], batch.indices, generator
                    )
        total = torch.stack([one.weights[name] * part for name, part in parts.items()]).sum()
        if one.kl_weight > 0:
            parts["kl"] = torch.stack(
                [losses.kl_to_unit_normal(p.mean, p.std).mean() for p in posteriors.values()]
            ).sum()
            total = total + one.kl_weight * parts["kl"]
        return LossTerms(total, parts)
