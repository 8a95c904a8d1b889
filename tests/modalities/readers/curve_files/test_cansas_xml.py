"""canSAS XML: points and units; no entities, no other XML."""

from pathlib import Path

import numpy as np
import pytest

from pairvae.errors import InputError
from pairvae.modalities.readers.curve import read_curve

POINT = '<Idata><Q unit="{unit}">{q}</Q><I unit="1/cm">{i}</I><Idev unit="1/cm">1</Idev>'
POINT += '<Qdev unit="1/A">2</Qdev></Idata>'


def document(points: int, unit: str = "1/A", sets: int = 1, namespace: str = ' xmlns="cansas1d/1.0"') -> str:
    rows = "\n".join(POINT.format(unit=unit, q=0.01 * (n + 1), i=100 - n) for n in range(points))
    data = f"<SASentry><Title>x</Title><SASdata><!-- a remark -->{rows}</SASdata></SASentry>" * sets
    return f'<?xml version="1.0"?>\n<SASroot version="1.0"{namespace}>{data}</SASroot>'


@pytest.mark.parametrize(("unit", "known"), [("1/A", "1/angstrom"), ("1/nm", "1/nm"), ("none", None)])
@pytest.mark.parametrize("namespace", ["", ' xmlns="cansas1d/1.0"', ' xmlns="urn:cansas1d:1.1"'])
def test_points_and_units(tmp_path: Path, unit: str, known: str | None, namespace: str) -> None:
    (tmp_path / "a.xml").write_text(document(12, unit, namespace=namespace))
    found = read_curve(tmp_path / "a.xml")
    np.testing.assert_allclose(found.pixels[:, 0], 0.01 * np.arange(1, 13))
    np.testing.assert_allclose(found.pixels[:, 2], 1)
    assert (found.q_unit, found.intensity_unit) == (known, "1/cm")
    assert found.notes == ("columns left out: Qdev",)
    assert found.warnings == ()


def test_further_sets_of_data_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(document(9, sets=2))
    assert read_curve(tmp_path / "a.xml").warnings == (
        "2 sets of data in the file, the first is read: give one curve a file",
    )


@pytest.mark.parametrize(("text", "message"), [
    (document(9).replace("<SASroot", '<!DOCTYPE x [<!ENTITY a SYSTEM "/etc/passwd">]>\n<SASroot', 1), "entities"),
    ('<?xml version="1.0"?>' + "<a>" * 1000, "far too many elements"),
    (document(9)[:-30], "expected whole canSAS XML"),
    ("<html><body>1 2 3</body></html>", "an XML file without canSAS Idata"),
    (document(9).replace(">0.02<", ">two<"), "expected numbers in Q, I and Idev"),
])  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_other_xml_is_refused(tmp_path: Path, text: str, message: str, encoding: str) -> None:
    (tmp_path / "a.xml").write_text(text, encoding=encoding)
    with pytest.raises(InputError, match=message):
        read_curve(tmp_path / "a.xml")
