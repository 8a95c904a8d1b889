"""The code that a registered pair brings along, beside what pairvae itself computes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from known_conditions import ENCODING, with_conditions
from pairvae.models.conditions import ConditionShift
from pairvae.tracking.registry.served import FARTHEST, Conditions

WEIGHT = np.random.default_rng(0).normal(size=(ENCODING.width, 2, 3, 3))
SHIFT = ConditionShift("saxs", ENCODING, WEIGHT)


@pytest.fixture(scope="module")
def served() -> Conditions:
    return Conditions(json.loads(json.dumps(SHIFT.card())))


def test_shifts_are_those_of_pairvae_and_what_is_unknown_moves_nothing(served: Conditions) -> None:
    samples = [{"pitch_nm": 43.0, "blend": "A"}, {"blend": "B"}, {"pitch_nm": 1e9}, {}]
    told = served.read(json.dumps(samples), 4)
    assert told == samples and FARTHEST == 3.0
    torch.testing.assert_close(served.shifts(told).reshape(4, 2, 3, 3), SHIFT.of(samples), atol=1e-6, rtol=0)
    assert not served.shifts(told)[3].any()
    assert served.read('{"pitch_nm": null, "blend": "A"}', 2) == [{"blend": "A"}] * 2  # one for all inputs
    assert served.read(" ", 2) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pitch_nm=40", "conditions: expected JSON, an object or a list of objects"),
        ("3", "conditions: expected JSON, an object or a list of objects"),
        ("[3, 4]", "conditions: expected JSON, an object or a list of objects"),
        ("[{}]", "conditions: expected one object, or 2, found 1"),
        ('{"anneal_h": 3}', "conditions: expected some of pitch_nm, blend, found anneal_h"),
        ('{"pitch_nm": "wide"}', "condition pitch_nm: expected a finite number, found 'wide'"),
        ('{"pitch_nm": NaN}', "condition pitch_nm: expected a finite number, found 'nan'"),
        ('{"pitch_nm": true}', "condition pitch_nm: expected a finite number, found 'True'"),
        ('{"blend": "C"}', "condition blend: expected one of A, B, found 'C'"),
        ('{"blend": ["A"]}', "condition blend: expected one of A, B, found"),
    ],
)
def test_wrong_conditions_are_one_line(served: Conditions, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as refused:
        served.read(text, 2)
    assert "\n" not in str(refused.value)


def test_a_model_without_conditions_takes_none() -> None:
    plain = Conditions(None)
    assert plain.read("", 3) == [] and plain.read("{}", 3) == [{}] * 3
    with pytest.raises(ValueError, match="expected none, since the model has none, found pitch_nm"):
        plain.read('{"pitch_nm": 40}', 3)


def test_the_card_of_a_model_folder_is_understood(tiny_pair: Path, tmp_path: Path) -> None:
    folder = with_conditions(tiny_pair / "models" / "train-pair", tmp_path / "model")
    known = Conditions(json.loads((folder / "card.json").read_text("utf-8"))["conditions"])
    assert known.modality == "saxs" and known.shifts([{"pitch_nm": 42.0}]).eq(0.5).all()
