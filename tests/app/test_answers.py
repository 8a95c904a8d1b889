"""Responses as the page shows them."""

from __future__ import annotations

import numpy as np
import pytest

from pairvae.app.answers import as_json
from pairvae.inference.explanation import Explained


@pytest.mark.parametrize(("apart", "kinds"), [(1e-7, ["best"]), (0.1, ["best", "spread", *3 * ["sample"]])])
def test_samples_that_look_the_same_are_shown_once(apart: float, kinds: list[str]) -> None:
    best = np.full((3, 8, 8), 0.5)
    samples = np.stack([best, best + apart, best - apart])
    found = as_json(Explained("sem", "saxs", None, best, samples, samples.std(0).mean(0), None), "a.tif")
    assert [one["kind"] for one in found["pictures"]] == kinds
    same = ["All 3 samples are the same: this prediction has no spread."]
    assert found["notes"] == ([] if "spread" in kinds else same)
