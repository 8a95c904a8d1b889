"""How far latents tell conditions: known answers."""

from __future__ import annotations

import numpy as np
import pytest

from pairvae.evaluation.conditions import LEAST, condition_correlations, condition_metrics


def test_what_the_latents_hold_is_found_and_noise_is_not() -> None:
    draw = np.random.default_rng(0)
    latents = {"saxs": draw.normal(size=(60, 4)), "sem": draw.normal(size=(60, 4))}
    pitch = 40 + 2 * latents["saxs"][:, 0]
    told = [
        {"pitch_nm": float(value), "blend": "A" if latents["sem"][row, 1] > 0 else "B", "fixed": 1.0}
        for row, value in enumerate(pitch)
    ]
    del told[3]["pitch_nm"]
    found = condition_correlations(
        latents, [*told[:-1], {**told[-1], "rare": 3.0}], [str(n) for n in range(60)]
    )
    assert set(found) == {"pitch_nm", "blend.A", "blend.B"}, (
        "what never varies, or is rarely known, is left out"
    )
    assert found["pitch_nm"]["n"] == 59
    assert found["pitch_nm"]["saxs"] > 0.99 and found["pitch_nm"]["sem"] < 0.1
    assert (
        found["blend.A"]["sem"] == pytest.approx(found["blend.B"]["sem"], abs=1e-6)
        and found["blend.A"]["sem"] > 0.4
    )
    assert condition_metrics({"conditions": {"blend.a=b": {"n": 9.0}}}) == {"condition.blend.a_b.n": 9.0}
    few = condition_correlations(
        latents, [*told[: LEAST - 1], *[{}] * (61 - LEAST)], [str(n) for n in range(60)]
    )
    assert few == {}
