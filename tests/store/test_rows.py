"""CSV tables that are read again: what is no table of ours is named, not taken for numbers."""

from pathlib import Path

import pytest

from pairvae.errors import InputError
from pairvae.store.rows import cell_text, plain_cell, read_table, write_table


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", [{"split": "all", "value": 0.25}, {"split": "train", "value": 1}])
    rows = read_table(tmp_path / "a.csv", ("split", "value"), ("value",), "make it again")
    assert rows == [{"split": "all", "value": "0.25"}, {"split": "train", "value": "1"}]


@pytest.mark.parametrize(("text", "expected", "where"), [
    ("split,score\nall,1\n", "a column value", "a.csv"),
    ("", "a column split", "a.csv"),
    ("split,value\nall,1\ntrain,half\n", "a number in column value", "a.csv, line 3"),
    ("split,value\nall\n", "a number in column value", "a.csv, line 2"),
])  # fmt: skip
def test_damaged_tables_are_named(tmp_path: Path, text: str, expected: str, where: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match="make it again") as error:
        read_table(tmp_path / "a.csv", ("split", "value"), ("value",), "make it again")
    assert error.value.expected == expected
    assert str(error.value.where).endswith(where)


@pytest.mark.parametrize(
    "text", ["=1+1", "+x", "-cmd|' /C calc'!A0", "@SUM(A1)", "'=x", "''@", "'-3", "\u6a23 é"]
)
def test_no_text_from_outside_is_a_formula_and_it_is_read_as_it_was(tmp_path: Path, text: str) -> None:
    write_table(tmp_path / "a.csv", [{"name": text, "value": -2.5}, {"name": "-2.5", "value": 1}])
    assert not str(plain_cell(text)).startswith(("=", "+", "-", "@"))
    rows = read_table(tmp_path / "a.csv", ("name", "value"), ("value",), "")
    assert rows == [{"name": text, "value": "-2.5"}, {"name": "-2.5", "value": "1"}]


def test_text_from_outside_stays_on_its_line(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", [{"name": "\t=1\r\n\x1b[31m\udcff"}])
    assert (
        (tmp_path / "a.csv").read_bytes()
        == rb"""name
\t=1\r\n\x1b[31m\udcff
"""
    )


@pytest.mark.parametrize("text", ["a=1", "'x", "", "-2.5", "+1e3", "x'=1"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert plain_cell(text) == text == cell_text(text)
