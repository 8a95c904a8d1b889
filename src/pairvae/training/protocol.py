"""What the loop needs to know of a training: the protocol that every plan follows, and its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from pairvae.models.vae import VAE, Posterior
from pairvae.training.adversarial import is_adversarial
from pairvae.training.distributed.micro_batches import MicroBatch
from pairvae.training.distributed.process_group import ProcessGroup

DIVERGENCE = "kl"


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

    def inputs(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        """Prepared inputs ``(B, ...)``; ``draw`` counts the epochs of the round."""
        ...

    def features(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        """Frozen features of the same inputs."""
        ...


@dataclass(frozen=True)
class Batch:
    """One step's samples: their numbers, prepared inputs and frozen features by modality.

    ``share`` says which of the step's samples these are, where others have the rest.
    """

    indices: Tensor
    inputs: dict[str, Tensor]
    features: dict[str, Tensor]
    share: MicroBatch | None = None

    @property
    def micro_batch(self) -> MicroBatch:
        """Which of the step's samples these are."""
        count = len(self.indices)
        return self.share or MicroBatch(0, count, count)

    def within(self, micro_batch: MicroBatch) -> Batch:
        """The samples of a smaller micro-batch."""
        rows = micro_batch.within(self.micro_batch)
        return Batch(
            self.indices[rows],
            {name: inputs[rows] for name, inputs in self.inputs.items()},
            {name: features[rows] for name, features in self.features.items()},
            micro_batch,
        )


@dataclass(frozen=True)
class Encoded:
    """What the encoders make of a batch: latents, and the posteriors they were drawn from (if any)."""

    latents: Mapping[str, Tensor]
    posteriors: Mapping[str, Posterior]


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
        """Its rate at ``step``, counted over all epochs."""
        ...

    def steps(self) -> int:
        """Steps of one epoch."""
        ...

    def batches(self, round_number: int) -> Iterator[Batch]:
        """The batches of one round."""
        ...

    def loss(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """The loss of one batch."""
        ...


def epochs_before(logged_epochs: Sequence[int], round_number: int) -> int:
    """Epochs of all rounds before ``round_number`` (from 0) of a plan."""
    return logged_epochs[round_number - 1] if round_number else 0


def epochs_of(logged_epochs: Sequence[int], round_number: int) -> int:
    """Epochs of the round ``round_number`` (from 0) of a plan.

    Examples
    --------
    >>> [epochs_of((10, 20, 25), number) for number in range(3)]
    [10, 10, 5]
    """
    return logged_epochs[round_number] - epochs_before(logged_epochs, round_number)


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
        """This process's share of each batch of one round."""
        ...

    def encode(self, batch: Batch, generator: torch.Generator) -> Encoded:
        """Latents of a batch."""
        ...

    def similarity_losses(self, latents: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Terms that compare the latents of all samples of a step with one another."""
        ...

    def reconstruction_losses(
        self, latents: Mapping[str, Tensor], batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Losses of what is decoded from ``latents``: means over the samples of ``batch``."""
        ...

    def divergence(self, posteriors: Mapping[str, Posterior]) -> dict[str, Tensor]:
        """Divergence from the unit normal under the name ``kl``: a mean over samples; or nothing."""
        ...

    def weight(self, term: str) -> float:
        """Weight of a term in the sum."""
        ...


def weighted_sum(plan: DivisiblePlan, parts: Mapping[str, Tensor]) -> Tensor:
    """The loss from its terms: a scalar.

    Adversarial terms add their gradients and no value: what one side wins the other loses, so that a sum with them
    would not fall in training.
    """
    weighted = {name: plan.weight(name) * part for name, part in parts.items()}
    terms = [part for name, part in weighted.items() if name != DIVERGENCE and not is_adversarial(name)]
    total = torch.stack(terms).sum()
    for name, part in weighted.items():
        if is_adversarial(name):
            total = total + (part - part.detach())
    return total + weighted[DIVERGENCE] if DIVERGENCE in parts else total


def loss_at_once(plan: DivisiblePlan, batch: Batch, generator: torch.Generator) -> LossTerms:
    """The loss of one whole batch."""
    encoded = plan.encode(batch, generator)
    parts = plan.similarity_losses(encoded.latents)
    parts |= plan.reconstruction_losses(encoded.latents, batch, generator)
    parts |= plan.divergence(encoded.posteriors)
    return LossTerms(weighted_sum(plan, parts), parts)
