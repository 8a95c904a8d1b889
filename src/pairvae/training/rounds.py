"""What the rounds of a training are made of: epochs, and the batches, latents and losses of their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from torch import Tensor

from pairvae.models.posterior import Posterior
from pairvae.training.distributed.micro_batches import MicroBatch


@dataclass(frozen=True)
class LossTerms:
    """The loss of a batch.

    Parameters
    ----------
    total : Tensor
        The scalar that is minimised.
    parts : dict of Tensor
        The scalars that it is made of, by name and unweighted.
    """

    total: Tensor
    parts: dict[str, Tensor]


class Source(Protocol):
    """Training samples of one modality."""

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def inputs(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        """Prepared inputs of samples.

        Parameters
        ----------
        indices : ndarray
            ``(B,)``: the samples, in [0, len).
        round_number : int
            The round, from 0.
        draw : int
            The epoch of the round, from 0: with it crops change.

        Returns
        -------
        Tensor
            ``(B, ...)``.
        """
        ...

    def features(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        """Frozen features of the inputs that :meth:`inputs` gives.

        Parameters
        ----------
        indices, round_number, draw
            As of :meth:`inputs`.

        Returns
        -------
        Tensor
            ``(B, ...)``.
        """
        ...


@dataclass(frozen=True)
class Batch:
    """One step's samples, or a part of them.

    Parameters
    ----------
    indices : Tensor
        ``(B,)``: their numbers, in the source of the first modality.
    inputs, features : dict of Tensor
        Prepared inputs and their frozen features, ``(B, ...)`` by modality.
    share : MicroBatch, optional
        Which of the step's samples these are, where others have the rest.
    others : dict of Tensor
        Numbers in the sources of further modalities, where they differ.
    """

    indices: Tensor
    inputs: dict[str, Tensor]
    features: dict[str, Tensor]
    share: MicroBatch | None = None
    others: dict[str, Tensor] = field(default_factory=dict)

    def numbers(self, modality: str) -> Tensor:
        """Numbers ``(B,)`` of the samples in the source of one modality."""
        return self.others.get(modality, self.indices)

    @property
    def micro_batch(self) -> MicroBatch:
        """Which of the step's samples these are."""
        count = len(self.indices)
        return self.share or MicroBatch(0, count, count)

    def within(self, micro_batch: MicroBatch) -> Batch:
        """A part of these samples.

        Parameters
        ----------
        micro_batch : MicroBatch
            Which of the step's samples to keep; all of them are here.

        Returns
        -------
        Batch
            Views of them.
        """
        rows = micro_batch.within(self.micro_batch)
        return Batch(
            self.indices[rows],
            {name: inputs[rows] for name, inputs in self.inputs.items()},
            {name: features[rows] for name, features in self.features.items()},
            micro_batch,
            {name: numbers[rows] for name, numbers in self.others.items()},
        )


@dataclass(frozen=True)
class Encoded:
    """What the encoders make of a batch, by modality.

    Parameters
    ----------
    latents : mapping of str to Tensor
        ``(B, ...)`` each.
    posteriors : mapping of str to Posterior
        Those that the latents were drawn from; empty where none were.
    """

    latents: Mapping[str, Tensor]
    posteriors: Mapping[str, Posterior]


def epochs_before(logged_epochs: Sequence[int], round_number: int) -> int:
    """Epochs of all rounds before one.

    Parameters
    ----------
    logged_epochs : sequence of int
        The epochs, from 1, that end a round.
    round_number : int
        The round, from 0.

    Returns
    -------
    int
        0 for the first round.
    """
    return logged_epochs[round_number - 1] if round_number else 0


def epochs_of(logged_epochs: Sequence[int], round_number: int) -> int:
    """Epochs of one round.

    Parameters
    ----------
    logged_epochs : sequence of int
        The epochs, from 1, that end a round.
    round_number : int
        The round, from 0.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> [epochs_of((10, 20, 25), number) for number in range(3)]
    [10, 10, 5]
    """
    return logged_epochs[round_number] - epochs_before(logged_epochs, round_number)
