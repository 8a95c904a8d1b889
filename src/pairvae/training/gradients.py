"""The gradient of one step: at once, or in micro-batches where memory is short or processes share the batch."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from pairvae.errors import InputError
from pairvae.training.devices import Device
from pairvae.training.distributed.batch_norm import has_batch_norms
from pairvae.training.distributed.micro_batches import NoiseOfWholeBatch
from pairvae.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from pairvae.training.protocol import DivisiblePlan, Plan, weighted_sum
from pairvae.training.rounds import Batch, LossTerms

# What torch says where it raises a plain RuntimeError: CPU allocators and cuBLAS.
LACKING = ("not enough memory", "allocate memory", "out of memory", "ALLOC_FAILED")
ADVICE = "lower its batch or the networks' widths, or close other programs; it resumes from its checkpoint"


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left.

    Parameters
    ----------
    error : BaseException
        Of torch or Python.

    Returns
    -------
    bool
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in LACKING)


@contextmanager
def memory_advice(label: str) -> Iterator[None]:
    """Context that turns an error for lack of memory into one with advice.

    Parameters
    ----------
    label : str
        The training's name in the message.

    Raises
    ------
    InputError
        Memory ran out, and nothing could be halved any more.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        message = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            expected="enough memory for a step", found=message[:160], where=label, remedy=ADVICE
        ) from error


@dataclass
class Gradients:
    """Computes the gradients of a plan's steps.

    Once memory has run out, a batch is still encoded as a whole, so that terms which compare its samples (Barlow Twins,
    SimCLR) see all of them, but decoded in micro-batches. Reconstruction losses are means over samples, so that the
    gradients of the micro-batches add up to that of the batch. With batch norms they would not, since a micro-batch has
    statistics of its own: such plans (the published decoders, pre-training) are refused with advice instead.

    Parameters
    ----------
    plan : Plan
        What is trained.
    device : Device
        Where, and in which precision.
    process_group : ProcessGroup
        The processes that share each batch.
    label : str
        The training's name in messages.
    micro_batch_size : int or None
        Samples that are decoded at a time; None until memory runs out.
    first_loss : float or None
        Loss of the first step, before any weight moved.
    """

    plan: Plan
    device: Device
    process_group: ProcessGroup = SINGLE_PROCESS
    label: str = "training"
    micro_batch_size: int | None = None
    first_loss: float | None = None

    def batches(self, round_number: int) -> Iterator[Batch]:
        """The batches of one round, or this process's shares of them.

        Parameters
        ----------
        round_number : int
            The round, from 0.

        Returns
        -------
        iterator of Batch
            In the order of the steps.
        """
        if self.process_group.is_single:
            return self.plan.batches(round_number)
        return self.divisible().shares(round_number, self.process_group)

    def divisible(self) -> DivisiblePlan:
        """The plan, as one whose steps can be divided.

        Returns
        -------
        DivisiblePlan
            :attr:`plan`.

        Raises
        ------
        InputError
            They cannot.
        """
        if not isinstance(self.plan, DivisiblePlan):
            raise InputError(
                expected="a training whose batches can be divided",
                found=type(self.plan).__name__,
                where=self.label,
                remedy=f"run it in one process; {ADVICE}",
            )
        return self.plan

    def __call__(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """Put the gradient of a step's loss into ``.grad``.

        Parameters
        ----------
        batch : Batch
            The whole batch, or this process's share of it.
        generator : torch.Generator
            Of sampled latents and noise.

        Returns
        -------
        LossTerms
            Of the whole batch, those of all processes; without gradients.
        """
        if self.process_group.is_single and self.micro_batch_size is None:
            state = generator.get_state()
            try:
                return self._at_once(batch, generator)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            self._halve(len(batch.micro_batch))
            generator.set_state(state)
        return self._divided(batch, generator)

    def _at_once(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        self.plan.module.zero_grad(set_to_none=True)
        with self.device.autocast():
            terms = self.plan.loss(batch, generator)
        terms.total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return LossTerms(terms.total.detach(), {name: part.detach() for name, part in terms.parts.items()})

    def _divided(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        plan, share = self.divisible(), batch.micro_batch
        plan.module.zero_grad(set_to_none=True)
        with NoiseOfWholeBatch(share), self.device.autocast():
            encoded = plan.encode(batch, generator)
            latents = {
                name: self.process_group.all_gather(latent.float(), share)
                for name, latent in encoded.latents.items()
            }
            similarity = plan.similarity_losses(latents)
            divergence = {
                name: share.fraction * loss for name, loss in plan.divergence(encoded.posteriors).items()
            }
        leaves = {name: latent.detach().requires_grad_() for name, latent in encoded.latents.items()}
        reconstruction = self._decode(leaves, batch, generator)
        self._backward_to_encoders(similarity | divergence, encoded.latents, leaves)
        similarity = {name: loss / self.process_group.size for name, loss in similarity.items()}
        terms = similarity | reconstruction | divergence
        return self._all_reduced({name: term.detach().clone() for name, term in terms.items()})

    def _decode(
        self, leaves: Mapping[str, Tensor], batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """This process's reconstruction losses, weighted by its share; gradients lie in decoders and ``leaves``."""
        state = generator.get_state()
        while True:
            try:
                size = self.micro_batch_size or len(batch.micro_batch)
                return self._decode_by(size, leaves, batch, generator, state)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            self._halve(len(batch.micro_batch))
            self.plan.module.zero_grad(set_to_none=True)
            for leaf in leaves.values():
                leaf.grad = None

    def _decode_by(
        self,
        size: int,
        leaves: Mapping[str, Tensor],
        batch: Batch,
        generator: torch.Generator,
        state: Tensor,
    ) -> dict[str, Tensor]:
        sums: dict[str, Tensor] = {}
        plan = self.divisible()
        for micro_batch in batch.micro_batch.split(size):
            generator.set_state(state)
            rows = micro_batch.within(batch.micro_batch)
            latents = {name: leaf[rows] for name, leaf in leaves.items()}
            with NoiseOfWholeBatch(micro_batch), self.device.autocast():
                losses = plan.reconstruction_losses(latents, batch.within(micro_batch), generator)
            if losses:
                scaled = {name: micro_batch.fraction * loss for name, loss in losses.items()}
                weighted_sum(plan, scaled).backward()  # type: ignore[no-untyped-call]  # untyped in torch
                sums = {name: sums.get(name, 0) + loss.detach() for name, loss in scaled.items()}
        return sums

    def _backward_to_encoders(
        self, terms: Mapping[str, Tensor], latents: Mapping[str, Tensor], leaves: Mapping[str, Tensor]
    ) -> None:
        """Gradients of the encoders: of their own terms, and of the reconstruction losses through the latents."""
        plan = self.divisible()
        roots: list[Tensor] = [plan.weight(name) * term for name, term in terms.items()]
        gradients: list[Tensor | None] = [None] * len(roots)
        for name, leaf in leaves.items():
            if leaf.grad is not None:
                roots.append(latents[name])
                gradients.append(leaf.grad)
        torch.autograd.backward(roots, gradients)

    def _all_reduced(self, terms: dict[str, Tensor]) -> LossTerms:
        gradients = [
            parameter.grad for parameter in self.plan.module.parameters() if parameter.grad is not None
        ]
        self.process_group.all_reduce([*gradients, *terms.values()])
        return LossTerms(weighted_sum(self.divisible(), terms), terms)

    def _halve(self, batch_size: int) -> None:
        """Decode half as many samples at a time from now on (``InputError`` where that is not possible)."""
        size, plan = self.micro_batch_size or batch_size, self.divisible()
        if size == 1 or has_batch_norms(plan.module):
            found = "not even for one sample" if size == 1 else f"too little for a batch of {batch_size}"
            because = "" if size == 1 else "its batch norms need the whole batch at once; "
            raise InputError(
                expected="enough memory for a step", found=found, where=self.label, remedy=because + ADVICE
            )
        self.micro_batch_size = (size + 1) // 2
        if self.device.torch_device.type == "cuda":
            torch.cuda.empty_cache()
        print(
            f"{self.label}: out of memory - from here on batches are decoded {self.micro_batch_size} samples at a "
            "time and gradients accumulated (the same loss)",
            file=sys.stderr,
        )
