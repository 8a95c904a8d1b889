"""What the preparation makes of curves: units, noise, averages of patterns, and the way back to I(q)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.iq import IqPrepare, describe, exported, q_values, summary
from pairvae.modalities.readers.raw_image import RawImage

Q = np.linspace(0.04, 0.4, 50)
POWER_LAW = Q**-2.0
CURVE = RawImage(np.stack([Q, POWER_LAW, POWER_LAW], axis=1), None, None, "curve", "x")


def settings(**changes: Any) -> IqPrepare:
    values = {
        "q_min": 0.05, "q_max": 0.3, "bins": 32, "grid": "log", "q_unit": "1/nm", "decades": 4.0, "colormap": "vge",
        "beam_centre": None,
    }  # fmt: skip
    return IqPrepare.model_validate(values | changes)


def test_power_law_is_a_straight_line_on_the_log_grid() -> None:
    array = MODALITIES["iq"].prepare(CURVE, settings())
    assert array.shape == (1, 1, 32)
    assert array[0, 0, 0] == 1.0, "the highest intensity on the grid"
    expected = 1 - 2 * np.log10(q_values(settings()) / 0.05) / 4
    np.testing.assert_allclose(array[0, 0], expected, atol=3e-3)


def test_unit_of_intensity_does_not_matter_and_that_of_q_does() -> None:
    first = MODALITIES["iq"].prepare(CURVE, settings())
    scaled = replace(CURVE, pixels=CURVE.pixels * [0.1, 1000.0, 1000.0])
    np.testing.assert_allclose(
        MODALITIES["iq"].prepare(scaled, settings(q_unit="1/angstrom")), first, atol=1e-6
    )
    with pytest.raises(InputError, match=r"expected q from 0\.05 to 0\.3 1/nm, found 0\.004 to 0\.04"):
        MODALITIES["iq"].prepare(scaled, settings())


@pytest.mark.parametrize("setting", [None, "1/nm", "1/angstrom"])
def test_the_unit_in_the_file_comes_before_the_setting(setting: str | None) -> None:
    scaled = replace(CURVE, pixels=CURVE.pixels * [0.1, 1, 1], q_unit="1/angstrom")
    wanted = settings(q_unit=setting)
    np.testing.assert_allclose(
        MODALITIES["iq"].prepare(scaled, wanted), MODALITIES["iq"].prepare(CURVE, settings()), atol=1e-6
    )
    record = describe(scaled, wanted)
    assert record["q_range_inv_nm"] == pytest.approx([0.04, 0.4])
    said = ["q is in 1/angstrom, as the file says, not in the 1/nm of iq.prepare.q_unit"]
    assert record["warnings"] == (said if setting == "1/nm" else [])


@pytest.mark.parametrize(("factor", "unit", "said"), [
    (1, None, ["the file names no unit of q: 1/nm is taken - set iq.prepare.q_unit to 1/nm or 1/angstrom"]),
    (1, "1/nm", []),
    (0.4, "1/nm", ["q ends at 0.16, which fits 1/angstrom better than 1/nm"]),
    (1, "1/angstrom", []),
    (10, "1/angstrom", ["q ends at 4, which fits 1/nm better than 1/angstrom"]),
])  # fmt: skip
def test_a_unit_that_nobody_names_or_that_does_not_fit_is_said(
    factor: float, unit: str | None, said: list[str]
) -> None:
    raw = replace(CURVE, pixels=CURVE.pixels * [factor, 1, 1])
    assert describe(raw, settings(q_unit=unit))["warnings"] == said


def test_a_noisy_tail_is_not_lifted() -> None:
    q = np.linspace(0.04, 0.4, 600)
    true = 1 / (1 + (q / 0.06) ** 8) + 1e-4
    tail = q_values(settings(grid="linear")) > 0.2
    bias = []
    for seed in range(20):
        noisy = true + np.random.default_rng(seed).normal(scale=4e-4, size=len(q))
        raw = replace(CURVE, pixels=np.stack([q, noisy, noisy], axis=1))
        array = MODALITIES["iq"].prepare(raw, settings(grid="linear", decades=6.0))[0, 0]
        clean = MODALITIES["iq"].prepare(
            replace(raw, pixels=np.stack([q, true, true], axis=1)), settings(grid="linear", decades=6.0)
        )[0, 0]
        bias.append(6 * float(np.mean((array - clean)[tail])))
    assert abs(np.mean(bias)) < 0.2, "decades; dropping the points below zero lifts it by 0.4"


def test_counts_of_a_detector_are_averaged_without_their_gaps() -> None:
    row, column = np.mgrid[:101, :101]
    radius = np.hypot(row - 50, column - 50)
    counts = np.round(1e4 / (1 + radius)).astype(np.uint16)
    gapped = counts.copy()
    gapped[:, 60:64] = 65535
    arrays = [
        MODALITIES["iq"].prepare(RawImage(pixels, None, None, "cbf", "x", q_per_px=0.01), settings())
        for pixels in (counts, gapped)
    ]
    np.testing.assert_allclose(arrays[0], arrays[1], atol=0.01)
    expected = np.log10((1 + 5) / (1 + q_values(settings()) / 0.01)) / 4 + 1
    np.testing.assert_allclose(arrays[0][0, 0], expected, atol=0.01)


def test_an_exported_curve_has_the_intensities_of_the_training_files() -> None:
    raw = replace(CURVE, pixels=CURVE.pixels * [1, 7, 7], intensity_unit="1/cm")
    known = summary([describe(raw, settings())] * 3)
    columns = exported(MODALITIES["iq"].prepare(raw, settings())[0, 0], settings(), known)
    assert list(columns) == ["q (1/nm)", "I (1/cm)"]
    q, intensity = columns.values()
    np.testing.assert_allclose(intensity, 7 * np.interp(q, Q, POWER_LAW), rtol=0.02)
    assert list(exported(np.ones(32), settings(), summary([{"levels": True}]))) == [
        "q (1/nm)",
        "relative level",
    ]
    older = exported(MODALITIES["iq"].prepare(raw, settings())[0, 0], settings(), {})
    np.testing.assert_allclose(older["I / I_max"], intensity / intensity.max(), rtol=1e-4)
