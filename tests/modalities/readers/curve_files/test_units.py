"""Spellings of units."""

import pytest

from pairvae.modalities.readers.curve_files.units import intensity_unit_of, q_unit_in, q_unit_of


@pytest.mark.parametrize(
    ("unit", "spellings"),
    [
        (
            "1/angstrom",
            "1/A|A^-1|A-1|q (1/\u00c5)|Q [\u212b^{-1}]|\u00c5\u207b\u00b9|q (\u00c5\u22121)|inverse angstroms"
            "|1/angstrom|1/Ang|ANG-1|reciprocal Angstrom|$\\AA^{-1}$"
            "|q [$\\mathrm{\\AA^{-1}}$]|q_A^-1|A**(-1)|rad/A|\u00c3\u2026-1",
        ),
        (
            "1/nm",
            "1/nm|nm^-1|nm-1|q_nm^-1|q (nm^{-1})|nm\u207b\u00b9|inverse nanometres|inv_nm|n_m^-1|q / nm-1|q/nm"
            "|q [/nm]|per nm|1.0/nm|nanometers^-1",
        ),
        ("1/um", "1/um|\u00b5m^-1|\u03bcm-1"),
        ("1/m", "1/m|m^-1|m-1"),
        (None, "q|q (1/cm)|cm^-1|nm|A|counts|2theta|amount-1|mm^-1|A-12|steradian^-1"),
    ],
)
def test_unit_of_q(unit: str | None, spellings: str) -> None:
    assert {spelling: q_unit_of(spelling) for spelling in spellings.split("|")} == dict.fromkeys(
        spellings.split("|"), unit
    )


@pytest.mark.parametrize(("lines", "unit"), [
    (["units: 1/nm"], "1/nm"),
    (['"q_unit": "1/A",'], "1/angstrom"),
    (["sample A-1", "I in 1/cm"], None),
    (["q  I [1/m]"], None),
    (["q range in nm^-1", "wavelength 1.54 A"], "1/nm"),
    (["units 1/nm or 1/A"], None),
    (["Q (A-1), made from 1/nm"], "1/angstrom"),
])  # fmt: skip
def test_unit_in_lines_of_a_header(lines: list[str], unit: str | None) -> None:
    assert q_unit_in(lines) == unit


def test_unit_of_intensity() -> None:
    assert [intensity_unit_of(text) for text in ("I(q) cm-1", "[1/cm]", "cm\u207b\u00b9", "counts", "1/cm2")] == [
        "1/cm", "1/cm", "1/cm", None, "1/cm",
    ]  # fmt: skip
