"""Plans: which parameters move, which samples an epoch draws, and how the loss is put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from pairvae.data.batches import batches, smallest_batch, steps_per_epoch
from pairvae.models.likelihoods import Likelihood, posterior_divergence
from pairvae.models.pair import PairVAE
from pairvae.models.vae import VAE, Posterior
from pairvae.numerics import losses
from pairvae.settings import PairTraining, SoloTraining, UNetSettings
from pairvae.training.adversarial import (
    DISCRIMINATOR,
    DISCRIMINATOR_WEIGHT,
    GENERATOR,
    AdversarialLoss,
    with_discriminators,
)
from pairvae.training.optimisers import adam, learning_rate
from pairvae.training.protocol import (
    DIVERGENCE,
    Batch,
    Encoded,
    LossTerms,
    Plan,
    Source,
    loss_at_once,
)
from pairvae.training.team import ALONE, Team

MATCH = "match"

__all__ = ["Batch", "LossTerms", "PairPlan", "Plan", "SoloPlan", "Source"]


class AdamPlan:
    """What the plans of VAEs share: Adam with a schedule, over batches of the same samples of each modality."""

    settings: SoloTraining | PairTraining | UNetSettings
    seed: int
    device: torch.device

    @property
    def module(self) -> nn.Module:
        """What is saved in a checkpoint."""
        raise NotImplementedError

    def drawn_from(self) -> Mapping[str, Source]:
        """Training samples by modality."""
        raise NotImplementedError

    @property
    def epochs(self) -> int:
        """Epochs in all (of the pair: of both parts of its protocol)."""
        return self.settings.epochs

    @property
    def gradient_clip(self) -> float:
        """Largest norm of the gradient; 0: no clipping."""
        return self.settings.gradient_clip

    @property
    def count(self) -> int:
        """Training samples."""
        return len(next(iter(self.drawn_from().values())))

    @property
    def smallest_batch(self) -> int:
        """Samples of the smallest batch of an epoch."""
        one = self.settings
        return smallest_batch(self.count, one.batch, drop_remainder=one.drop_remainder)

    def make_optimiser(self) -> torch.optim.Optimizer:
        """Adam."""
        return adam(self.module, self.settings)

    def learning_rate(self, step: int) -> float:
        """The settings' schedule."""
        return learning_rate(self.settings, step, self.steps() * self.epochs)

    def steps(self) -> int:
        """Steps of one epoch."""
        one = self.settings
        return steps_per_epoch(self.count, one.batch, passes=one.passes, drop_remainder=one.drop_remainder)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch."""
        return self.shares(epoch, ALONE)

    def shares(self, epoch: int, team: Team) -> Iterator[Batch]:
        """A team member's share of each batch of one epoch."""
        one, sources = self.settings, self.drawn_from()
        drop = one.drop_remainder
        drawn = batches(
            self.count, one.batch, passes=one.passes, drop_remainder=drop, seed=self.seed, epoch=epoch
        )
        steps = steps_per_epoch(self.count, one.batch, passes=1, drop_remainder=drop)
        for number, whole in enumerate(drawn):
            yield self._batch(sources, whole, epoch, number // steps, team)

    def _batch(
        self, sources: Mapping[str, Source], whole: np.ndarray, epoch: int, draw: int, team: Team
    ) -> Batch:
        """A team member's share of the samples ``whole``, of the modalities ``sources``."""
        part = team.share(len(whole))
        indices = whole[part.rows]
        return Batch(
            torch.from_numpy(indices).to(self.device),
            {name: one.inputs(indices, epoch, draw).to(self.device) for name, one in sources.items()},
            {name: one.features(indices, epoch, draw).to(self.device) for name, one in sources.items()},
            part,
        )


class VAEPlan(AdamPlan):
    """What the plans of VAEs share: reconstruction losses of directions, and adversarial losses beside them."""

    adversarial: Mapping[str, AdversarialLoss]

    @property
    def vaes(self) -> Mapping[str, VAE]:
        """The VAEs that are trained, by modality."""
        raise NotImplementedError

    def likelihood_of(self, target: str) -> Likelihood:
        """The likelihood of what is decoded as ``target``."""
        raise NotImplementedError

    def term_weight(self, term: str) -> float:
        """Weight of a term that is not adversarial."""
        raise NotImplementedError

    def reconstruction_losses(
        self, latents: Mapping[str, Tensor], batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Negative log likelihoods of the directions that have a weight, and their adversarial losses, per sample.

        A direction is named ``<source>_<target>``, its adversarial losses ``<source>_<target>_generator`` and so on.
        """
        terms: dict[str, Tensor] = {}
        for source, latent in latents.items():
            for target, inputs in batch.inputs.items():
                direction = f"{source}_{target}"
                if self.weight(direction) == 0:
                    continue
                decoder, likelihood = self.vaes[target].decoder, self.likelihood_of(target)
                terms[direction], images = likelihood(decoder, latent, inputs, batch.indices, generator)
                if target in self.adversarial and images is not None:
                    both = self.adversarial[target](images, inputs, latent)
                    terms |= {f"{direction}_{name}": loss for name, loss in both.items()}
        return terms

    def weight(self, term: str) -> float:
        """Weight of a term in the sum; that of an adversarial loss is multiplied by its direction's."""
        direction, _, loss = term.rpartition("_")
        if loss == GENERATOR:
            return self.adversarial[direction.rpartition("_")[2]].weight * self.term_weight(direction)
        if loss == DISCRIMINATOR:
            return DISCRIMINATOR_WEIGHT * self.term_weight(direction)
        return self.term_weight(term)


@dataclass(frozen=True)
class SoloPlan(VAEPlan):
    """One VAE alone: its likelihood and a weak pull to the unit normal (paper, Figure 2A)."""

    name: str
    vae: VAE
    source: Source
    likelihood: Likelihood
    settings: SoloTraining
    seed: int
    device: torch.device
    adversarial: Mapping[str, AdversarialLoss] = field(default_factory=dict)

    @cached_property
    def module(self) -> nn.Module:
        """The VAE, and its discriminator where it has one."""
        return with_discriminators(self.vae, self.adversarial)

    @property
    def vaes(self) -> Mapping[str, VAE]:
        """The VAE under its modality's name."""
        return {self.name: self.vae}

    def drawn_from(self) -> Mapping[str, Source]:
        """Training samples under their modality's name."""
        return {self.name: self.source}

    def encode(self, batch: Batch, generator: torch.Generator) -> Encoded:
        """A sampled latent."""
        posterior = self.vae.posterior_of(batch.features[self.name], self.settings.input_noise, generator)
        return Encoded({self.name: posterior.sample(generator)}, {self.name: posterior})

    def similarity_losses(self, latents: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Nothing: one latent has no partner."""
        return {}

    def likelihood_of(self, target: str) -> Likelihood:
        """The only one."""
        return self.likelihood

    def divergence(self, posteriors: Mapping[str, Posterior]) -> dict[str, Tensor]:
        """Divergence from the unit normal, per sample."""
        one = posteriors[self.name]
        return {DIVERGENCE: losses.kl_to_unit_normal(one.mean, one.std).mean()}

    def term_weight(self, term: str) -> float:
        """1, but for the divergence."""
        return self.settings.kl_weight if term == DIVERGENCE else 1.0

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """Negative log likelihood plus weighted divergence, per sample."""
        return loss_at_once(self, batch, generator)


@dataclass(frozen=True)
class PairPlan(VAEPlan):
    """Both VAEs: four reconstructions and the similarity of their latents (paper, Figure 2B).

    ``covering``: the modality that has one sample where the other has many crops, if any; its posterior learns to
    cover theirs. ``pairs``: how many of each source's samples are pairs (None: all). Those after them have no partner:
    batches of one modality, between those of pairs, that have their own reconstruction and divergence alone. There
    are at most as many as batches of pairs, so that many samples without a partner do not drown the pairs.
    """

    pair: PairVAE
    sources: Mapping[str, Source]
    likelihoods: Mapping[str, Likelihood]
    settings: PairTraining
    seed: int
    device: torch.device
    covering: str | None = None
    pairs: int | None = None
    adversarial: Mapping[str, AdversarialLoss] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Training pairs."""
        return super().count if self.pairs is None else self.pairs

    @property
    def smallest_batch(self) -> int:
        """Samples of the smallest batch of an epoch."""
        lone = [min(self.settings.batch, len(self.sources[name]) - self.count) for name in self._lone_steps()]
        return min([super().smallest_batch, *lone])

    def _lone_steps(self) -> dict[str, int]:
        """Batches of samples without a partner in one pass over the pairs, of the modalities that have any."""
        one, each = self.settings, super().steps() // self.settings.passes
        counts = {name: len(source) - self.count for name, source in self.sources.items()}
        return {
            name: min(each, steps_per_epoch(count, one.batch, passes=1, drop_remainder=True))
            for name, count in counts.items()
            if count and self.weight(f"{name}_{name}") > 0
        }

    def steps(self) -> int:
        """Steps of one epoch."""
        return super().steps() + self.settings.passes * sum(self._lone_steps().values())

    def shares(self, epoch: int, team: Team) -> Iterator[Batch]:
        """A team member's share of each batch of one epoch: of pairs, and between them of single samples."""
        one, each = self.settings, super().steps() // self.settings.passes
        drawn = {
            name: list(
                batches(
                    len(self.sources[name]) - self.count,
                    one.batch,
                    passes=one.passes,
                    drop_remainder=True,
                    seed=self.seed,
                    epoch=epoch,
                )
            )
            for name in self._lone_steps()
        }
        for number, batch in enumerate(super().shares(epoch, team)):
            yield batch
            draw, place = divmod(number, each)
            for name, steps in self._lone_steps().items():
                if place < steps:
                    whole = self.count + drawn[name][draw * (len(drawn[name]) // one.passes) + place]
                    yield self._batch({name: self.sources[name]}, whole, epoch, draw, team)

    @cached_property
    def module(self) -> nn.Module:
        """The pair, and its discriminator where it has one."""
        return with_discriminators(self.pair, self.adversarial)

    @property
    def vaes(self) -> Mapping[str, VAE]:
        """Both VAEs."""
        return {name: self.pair.vae(name) for name in self.sources}

    def drawn_from(self) -> Mapping[str, Source]:
        """Training samples by modality."""
        return self.sources

    def encode(self, batch: Batch, generator: torch.Generator) -> Encoded:
        """A sampled latent of each modality of the batch."""
        noise = self.settings.input_noise
        posteriors = {
            name: self.pair.vae(name).posterior_of(features, noise, generator)
            for name, features in batch.features.items()
        }
        latents = {name: self._drawn_from(name, one).sample(generator) for name, one in posteriors.items()}
        return Encoded(latents, posteriors)

    def _drawn_from(self, name: str, posterior: Posterior) -> Posterior:
        """The posterior; of the covering one, misfits would shrink the width that the crops ask for."""
        if name == self.covering and self.settings.match_weight > 0:
            return Posterior(posterior.mean, posterior.std.detach())
        return posterior

    def similarity_losses(self, latents: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Distance of the two latents, by the chosen measure, in float32; nothing of samples without a partner."""
        if len(latents) < 2:
            return {}
        first, second = latents.values()
        with torch.autocast(first.device.type, enabled=False):
            return {"similarity": self._similarity(first.float(), second.float())}

    def _similarity(self, first: Tensor, second: Tensor) -> Tensor:
        if self.settings.similarity == "barlow":
            return losses.barlow_twins(first, second, self.settings.redundancy)
        if self.settings.similarity == "simclr":
            return losses.simclr(first, second, self.settings.temperature)
        return losses.latent_distance(first, second)

    def likelihood_of(self, target: str) -> Likelihood:
        """The likelihood of one modality."""
        return self.likelihoods[target]

    def divergence(self, posteriors: Mapping[str, Posterior]) -> dict[str, Tensor]:
        """Divergence of both from the unit normal, and of the crops' from the covering one, where they weigh."""
        terms = {}
        if self.settings.kl_weight > 0:
            each = [losses.kl_to_unit_normal(one.mean, one.std).mean() for one in posteriors.values()]
            terms[DIVERGENCE] = torch.stack(each).sum()
        if self.settings.match_weight > 0 and self.covering is not None and len(posteriors) > 1:
            (covered,) = posteriors.keys() - {self.covering}
            apart = posterior_divergence(posteriors[covered], posteriors[self.covering])
            terms[MATCH] = apart.mean()
        return terms

    def term_weight(self, term: str) -> float:
        """The settings' weights."""
        own = {DIVERGENCE: self.settings.kl_weight, MATCH: self.settings.match_weight}
        return own[term] if term in own else self.settings.weights[term]

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """Weighted sum of the similarity, the four reconstructions and the divergences."""
        return loss_at_once(self, batch, generator)
