"""The gradient of one step: at once, or in parts where memory is short or several processes share the batch."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from pairvae.errors import InputError
from pairvae.training.batch_norm import has_batch_norms
from pairvae.training.devices import Device
from pairvae.training.parts import NoiseOfWhole
from pairvae.training.protocol import Batch, DivisiblePlan, LossTerms, Plan, weighted_sum
from pairvae.training.team import ALONE, Team

# What torch says where it raises a plain RuntimeError: CPU allocators and cuBLAS.
LACKING = ("not enough memory", "allocate memory", "out of memory", "ALLOC_FAILED")
ADVICE = "lower its batch or the networks' widths, or close other programs; it resumes from its checkpoint"


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in LACKING)


@contextmanager
def memory_advice(label: str) -> Iterator[None]:
    """``InputError`` with advice where memory runs out and nothing can be halved any more."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        found = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            expected="enough memory for a step", found=found[:160], where=label, remedy=ADVICE
        ) from error


@dataclass
class Gradients:
    """Computes the gradients of a plan's steps.

    ``micro`` is None until memory runs out. From then on a batch is encoded as a whole, so that terms which compare
    its samples (Barlow Twins, SimCLR) see all of them, and decoded ``micro`` samples at a time: misfits are means
    over samples, so their gradients add up to that of the whole batch. With batch norms they would not - a part has
    statistics of its own - so such plans (the published decoders, pre-training) are refused with advice instead.
    ``first_loss`` is that of the training's first step, before any weight moved.
    """

    plan: Plan
    device: Device
    team: Team = ALONE
    label: str = "training"
    micro: int | None = None
    first_loss: float | None = None

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch, or this process's shares of them."""
        return self.plan.batches(epoch) if self.team.alone else self.divided().shares(epoch, self.team)

    def divided(self) -> DivisiblePlan:
        """The plan, whose steps can be computed in parts (``InputError`` where they cannot)."""
        if not isinstance(self.plan, DivisiblePlan):
            raise InputError(
                expected="a training whose batches can be divided",
                found=type(self.plan).__name__,
                where=self.label,
                remedy=f"run it in one process; {ADVICE}",
            )
        return self.plan

    def __call__(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        """Put the gradient of the step's loss into ``.grad``; returns its terms, those of the whole team."""
        if self.team.alone and self.micro is None:
            state = generator.get_state()
            try:
                return self._at_once(batch, generator)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            self._halve(len(batch.part))
            generator.set_state(state)
        return self._in_parts(batch, generator)

    def _at_once(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        self.plan.module.zero_grad(set_to_none=True)
        with self.device.autocast():
            terms = self.plan.loss(batch, generator)
        terms.total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return LossTerms(terms.total.detach(), {name: part.detach() for name, part in terms.parts.items()})

    def _in_parts(self, batch: Batch, generator: torch.Generator) -> LossTerms:
        plan, own = self.divided(), batch.part
        plan.module.zero_grad(set_to_none=True)
        with NoiseOfWhole(own), self.device.autocast():
            encoded = plan.encode(batch, generator)
            whole = {name: self.team.gather(one.float(), own) for name, one in encoded.latents.items()}
            alike = plan.similarity_losses(whole)
            found = plan.divergence(encoded.posteriors)
            divergence = {name: own.share * part for name, part in found.items()}
        leaves = {name: one.detach().requires_grad_() for name, one in encoded.latents.items()}
        misfits = self._misfits(leaves, batch, generator)
        self._into_encoders(alike | divergence, encoded.latents, leaves)
        each = {name: part / self.team.size for name, part in alike.items()} | misfits | divergence
        return self._of_team({name: part.detach().clone() for name, part in each.items()})

    def _misfits(
        self, leaves: Mapping[str, Tensor], batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """This process's misfits, weighted by its share; their gradients lie in decoders and ``leaves``."""
        state = generator.get_state()
        while True:
            try:
                return self._misfits_by(self.micro or len(batch.part), leaves, batch, generator, state)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            self._halve(len(batch.part))
            self.plan.module.zero_grad(set_to_none=True)
            for leaf in leaves.values():
                leaf.grad = None

    def _misfits_by(
        self,
        size: int,
        leaves: Mapping[str, Tensor],
        batch: Batch,
        generator: torch.Generator,
        state: Tensor,
    ) -> dict[str, Tensor]:
        sums: dict[str, Tensor] = {}
        plan = self.divided()
        for part in batch.part.cut(size):
            generator.set_state(state)
            latents = {name: leaf[part.within(batch.part)] for name, leaf in leaves.items()}
            with NoiseOfWhole(part), self.device.autocast():
                found = plan.reconstruction_losses(latents, batch.within(part), generator)
            if found:
                scaled = {name: part.share * misfit for name, misfit in found.items()}
                weighted_sum(plan, scaled).backward()  # type: ignore[no-untyped-call]  # untyped in torch
                sums = {name: sums.get(name, 0) + misfit.detach() for name, misfit in scaled.items()}
        return sums

    def _into_encoders(
        self, terms: Mapping[str, Tensor], latents: Mapping[str, Tensor], leaves: Mapping[str, Tensor]
    ) -> None:
        """Gradients of the encoders: of terms of their own, and of the misfits by way of the latents."""
        plan = self.divided()
        roots: list[Tensor] = [plan.weight(name) * part for name, part in terms.items()]
        gradients: list[Tensor | None] = [None] * len(roots)
        for name, leaf in leaves.items():
            if leaf.grad is not None:
                roots.append(latents[name])
                gradients.append(leaf.grad)
        torch.autograd.backward(roots, gradients)

    def _of_team(self, parts: dict[str, Tensor]) -> LossTerms:
        gradients = [one.grad for one in self.plan.module.parameters() if one.grad is not None]
        self.team.add_up([*gradients, *parts.values()])
        return LossTerms(weighted_sum(self.divided(), parts), parts)

    def _halve(self, count: int) -> None:
        """Decode half as many samples at a time from now on (``InputError`` where that is not possible)."""
        size, plan = self.micro or count, self.divided()
        if size == 1 or has_batch_norms(plan.module):
            found = "not even for one sample" if size == 1 else f"too little for a batch of {count}"
            because = "" if size == 1 else "its batch norms need the whole batch at once; "
            raise InputError(
                expected="enough memory for a step", found=found, where=self.label, remedy=because + ADVICE
            )
        self.micro = (size + 1) // 2
        if self.device.torch_device.type == "cuda":
            torch.cuda.empty_cache()
        print(
            f"{self.label}: out of memory - from here on batches are decoded {self.micro} samples at a time and "
            "gradients accumulated (the same loss)",
            file=sys.stderr,
        )
