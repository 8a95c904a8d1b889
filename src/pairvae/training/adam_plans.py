"""What plans share: Adam with a schedule over seeded batches, and reconstruction losses with adversarial ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from pairvae.data.batches import batches, steps_per_epoch
from pairvae.models.likelihoods import Likelihood
from pairvae.models.vae import VAE
from pairvae.settings import PairTraining, SoloTraining, UNetSettings
from pairvae.training.adversarial import DISCRIMINATOR, DISCRIMINATOR_WEIGHT, GENERATOR, AdversarialLoss
from pairvae.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from pairvae.training.optimisers import adam, learning_rate
from pairvae.training.rounds import Batch, Source, epochs_of


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

    @cached_property
    def logged_epochs(self) -> Sequence[int]:
        """The epochs, from 1, that end a round."""
        return self.settings.logged_epochs

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
        """Samples of every batch."""
        return min(self.settings.batch, self.count)

    def make_optimiser(self) -> torch.optim.Optimizer:
        """Adam."""
        return adam(self.module, self.settings)

    def learning_rate(self, step: int) -> float:
        """The settings' schedule."""
        return learning_rate(self.settings, step, self.steps() * self.epochs)

    def steps(self) -> int:
        """Steps of one epoch."""
        return self.steps_of_pairs()

    def steps_of_pairs(self) -> int:
        """Steps of one epoch with the samples that :attr:`count` counts."""
        return steps_per_epoch(self.count, self.settings.batch)

    def batches(self, round_number: int) -> Iterator[Batch]:
        """The batches of one round."""
        return self.shares(round_number, SINGLE_PROCESS)

    def shares(self, round_number: int, process_group: ProcessGroup) -> Iterator[Batch]:
        """This process's share of each batch of one round."""
        steps = self.steps_of_pairs()
        drawn = batches(
            self.count,
            self.settings.batch,
            epochs=epochs_of(self.logged_epochs, round_number),
            seed=self.seed,
            round_number=round_number,
        )
        for number, members in enumerate(drawn):
            sources = self.drawn_from()
            numbers = dict.fromkeys(sources, members)
            yield self._batch(sources, numbers, round_number, number // steps, process_group)

    def _batch(
        self,
        sources: Mapping[str, Source],
        members: Mapping[str, np.ndarray],
        round_number: int,
        draw: int,
        process_group: ProcessGroup,
    ) -> Batch:
        """This process's share of the same samples of the modalities ``sources``: their numbers in each are given."""
        first = members[next(iter(sources))]
        share = process_group.share(len(first))
        numbers = {name: members[name][share.rows] for name in sources}
        return Batch(
            torch.from_numpy(first[share.rows]).to(self.device),
            {
                name: source.inputs(numbers[name], round_number, draw).to(self.device)
                for name, source in sources.items()
            },
            {
                name: source.features(numbers[name], round_number, draw).to(self.device)
                for name, source in sources.items()
            },
            share,
            {
                name: torch.from_numpy(numbers[name]).to(self.device)
                for name in sources
                if members[name] is not first
            },
        )


class VAEPlan(AdamPlan):
    """What the plans of VAEs share: reconstruction losses of directions, and adversarial losses beside them."""

    adversarial: Mapping[str, AdversarialLoss]

    @property
    def vaes(self) -> Mapping[str, VAE]:
        """The VAEs that are trained, by modality."""
        raise NotImplementedError

    def likelihood_of(self, target: str) -> Likelihood:
        """The likelihood of what is decoded as a modality.

        Parameters
        ----------
        target : str
            The modality.

        Returns
        -------
        Likelihood
            Decodes latents and compares the result with inputs.
        """
        raise NotImplementedError

    def term_weight(self, term: str) -> float:
        """Weight of a term that is not adversarial.

        Parameters
        ----------
        term : str
            A direction, such as ``saxs_sem``, or the name of another loss.

        Returns
        -------
        float
            At least 0.
        """
        raise NotImplementedError

    def spared(self, source: str, target: str, batch: Batch) -> bool:
        """Whether a batch leaves out a direction that others train.

        Parameters
        ----------
        source, target : str
            The direction.
        batch : Batch
            The batch.

        Returns
        -------
        bool
            False by default.
        """
        return False

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
                if self.weight(direction) == 0 or self.spared(source, target, batch):
                    continue
                decoder, likelihood = self.vaes[target].decoder, self.likelihood_of(target)
                terms[direction], images = likelihood(
                    decoder, latent, inputs, batch.numbers(target), generator
                )
                if target in self.adversarial and images is not None:
                    hinge_losses = self.adversarial[target](images, inputs, latent)
                    terms |= {f"{direction}_{name}": loss for name, loss in hinge_losses.items()}
        return terms

    def weight(self, term: str) -> float:
        """Weight of a term in the sum; that of an adversarial loss is multiplied by its direction's."""
        direction, _, loss = term.rpartition("_")
        if loss == GENERATOR:
            return self.adversarial[direction.rpartition("_")[2]].weight * self.term_weight(direction)
        if loss == DISCRIMINATOR:
            return DISCRIMINATOR_WEIGHT * self.term_weight(direction)
        return self.term_weight(term)
