"""Which samples of several techniques belong together, and the turns that every two of them take in training."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.models.build import build_vae
from pairvae.models.pair import PairVAE
from pairvae.training.shared_samples import partners_of
from tiny_plans import COMPACT, LATENT, pair_plan


def test_numbers_are_those_of_each_source() -> None:
    found = partners_of(
        {"saxs": [True, True, False], "iq": [True, False, True], "sem": [True, True, True]}, {"sem": 2}
    )
    both = {names: [numbers.tolist() for numbers in pair] for names, pair in found.together.items()}
    assert both == {
        ("saxs", "iq"): [[0], [0]],
        ("saxs", "sem"): [[0, 1], [0, 1]],
        ("iq", "sem"): [[0, 1], [0, 2]],
    }
    assert found.lone["sem"].tolist() == [3, 4]
    assert {name: numbers.tolist() for name, numbers in found.complete.items()} == {
        name: [0] for name in ("saxs", "iq", "sem")
    }


def test_a_technique_that_shares_no_sample_is_told() -> None:
    with pytest.raises(
        InputError, match="expected training samples with iq and another technique, found none"
    ):
        partners_of({"saxs": [True, False], "sem": [True, False], "iq": [False, True]}, {})


def test_every_two_techniques_take_turns_and_each_has_the_batches_of_a_pair() -> None:
    pair = pair_plan(batch=5, log_every=2)
    vae = build_vae(COMPACT, LATENT, (3, 8, 8), seed=3)
    sources = {**pair.sources, "iq": pair.sources["saxs"]}
    several = replace(pair, pair=PairVAE({**pair.vaes, "iq": vae}), sources=sources)
    assert (pair.steps(), several.steps()) == (2, 3)
    found = Counter(tuple(batch.inputs) for batch in several.batches(0))
    assert found == {("saxs", "sem"): 2, ("saxs", "iq"): 2, ("sem", "iq"): 2}
    (first, *_) = several.batches(0)
    assert np.array_equal(first.numbers("sem"), first.indices)
