"""The posterior of the modality without crops learns the mean and spread of the crops' posteriors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pairvae.models.build import build_vae
from pairvae.models.compact import DenseHead
from pairvae.models.likelihoods import PIXEL_LIKELIHOODS
from pairvae.models.pair import PairVAE
from pairvae.settings import CompactNetwork, LatentSettings, assignments, resolve
from pairvae.stages.training_inputs import without_crops
from pairvae.training.plans import MATCH, PairPlan

NETWORK = CompactNetwork(architecture="compact", components=2, width=8, pool=1)
SHAPE = (1, 4, 4)


class Samples:
    """Four samples that are given as they are."""

    def __len__(self) -> int:
        return 4

    def inputs(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        return torch.rand(len(indices), *SHAPE, generator=torch.Generator().manual_seed(draw))

    def features(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        return torch.randn(len(indices), 2, generator=torch.Generator().manual_seed(draw))


def plan(weight: float, uncropped: tuple[str, ...]) -> PairPlan:
    latent = LatentSettings(channels=2, grid=1)
    vaes = {name: build_vae(NETWORK, latent, SHAPE, seed=seed) for seed, name in enumerate(("saxs", "sem"))}
    for vae in vaes.values():
        vae.decoder.fit(torch.rand(8, *SHAPE, generator=torch.Generator().manual_seed(1)))
    settings = resolve(assignments([f"pair.training.match_weight={weight}", "pair.training.batch=4"]))
    likelihoods = dict.fromkeys(vaes, PIXEL_LIKELIHOODS["mse"])
    sources = {name: Samples() for name in vaes}
    return PairPlan(
        PairVAE(vaes), sources, likelihoods, settings.pair.training, 0, torch.device("cpu"), uncropped
    )


def loss_of(one: PairPlan) -> tuple[float, dict[str, float]]:
    (batch, *_) = one.batches(0)
    terms = one.loss(batch, torch.Generator().manual_seed(0))
    terms.total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return float(terms.total.detach()), {name: float(part.detach()) for name, part in terms.parts.items()}


def test_the_term_is_in_the_sum_with_its_weight() -> None:
    without, parts = loss_of(plan(0.0, ("saxs",)))
    assert MATCH not in parts
    total, parts = loss_of(plan(0.5, ("saxs",)))
    assert parts[MATCH] > 0
    assert total == pytest.approx(without + 0.5 * parts[MATCH], rel=1e-5)


def test_reconstruction_losses_do_not_shrink_the_posterior_without_crops() -> None:
    """Of the pattern's encoder, the output bias of the raw widths moves by the divergences alone."""

    def gradient(one: PairPlan) -> Tensor:
        (batch, *_) = one.batches(0)
        encoded = one.encode(batch, torch.Generator().manual_seed(0))
        parts = one.reconstruction_losses(encoded.latents, batch, torch.Generator().manual_seed(0))
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        head = one.pair.vae("saxs").encoder.dense
        assert isinstance(head, DenseHead)
        assert head.output.bias.grad is not None
        means, widths = head.output.bias.grad.chunk(2)
        assert means.abs().max() > 0
        return widths

    assert gradient(plan(0.5, ("saxs",))).abs().max() == 0
    assert gradient(plan(0.0, ("saxs",))).abs().max() > 0


def test_there_is_no_such_term_where_no_modality_has_crops() -> None:
    assert MATCH not in loss_of(plan(0.5, ()))[1]
    assert without_crops(("saxs", "iq")) == ()
    assert without_crops(("saxs", "sem")) == without_crops(("sem", "saxs")) == ("saxs",)
    assert without_crops(("iq", "saxs", "sem")) == ("iq", "saxs")
