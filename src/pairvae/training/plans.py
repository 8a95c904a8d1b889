"""Plans of one VAE and of several together: which samples an epoch draws, and how the loss is put together.

The loss is a weighted sum of terms (docs/method.md):

| term | computed by | weight in ``params.yaml`` |
| --- | --- | --- |
| ``<source>_<target>`` | :meth:`VAEPlan.reconstruction_losses`, ``models/likelihoods.py`` | ``pair.training.weights`` |
| ``<source>_<target>_generator``, ``_discriminator`` | the same, by ``adversarial.py`` | ``adversarial.weight`` |
| ``similarity`` | :meth:`PairPlan.similarity_losses` | ``pair.training.weights`` |
| ``kl``, ``match`` | :meth:`PairPlan.divergence` | ``kl_weight``, ``match_weight`` |

:func:`pairvae.training.protocol.loss_at_once` adds them up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from pairvae.data.batches import batches, steps_per_epoch
from pairvae.models.likelihoods import Likelihood, posterior_divergence
from pairvae.models.pair import PairVAE
from pairvae.models.posterior import Posterior
from pairvae.models.vae import VAE
from pairvae.numerics import losses
from pairvae.settings import PairTraining, SoloTraining
from pairvae.training.adam_plans import VAEPlan
from pairvae.training.adversarial import AdversarialLoss, with_discriminators
from pairvae.training.distributed.process_group import ProcessGroup
from pairvae.training.protocol import DIVERGENCE, Plan, loss_at_once
from pairvae.training.rounds import Batch, Encoded, LossTerms, Source, epochs_before, epochs_of
from pairvae.training.shared_samples import Partners, partners_of

MATCH = "match"

__all__ = ["Batch", "LossTerms", "PairPlan", "Plan", "SoloPlan", "Source"]


@dataclass(frozen=True)
class SoloPlan(VAEPlan):
    """One VAE alone: its likelihood and a weak pull to the unit normal (paper, Figure 2A).

    Parameters
    ----------
    name : str
        Its modality.
    vae : VAE
        What is trained.
    source : Source
        Training samples.
    likelihood : Likelihood
        Of what is decoded.
    settings : SoloTraining
        The section ``<modality>.training``.
    seed : int
        Of batches, sampled latents and noise.
    device : torch.device
        Where batches go.
    adversarial : mapping of str to AdversarialLoss
        By modality; none by default.
    """

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
        posterior = posteriors[self.name]
        return {DIVERGENCE: losses.kl_to_unit_normal(posterior.mean, posterior.std).mean()}

    def term_weight(self, term: str) -> float:
        """1, but for the divergence."""
        return self.settings.kl_weight if term == DIVERGENCE else 1.0

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """Negative log likelihood plus weighted divergence, per sample."""
        return loss_at_once(self, batch, generator)


@dataclass(frozen=True)
class PairPlan(VAEPlan):
    """The VAEs of two or more techniques: reconstructions and the similarity of their latents (paper, Figure 2B).

    A batch has samples of two techniques. Of more than two techniques, every two take turns, with the samples that
    both measured; there are as many batches as give each technique as many as it has in a pair. Samples without a
    partner come in batches of one modality, between the others, with the losses of that modality alone. There are at
    most as many as batches of pairs, so that many samples without a partner do not outweigh the pairs.

    Parameters
    ----------
    pair : PairVAE
        What is trained.
    sources : mapping of str to Source
        Training samples by modality.
    likelihoods : mapping of str to Likelihood
        Of what is decoded, by modality.
    settings : PairTraining
        The section ``pair.training``.
    seed : int
        Of batches, sampled latents and noise.
    device : torch.device
        Where batches go.
    uncropped : collection of str
        The modalities without crops, where others have many for each sample; their posteriors learn the mean and the
        spread of theirs.
    partners : Partners, optional
        Which samples of the sources belong together; by default those of one number.
    adversarial : mapping of str to AdversarialLoss
        By modality; none by default.
    """

    pair: PairVAE
    sources: Mapping[str, Source]
    likelihoods: Mapping[str, Likelihood]
    settings: PairTraining
    seed: int
    device: torch.device
    uncropped: Collection[str] = ()
    partners: Partners | None = None
    adversarial: Mapping[str, AdversarialLoss] = field(default_factory=dict)

    @cached_property
    def _partners(self) -> Partners:
        """Those that are given, or all samples as complete ones."""
        count = len(next(iter(self.sources.values())))
        return self.partners or partners_of(dict.fromkeys(self.sources, [True] * count), {})

    @property
    def count(self) -> int:
        """Training samples of two techniques or more."""
        return self._partners.count

    @property
    def smallest_batch(self) -> int:
        """Samples of the smallest batch of an epoch."""
        counts = [len(numbers[0]) for numbers in self._partners.together.values()]
        counts += [len(self._partners.lone[name]) for name in self._lone_steps()]
        return min(self.settings.batch, *counts)

    def _lone_steps(self) -> dict[str, int]:
        """Batches of samples without a partner in one epoch, of the modalities that have any."""
        batch, most = self.settings.batch, self._steps_together()
        return {
            name: min(most, steps_per_epoch(len(numbers), batch))
            for name, numbers in self._partners.lone.items()
            if len(numbers) and self.weight(f"{name}_{name}") > 0
        }

    def _steps_together(self) -> int:
        """Batches of two techniques in one epoch: half as many as techniques, times those of a pair."""
        return max(1, round(len(self.sources) / 2 * self.steps_of_pairs()))

    def steps(self) -> int:
        """Steps of one epoch."""
        return self._steps_together() + sum(self._lone_steps().values())

    def shares(self, round_number: int, process_group: ProcessGroup) -> Iterator[Batch]:
        """This process's share of each batch of one round: of every two techniques in turn, and of single samples."""
        epochs, lone_steps = epochs_of(self.logged_epochs, round_number), self._lone_steps()
        together, lone = list(self._partners.together.items()), self._partners.lone
        drawn = [self._drawn(len(numbers[0]), epochs, round_number) for _, numbers in together]
        drawn_lone = {name: self._drawn(len(lone[name]), epochs, round_number) for name in lone_steps}
        steps = self._steps_together()
        start = epochs_before(self.logged_epochs, round_number) * steps
        for number in range(epochs * steps):
            draw, step = divmod(number, steps)
            turn, place = (start + number) % len(together), number // len(together)
            names, numbers = together[turn]
            chosen = drawn[turn][place % len(drawn[turn])]
            sources = {name: self.sources[name] for name in names}
            members = {name: of_source[chosen] for name, of_source in zip(names, numbers, strict=True)}
            yield self._batch(sources, members, round_number, draw, process_group)
            for name, most in lone_steps.items():
                if step < most:
                    single = drawn_lone[name][draw * (len(drawn_lone[name]) // epochs) + step]
                    members = {name: lone[name][single]}
                    yield self._batch({name: self.sources[name]}, members, round_number, draw, process_group)

    def _drawn(self, count: int, epochs: int, round_number: int) -> list[np.ndarray]:
        """Batches of one round of so many samples: their numbers among them."""
        size = self.settings.batch
        return list(batches(count, size, epochs=epochs, seed=self.seed, round_number=round_number))

    def spared(self, source: str, target: str, batch: Batch) -> bool:
        """Of more than two techniques, two with crops are not decoded into themselves: that takes longest."""
        textures = len(batch.inputs) > 1 and not set(batch.inputs) & set(self.uncropped)
        return source == target and textures and len(self.sources) > 2

    @cached_property
    def module(self) -> nn.Module:
        """The pair, and its discriminator where it has one."""
        return with_discriminators(self.pair, self.adversarial)

    @property
    def vaes(self) -> Mapping[str, VAE]:
        """All VAEs."""
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
        latents = {
            name: self._sampled(name, posterior).sample(generator) for name, posterior in posteriors.items()
        }
        return Encoded(latents, posteriors)

    def _sampled(self, name: str, posterior: Posterior) -> Posterior:
        """The posterior to sample; without crops, reconstruction losses would shrink the width that crops ask for."""
        if name in self.uncropped and self.settings.match_weight > 0:
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
        """Divergences from the unit normal, and of crops' posteriors from the other one, where they have a weight."""
        terms = {}
        if self.settings.kl_weight > 0:
            divergences = [
                losses.kl_to_unit_normal(posterior.mean, posterior.std).mean()
                for posterior in posteriors.values()
            ]
            terms[DIVERGENCE] = torch.stack(divergences).sum()
        cropped = [name for name in posteriors if name not in self.uncropped]
        whole = [name for name in posteriors if name in self.uncropped]
        if self.settings.match_weight > 0 and cropped and whole:
            terms[MATCH] = posterior_divergence(posteriors[cropped[0]], posteriors[whole[0]]).mean()
        return terms

    def term_weight(self, term: str) -> float:
        """The settings' weights."""
        divergences = {DIVERGENCE: self.settings.kl_weight, MATCH: self.settings.match_weight}
        return divergences[term] if term in divergences else self.settings.weights[term]

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """Weighted sum of the similarity, the reconstructions and the divergences."""
        return loss_at_once(self, batch, generator)
