"""Curve files of every kind, and what their preparation makes of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.modalities import MODALITIES
from pairvae.modalities.curves import read_curve
from pairvae.modalities.iq import IqPrepare, q_values
from pairvae.modalities.raw import RawImage

Q = np.linspace(0.04, 0.4, 50)
POWER_LAW = Q**-2.0
REAL = Path(os.environ.get("PAIRVAE_REAL_FILES", "nowhere"))


def settings(**changes: Any) -> IqPrepare:
    values = {
        "q_min": 0.05,
        "q_max": 0.3,
        "bins": 32,
        "grid": "log",
        "q_unit": "1/nm",
        "decades": 4.0,
        "colormap": "vge",
        "beam_centre": None,
    }
    return IqPrepare.model_validate(values | changes)


def table(separator: str, header: str = "", columns: int = 3) -> str:
    rows = np.stack([Q, POWER_LAW, 0.1 * POWER_LAW], axis=1)[:, :columns]
    return header + "".join(separator.join(f"{value:.9g}" for value in row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", table(",", "q,I,error\n")),
        ("a.csv", table(",")),
        ("a.csv", table(";", "sep=;\nq (1/nm);I;dI\n")),
        ("a.txt", table("\t", "# sample 7\n# q I\n")),
        ("a.dat", table("   ", "Beamline 11-BM\nwavelength 0.1\nq  I  sigma\n")),
        ("a.dat", table(" ", columns=2)),
        ("a.txt", "\ufeff" + table(" ").replace("\n", "\r\n") + "\r\n# end\r\n"),
    ],
)
def test_text_with_and_without_header(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    found = read_curve(tmp_path / name)
    assert found.format == "curve"
    np.testing.assert_allclose(found.pixels[:, 0], Q, rtol=1e-8)
    np.testing.assert_allclose(found.pixels[:, 1], POWER_LAW, rtol=1e-8)
    error = found.pixels[:, 2]
    assert np.isnan(error).all() if text == table(" ", columns=2) else np.allclose(error, 0.1 * POWER_LAW)


@pytest.mark.parametrize(
    "lie", [lambda a: a, lambda a: a.T, lambda a: a[::-1], lambda a: a.astype(np.float32)]
)
def test_npy_upright_on_its_side_and_descending(tmp_path: Path, lie: Callable[[Any], Any]) -> None:
    np.save(tmp_path / "a.npy", lie(np.stack([Q, POWER_LAW], axis=1)))
    np.testing.assert_allclose(read_curve(tmp_path / "a.npy").pixels[:, 0], Q, rtol=1e-6)


def test_hdf5_table_and_group(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/table"] = np.stack([Q, POWER_LAW, POWER_LAW], axis=1)
        file["entry/data/Q"], file["entry/data/I"] = Q, POWER_LAW[None]
        file["entry/data/Idev"] = 0.1 * POWER_LAW
        file["entry/other/x"] = Q
        file["entry/outside"] = h5py.ExternalLink("/etc/passwd", "/x")
    for inside in ("entry/table", "/entry/data"):
        found = read_curve(f"{tmp_path / 'a.h5'}::{inside}")
        np.testing.assert_allclose(found.pixels[:, 1], POWER_LAW)
        assert np.isfinite(found.pixels[:, 2]).all()
    for inside, message in (
        ("entry/other", "a group with the data sets q and I, found x"),
        ("entry/data/Q", "a table of two or three columns"),
        ("entry/nothing", "no such data set"),
        ("entry/outside", "data inside the file, found a link to /etc/passwd"),
    ):
        with pytest.raises(InputError, match=message):
            read_curve(f"{tmp_path / 'a.h5'}::{inside}")


def test_points_without_number_are_left_out_and_equal_q_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(table(",") + "0.5,nan,1\n0.4,99,1\n-0.1,3,1\n")
    assert len(read_curve(tmp_path / "a.csv").pixels) == len(Q)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q,I\n0.1,2\nend of data\n", "expected numbers below the header, found 'end of data' - mend line 3"),
        ("0.1,2,3\n0.2,2\n", "expected 3 columns in every line, found 2 in line 2"),
        ("0.1,2,3,4\n" * 9, "expected two or three columns: q, I, error, found 4 of 9 points"),
        ("q,I\n0.1,2\n0.2,3\n", "expected at least 8 points with q and I, found 2"),
        ("only words\n", "expected columns of numbers q, I and error, found none"),
    ],
)
def test_mistake_in_a_table_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_curve(tmp_path / "a.csv")


def test_power_law_is_a_straight_line_on_the_log_grid() -> None:
    raw = RawImage(np.stack([Q, POWER_LAW, POWER_LAW], axis=1), None, None, "curve", "x")
    array = MODALITIES["iq"].prepare(raw, settings())
    assert array.shape == (1, 1, 32)
    assert array[0, 0, 0] == 1.0, "the highest intensity on the grid"
    expected = 1 - 2 * np.log10(q_values(settings()) / 0.05) / 4
    np.testing.assert_allclose(array[0, 0], expected, atol=3e-3)


def test_unit_of_intensity_does_not_matter_and_that_of_q_does() -> None:
    columns = np.stack([Q, POWER_LAW, POWER_LAW], axis=1)
    first = MODALITIES["iq"].prepare(RawImage(columns, None, None, "curve", "x"), settings())
    scaled = RawImage(columns * [0.1, 1000.0, 1000.0], None, None, "curve", "x")
    np.testing.assert_allclose(
        MODALITIES["iq"].prepare(scaled, settings(q_unit="1/angstrom")), first, atol=1e-6
    )
    with pytest.raises(InputError, match=r"expected q from 0\.05 to 0\.3 1/nm, found 0\.004 to 0\.04"):
        MODALITIES["iq"].prepare(scaled, settings())


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


@pytest.mark.skipif(not REAL.is_dir(), reason="PAIRVAE_REAL_FILES names no folder")
def test_real_curve_is_read_and_prepared() -> None:
    raw = read_curve(f"{REAL / 'esrf_saxs_1d.h5'}::/entry_0000/saxsutilities/data")
    assert len(raw.pixels) > 3000
    array = MODALITIES["iq"].prepare(raw, settings(q_max=0.8))
    assert 0 <= array.min() < array.max() == 1
