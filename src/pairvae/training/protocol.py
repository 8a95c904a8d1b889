"""What the loop needs to know of a training: the protocols that plans follow, and the loss from a plan's terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from pairvae.models.posterior import Posterior
from pairvae.models.vae import VAE
from pairvae.training.adversarial import is_adversarial
from pairvae.training.distributed.process_group import ProcessGroup
from pairvae.training.rounds import Batch, Encoded, LossTerms

DIVERGENCE = "kl"


class Plan(Protocol):
    """What the loop needs to know of a training.

    An epoch is a pass over the training samples. A round is the epochs between two logged losses: what the loop trains
    at a time, and what the random streams are keyed by.
    """

    @property
    def epochs(self) -> int:
        """Epochs in all."""
        ...

    @property
    def logged_epochs(self) -> Sequence[int]:
        """The epochs, from 1, that end a round."""
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
        """The optimiser's rate.

        Parameters
        ----------
        step : int
            The step, from 0, counted over all epochs.

        Returns
        -------
        float
            At least 0.
        """
        ...

    def steps(self) -> int:
        """Steps of one epoch."""
        ...

    def batches(self, round_number: int) -> Iterator[Batch]:
        """The batches of one round.

        Parameters
        ----------
        round_number : int
            The round, from 0.

        Yields
        ------
        Batch
            In the order of the steps; the same for the same seed and round.
        """
        ...

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """The loss of one batch.

        Parameters
        ----------
        batch : Batch
            A whole batch.
        generator : torch.Generator
            Of sampled latents and noise, on the plan's device.

        Returns
        -------
        LossTerms
            With gradients.
        """
        ...


@runtime_checkable
class DivisiblePlan(Plan, Protocol):
    """A plan whose steps can be divided into micro-batches, by several processes or one after the other.

    Its loss is a weighted sum of three kinds of terms: similarity losses depend on the latents of the whole batch;
    reconstruction losses and divergences are means over samples.
    """

    @property
    def smallest_batch(self) -> int:
        """Samples of the smallest batch of an epoch."""
        ...

    def shares(self, round_number: int, process_group: ProcessGroup) -> Iterator[Batch]:
        """One process's part of each batch of one round.

        Parameters
        ----------
        round_number : int
            The round, from 0.
        process_group : ProcessGroup
            This process among those that share the batches.

        Yields
        ------
        Batch
            In the order of the steps.
        """
        ...

    def encode(self, batch: Batch, generator: torch.Generator) -> Encoded:
        """Latents of a batch.

        Parameters
        ----------
        batch : Batch
            A batch, or a part of one.
        generator : torch.Generator
            Of sampled latents and noise.

        Returns
        -------
        Encoded
            The latents, and the posteriors where there are any.
        """
        ...

    def similarity_losses(self, latents: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Terms that compare the latents of all samples of a step with one another.

        Parameters
        ----------
        latents : mapping of str to Tensor
            Of the whole batch, by modality.

        Returns
        -------
        dict of Tensor
            Scalars by name.
        """
        ...

    def reconstruction_losses(
        self, latents: Mapping[str, Tensor], batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Losses of what is decoded from latents.

        Parameters
        ----------
        latents : mapping of str to Tensor
            ``(B, ...)`` by modality.
        batch : Batch
            The B samples that they are of.
        generator : torch.Generator
            Of the decoders' noise.

        Returns
        -------
        dict of Tensor
            Scalars by name: means over the samples.
        """
        ...

    def divergence(self, posteriors: Mapping[str, Posterior]) -> dict[str, Tensor]:
        """Divergences of posteriors.

        Parameters
        ----------
        posteriors : mapping of str to Posterior
            ``(B, ...)`` by modality.

        Returns
        -------
        dict of Tensor
            Means over samples, in nats: from the unit normal under the name ``kl``. Empty where there is none.
        """
        ...

    def weight(self, term: str) -> float:
        """Weight of a term in the sum.

        Parameters
        ----------
        term : str
            Its name, as in the losses that the other methods return.

        Returns
        -------
        float
            At least 0.
        """
        ...


def weighted_sum(plan: DivisiblePlan, parts: Mapping[str, Tensor]) -> Tensor:
    """The loss from its terms.

    Adversarial terms add their gradients and no value: what one side wins the other loses, so that a sum with
    them would not fall in training.

    Parameters
    ----------
    plan : DivisiblePlan
        Knows the terms' weights.
    parts : mapping of str to Tensor
        The unweighted terms: scalars by name.

    Returns
    -------
    Tensor
        A scalar.
    """
    weighted = {name: plan.weight(name) * part for name, part in parts.items()}
    terms = [part for name, part in weighted.items() if name != DIVERGENCE and not is_adversarial(name)]
    total = torch.stack(terms).sum()
    for name, part in weighted.items():
        if is_adversarial(name):
            total = total + (part - part.detach())
    return total + weighted[DIVERGENCE] if DIVERGENCE in parts else total


def loss_at_once(plan: DivisiblePlan, batch: Batch, generator: torch.Generator) -> LossTerms:
    """The loss of one whole batch, from the terms of a plan.

    Parameters
    ----------
    plan : DivisiblePlan
        Whose loss it is.
    batch : Batch
        The batch.
    generator : torch.Generator
        Of sampled latents and noise.

    Returns
    -------
    LossTerms
        With gradients.
    """
    encoded = plan.encode(batch, generator)
    parts = plan.similarity_losses(encoded.latents)
    parts |= plan.reconstruction_losses(encoded.latents, batch, generator)
    parts |= plan.divergence(encoded.posteriors)
    return LossTerms(weighted_sum(plan, parts), parts)
