"""Plans: which samples a step sees, and that the loss is the published sum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pairvae.models.build import build_vae
from pairvae.models.likelihoods import PIXEL_LIKELIHOODS
from pairvae.models.pair import PairVAE
from pairvae.numerics import losses
from pairvae.settings import CompactNetwork, LatentSettings, resolve
from pairvae.training.plans import PairPlan, SoloPlan
from tiny_plans import first_are_pairs

CPU = torch.device("cpu")
LATENT = LatentSettings(channels=3, grid=1)
NETWORK = CompactNetwork(architecture="compact", components=4, width=8, pool=1)
SHAPES = {"saxs": (3, 8, 8), "sem": (1, 8, 8)}
COUNT = 10


class Remembering:
    """A source that notes what it is asked for."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.arrays = torch.rand(COUNT, *shape, generator=torch.Generator().manual_seed(0))
        self.asked: list[tuple[list[int], int, int]] = []

    def __len__(self) -> int:
        return COUNT

    def inputs(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        self.asked.append((indices.tolist(), round_number, draw))
        return self.arrays[indices]

    def features(self, indices: np.ndarray, round_number: int, draw: int) -> Tensor:
        return self.arrays[indices].flatten(1)[:, :4]


def solo() -> tuple[SoloPlan, Remembering]:
    source = Remembering(SHAPES["saxs"])
    settings = resolve({}).saxs.training.model_copy(update={"batch": 4, "log_every": 2, "kl_weight": 0.01})
    vae = build_vae(NETWORK, LATENT, SHAPES["saxs"], seed=0)
    return SoloPlan("saxs", vae, source, PIXEL_LIKELIHOODS["mse"], settings, 7, CPU), source


def pair(**changes: object) -> PairPlan:
    vaes = {name: build_vae(NETWORK, LATENT, shape, seed=0) for name, shape in SHAPES.items()}
    values = resolve({"preset": "paper"}).pair.training.model_copy(update={"batch": 4, **changes})
    likelihoods = {"saxs": PIXEL_LIKELIHOODS["mse"], "sem": PIXEL_LIKELIHOODS["bernoulli"]}
    sources = {name: Remembering(shape) for name, shape in SHAPES.items()}
    return PairPlan(PairVAE(vaes), sources, likelihoods, values, 7, CPU)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_batches_carry_the_samples_of_their_numbers() -> None:
    plan, source = solo()
    found = list(plan.batches(5))
    assert len(found) == 2 * plan.steps() == 4, "two epochs, remainders dropped"
    for batch in found:
        assert torch.equal(batch.inputs["saxs"], source.arrays[batch.indices])
        assert torch.equal(batch.features["saxs"], source.arrays[batch.indices].flatten(1)[:, :4])
    assert [draw for _, _, draw in source.asked] == [0, 0, 1, 1], "a draw of crops is one epoch"
    assert {number for _, number, _ in source.asked} == {5}


def test_all_modalities_of_a_batch_are_the_same_samples() -> None:
    plan = pair()
    list(plan.batches(0))
    saxs, sem = (source for source in plan.sources.values())
    assert isinstance(saxs, Remembering)
    assert isinstance(sem, Remembering)
    assert saxs.asked == sem.asked
    assert len(saxs.asked) == plan.steps() == 2


def test_samples_without_a_partner_have_batches_of_their_own_and_two_terms() -> None:
    few = replace(pair(kl_weight=0.1, log_every=2), partners=first_are_pairs(6))  # of 10 samples each
    found = list(few.batches(3))
    assert len(found) == 2 * few.steps() == 6, "a batch of pairs and one of each modality in each epoch"
    assert few.smallest_batch == 4
    for batch in found:
        terms = few.loss(batch, seeded()).parts
        if len(batch.inputs) == 2:
            assert batch.indices.max() < 6 and {"similarity", "saxs_sem"} < set(terms)
        else:
            (name,) = batch.inputs
            assert batch.indices.min() >= 6 and set(terms) == {f"{name}_{name}", "kl"}
    drawn = [sorted(batch.indices.tolist()) for batch in found if list(batch.inputs) == ["saxs"]]
    assert drawn == [[6, 7, 8, 9]] * 2
    weights = {**few.settings.weights, "saxs_saxs": 0.0}
    unweighted = replace(few, settings=few.settings.model_copy(update={"weights": weights}))
    assert [list(batch.inputs) for batch in unweighted.batches(3)].count(["saxs"]) == 0


def test_solo_loss_is_reconstruction_loss_plus_weighted_divergence() -> None:
    plan, _ = solo()
    batch = next(plan.batches(0))
    terms = plan.loss(batch, seeded())
    torch.testing.assert_close(terms.total, terms.parts["saxs_saxs"] + 0.01 * terms.parts["kl"])
    quiet = replace(plan, settings=plan.settings.model_copy(update={"input_noise": 0.0}))
    posterior = plan.vae.posterior_of(batch.features["saxs"])
    expected = losses.kl_to_unit_normal(posterior.mean, posterior.std).mean()
    torch.testing.assert_close(quiet.loss(batch, seeded()).parts["kl"], expected)


def test_published_pair_loss_is_the_weighted_sum_of_five() -> None:
    plan = pair()
    terms = plan.loss(next(plan.batches(0)), seeded())
    weights = {"similarity": 5e-3, "saxs_saxs": 4e-2, "saxs_sem": 4e-1, "sem_sem": 4e-2, "sem_saxs": 1.0}
    assert set(terms.parts) == set(weights)
    expected = sum(weight * terms.parts[name].item() for name, weight in weights.items())
    assert terms.total.item() == pytest.approx(expected, rel=1e-5)


def test_direction_without_weight_is_not_computed() -> None:
    weights = {**resolve({}).pair.training.weights, "sem_saxs": 0.0}
    terms = pair(weights=weights).loss(next(pair().batches(0)), seeded())
    assert "sem_saxs" not in terms.parts


def test_divergence_enters_the_pair_only_with_a_weight() -> None:
    batch = next(pair().batches(0))
    without, with_it = (pair(kl_weight=weight).loss(batch, seeded()) for weight in (0.0, 0.1))
    assert "kl" not in without.parts
    torch.testing.assert_close(with_it.total, without.total + 0.1 * with_it.parts["kl"])


def test_similarity_is_the_chosen_one() -> None:
    first = torch.randn(6, 3, 2, 2, generator=seeded())
    second = first.flip(0)

    def found(**changes: object) -> Tensor:
        return pair(**changes).similarity_losses({"saxs": first, "sem": second})["similarity"]

    assert torch.equal(found(redundancy=0.5), losses.barlow_twins(first, second, 0.5))
    simclr = found(similarity="simclr", temperature=0.2)
    assert torch.equal(simclr, losses.simclr(first, second, 0.2))
    assert torch.equal(found(similarity="distance"), losses.latent_distance(first, second))


def test_all_four_networks_learn_from_the_pair() -> None:
    plan = pair()
    plan.loss(next(plan.batches(0)), seeded()).total.backward()
    for name, parameter in plan.module.named_parameters():
        assert parameter.grad is not None, name
