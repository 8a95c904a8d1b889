"""Curve files of every kind: what is read, what is said, what is refused; the real ones where they are at hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.modalities.readers.curve import read_curve
from real_files import real_file

Q = np.linspace(0.04, 0.4, 50)
POWER_LAW = Q**-2.0
COLUMNS = np.stack([Q, POWER_LAW, 0.1 * POWER_LAW], axis=1)
PDH = "\nSAXS BOX\n  50 0 0 0 0 0 0 0\n 0 2.6E+02 0 1.3E-05 1.5E-01\n 2.5E+01 1.5 0 0 0\n"
PDH_TAIL = (
    '<?xml version="1.0"?>\n<fileinfo>\n<column key="X">\n<value key="unit">n_m^-1</value>\n</column>\n'
)
NIST = "LABEL: x 1m\nMON CNT LAMBDA\n1e+08 6 25 1 0.5 0.2C 1\nThe 6 columns are | Q (1/A) | I(Q) (1/cm) | std. dev."
NIST += " I(Q) (1/cm) | sigmaQ | meanQ | ShadowFactor|\n"


def table(separator: str = " ", header: str = "", columns: int = 3, rows: np.ndarray = COLUMNS) -> str:
    wide = (
        np.hstack([rows, *[rows[:, 2:3]] * 3])[:, : max(columns, rows.shape[1])]
        if columns > 2
        else rows[:, :2]
    )
    return header + "".join(separator.join(f"{value:.9g}" for value in row) + "\n" for row in wide)


def quoted(text: str, separator: str = ",") -> str:
    return "".join('"' + line.replace(separator, f'"{separator}"') + '"\n' for line in text.splitlines())


def commas(text: str) -> str:
    return text.replace(".", ",")


@pytest.mark.parametrize(("text", "unit"), [
    (table(",", "q,I,error\n"), None),
    (table(","), None),
    (table(";", "sep=;\nq (1/nm);I;dI\n"), "1/nm"),
    (table("\t", "# sample 7\n# q I\n"), None),
    (table("   ", "Beamline 11-BM\nwavelength 0.1\nq  I  sigma\n"), None),
    (table(" ", columns=2), None),
    ("\ufeff" + table().replace("\n", "\r\n") + "\r\n# end\r\n", None),
    (table().replace("\n", "\r"), None),
    (table("\t", "q \u00c5-1\tI(q) cm-1\tSig cm-1\n"), "1/angstrom"),
    (table(header="# q_nm^-1  I  sigma\n"), "1/nm"),
    (table(header="Q [1/\u212b]   I   dI\n"), "1/angstrom"),
    (table(header="# q in inverse angstroms\n# two lines\n"), "1/angstrom"),
    (table() + "# q_unit: 1/nm\n", "1/nm"),
    (table() + "end of data\n3 points masked\n", None),
    (table("  ", PDH) + PDH_TAIL, "1/nm"),
    (table("  ", NIST, 6), "1/angstrom"),
    (commas(table(";", "#;q\tI\tsigma_I\n")), None),
    (commas(table("\t", "q (nm^-1)\tI\tdI\n")), "1/nm"),
    ('"q (1/A)","I","dI"\n' + quoted(table(",")), "1/angstrom"),
    ('"q (1/A)";"I";"dI"\n' + quoted(commas(table(";")), ";"), "1/angstrom"),
    (table(",").replace("\n", ",\n"), None),
    (table(" ", "50\n"), None),
    (table(header="1234 50 7\nq I e\n"), None),
    (table(columns=4, header="q I e x\n"), None),
    (table(header="a.tif\nQ (Inverse Nanometres)\nIntensity\n  50\n"), "1/nm"),
    (table().replace("e", "D"), None),
    (table(",", "2theta, q (1/A), I, err\n", 4, np.hstack([40 * COLUMNS[:, :1], COLUMNS])), "1/angstrom"),
])  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "cp1252"])
def test_text_of_every_kind(tmp_path: Path, text: str, unit: str | None, encoding: str) -> None:
    if encoding == "cp1252":
        text = text.replace("\u212b", "\u00c5").replace("\ufeff", "")
    (tmp_path / "a.csv").write_text(text, encoding=encoding, newline="")
    found = read_curve(tmp_path / "a.csv")
    assert (found.format, found.q_unit) == ("curve", unit)
    assert not found.warnings
    np.testing.assert_allclose(found.pixels[:, 0], Q, rtol=1e-8)
    np.testing.assert_allclose(found.pixels[:, 1], POWER_LAW, rtol=1e-8)
    error = found.pixels[:, 2]
    assert np.isnan(error).all() if text == table(columns=2) else np.allclose(error, 0.1 * POWER_LAW)


def test_columns_are_chosen_by_name_and_the_rest_is_told(tmp_path: Path) -> None:
    rows = np.stack([POWER_LAW, np.arange(50.0), Q, 0.1 * POWER_LAW, 0.01 * Q], axis=1)
    np.savetxt(tmp_path / "a.dat", rows, header="I [1/cm]; number; q [1/nm]; sigma; sigmaQ", delimiter=";")
    found = read_curve(tmp_path / "a.dat")
    np.testing.assert_allclose(found.pixels, COLUMNS)
    assert (found.q_unit, found.intensity_unit) == ("1/nm", "1/cm")
    assert found.notes == ("columns left out: number, sigmaQ",)


@pytest.mark.parametrize(
    "lie", [lambda a: a, lambda a: a.T, lambda a: a[::-1], lambda a: a.astype(np.float32)]
)
def test_npy_upright_on_its_side_and_descending(tmp_path: Path, lie: Callable[[Any], Any]) -> None:
    np.save(tmp_path / "a.npy", lie(COLUMNS[:, :2]))
    np.testing.assert_allclose(read_curve(tmp_path / "a.npy").pixels[:, 0], Q, rtol=1e-6)


@pytest.mark.parametrize(("text", "said"), [
    (table(",") + "0.5,nan,1\n", "1 of 51 points without a number left out"),
    (table(",") + "0.4,99,1\n", "1 of 51 points with a repeated q left out"),
    ("-0.1,3,1\n" + table(","), "1 of 51 points at negative q left out"),
    (table(rows=COLUMNS[20:]) + table(rows=COLUMNS[:20] * 1.0001), "q turns back 1 time: the points are sorted"),
    (table(rows=COLUMNS * [1, -1, 1]) + "0.5 7 1\n", "50 of 51 points with I of zero or below, from q 0.04 to 0.4"),
    (table() + "\nsecond\n" + table(columns=2), "read are lines 1 to 50; 50 rows of numbers elsewhere are not"),
    (table(rows=np.hstack([np.arange(50.0)[:, None], COLUMNS])), "the first column counts the points"),
    (table(rows=COLUMNS[:5]), "a curve of only 5 points"),
    (table(",").replace(",", ",,", 1), "read are lines 2 to 50; 1 row of numbers elsewhere is not"),
    (table(",", "q,first,second\n"), "the column first is taken as I"),
    (table(",", "q,I1,I2\n"), "columns left out: I2"),
    (table(",", "s,I,err\n"), "the column s is taken as q"),
])  # fmt: skip
def test_what_is_sorted_left_out_or_negative_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    found = read_curve(tmp_path / "a.csv")
    assert any(said in line for line in (*found.notes, *found.warnings))
    assert (np.diff(found.pixels[:, 0]) > 0).all()


SIDE = np.linspace(-0.1, 0.1, 20)
GRID = np.stack([*(axis.ravel() for axis in np.meshgrid(SIDE, SIDE)), np.ones(400)], axis=1)
BENT = (
    GRID + np.array([1e-4, 0, 0]) * np.arange(400)[:, None] % 7
)  # all values differ, as on a curved detector


@pytest.mark.parametrize(("text", "message"), [
    ("q,I\n0.1,2\nend of data\n", "expected at least 2 points with q and I, found 1"),
    ("q,I\n0.1,2\nbad line\n0.2,3\n", "expected numbers below the header, found 'bad line' - correct line 3"),
    ("0.1,2,3\n0.2,2\n0.3,2,3\n", "expected 3 columns in every line, found 2 in line 2"),
    ("0.1,2,3,4\n" * 9, "found one q in all 9 rows - check the separator"),
    ("only words\n", "expected columns of numbers q, I and error, found none"),
    ("0,1;2.5\n0,2;3.5\n", "expected one kind of decimal mark"),
    (table(header="C:\\a.tif: 2-theta\n2-Theta Angle (Degrees)\n\n   50\n", columns=2), "found 2-theta"),
    (table(header="# 2th_deg I\n", columns=2), "found 2-theta .* - export it against q, which is 4 pi sin"),
    (table(header="d-spacing;I;e\n"), "found a d-spacing"),
    (table(header="log(q)  I  e\n"), "found log q"),
    (table(header="r_mm I sigma\n"), "found a radius"),
    (table(header="q log(I) e\n"), "found a logarithm of the intensity"),
    (table(",", "q,q^2*I,e\n"), "found a product of I and a power of q"),
    (table(",", "q^2 (1/nm^2),ln I,e\n"), "found a power of q"),
    (table(",", "Time (s),Counts,e\n"), "found a time"),
    (table(header="a.tif: radial\nRadial Distance (mm)\nIntensity\n  50\n", columns=2), "found a radius"),
    ("0.03;1,234.5;1\n" + table(";"), "expected numbers in every line, found '0.03;1,234.5;1' - correct line 1"),
    (table(header="Data columns Qx - Qy - I(Qx,Qy) - err(I)\nASCII data\n", columns=4), "a 2D table of Qx, Qy"),
    (table(rows=GRID), "a 2D table: its first column starts anew 19 times, 50% is negative"),
    (table(rows=BENT, header="ASCII data \n\n"), "a 2D table: its first column starts anew"),
    (table(rows=np.abs(GRID)), "2D table or several curves: 400 rows with"),
    (table() * 4, "2D table or several curves: 200 rows with 50 values of q, which start anew 3 times"),
    (table(rows=COLUMNS - [0.2, 0, 0]), "negative q in .*% of the rows"),
    ("\0\1\2\3" * 30, "neither text nor a known format"),
])  # fmt: skip
def test_what_is_no_curve_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_curve(tmp_path / "a.csv")


def test_a_pickle_is_not_to_be_copied_again(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"q": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="never loaded - save a plain numeric array") as caught:
        read_curve(tmp_path / "a.npy")
    assert "copy the file" not in str(caught.value)


REAL_CURVES = {  # points, first q, last q, unit; or the words of the refusal
    "cansas1d.xml": (2, 0.02, 0.03, "1/angstrom"),
    "Anton-Paar.pdh": (673, 0.06604, 4.5017, "1/nm"),
    "jan08002.ABS": (127, 0.002618, 0.5828, "1/angstrom"),
    "33837rear_1D_1.75_16.5_NXcanSAS_v3.h5": (66, 0.00416, 0.61892, "1/angstrom"),
    "line-endings-cr.csv": (6, 1.0, 6.0, None),
    "encoding_ANSI.txt": (969, 0.000201634, 1.070181, "1/angstrom"),
    "decimal-comma.csv": (199, 0.00933, 0.157124, None),
    "nanoplate-A07.dat": (215, 0.00416, 0.150747, None),
    "esrf_saxs_1d.h5": (3467, 0.0032505, 0.86988, "1/nm"),
    "pattern_001.chi": "found 2-theta",
    "SILIC010_noheader_3col.DAT": "a 2D table",
    "P123_D2O_10_percent.dat": "a 2D table of Qx, Qy and I",
}


@pytest.mark.parametrize("name", REAL_CURVES)
def test_real_files(name: str) -> None:
    file = real_file(name)
    expected = REAL_CURVES[name]
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            read_curve(file)
        return
    found = read_curve(file)
    points, first, last, unit = expected
    assert (len(found.pixels), found.q_unit) == (points, unit)
    np.testing.assert_allclose(found.pixels[[0, -1], 0], [first, last], rtol=1e-4)
