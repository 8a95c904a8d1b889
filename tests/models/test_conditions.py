"""Conditions of samples as numbers, and the shift that they give."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from pairvae.errors import InputError
from pairvae.models.conditions import (
    CARD_KEY,
    FARTHEST,
    ConditionShift,
    fit_encoding,
    shift_of_card,
    shifts_of,
)

KNOWN: list[dict[str, float | str]] = [
    {"pitch_nm": 38.0, "blend": "A"},
    {"pitch_nm": 42.0, "blend": "B"},
    {"blend": "B"},
    {"blend": "B"},
]


def test_numbers_are_standardised_words_one_hot_and_what_is_unknown_is_0() -> None:
    encoding = fit_encoding(["pitch_nm", "blend"], KNOWN)
    assert encoding.names == ("pitch_nm", "blend") and encoding.width == 3
    np.testing.assert_allclose(encoding.encode(KNOWN).mean(0), 0, atol=1e-12)
    found = encoding.encode([{"pitch_nm": 42.0, "blend": "A"}, {}, {"blend": "new"}, {"pitch_nm": 1e6}])
    np.testing.assert_allclose(found, [[1, 0.75, -0.75], [0, 0, 0], [0, 0, 0], [FARTHEST, 0, 0]])
    with pytest.raises(InputError, match="condition pitch_nm: expected a finite number, found 'wide'"):
        encoding.encode([{"pitch_nm": "wide"}])
    with pytest.raises(InputError, match="the condition anneal_h, found conditions pitch_nm, blend"):
        fit_encoding(["anneal_h"], KNOWN)


def test_only_known_names_and_words_are_taken() -> None:
    encoding = fit_encoding(["pitch_nm", "blend", "batch"], [{**one, "batch": "7"} for one in KNOWN])
    encoding.require_known({"pitch_nm": -3.0, "blend": "A", "batch": 7.0})  # as a command line has a number
    assert encoding.encode([{"batch": 7.0}]).tolist() == encoding.encode([{"batch": "7"}]).tolist()
    assert [encoding.takes(*one) for one in (("pitch_nm", 3), ("blend", "A"), ("blend", "C"), ("h", 1))] == [
        True, True, False, False,
    ]  # fmt: skip
    for values, message in (
        ({"anneal_h": 1.0}, "conditions: expected conditions pitch_nm, blend, batch, found anneal_h"),
        ({"blend": "C"}, "condition blend: expected one of A, B, found 'C'"),
    ):
        with pytest.raises(InputError, match=message):
            encoding.require_known(values)


def test_a_card_keeps_the_shift() -> None:
    weight = np.random.default_rng(0).normal(size=(3, 2, 1, 1))
    shift = ConditionShift("saxs", fit_encoding(["pitch_nm", "blend"], KNOWN), weight)
    latent = {"channels": 2, "grid": 1}
    card = {"modalities": {"saxs": {"latent": latent}}, CARD_KEY: json.loads(json.dumps(shift.card()))}
    found = shifts_of(card, KNOWN, "saxs")
    assert found is not None and shifts_of(card, KNOWN, "sem") is shifts_of({}, KNOWN, "saxs") is None
    torch.testing.assert_close(found, shift.of(KNOWN), atol=1e-6, rtol=0)
    for change in ({"weight": [[0.0, 0.0]]}, {"weight": [[float("nan")] * 2] * 3}):
        with pytest.raises(ValueError, match="finite weights of shape"):
            shift_of_card(card | {CARD_KEY: card[CARD_KEY] | change})
