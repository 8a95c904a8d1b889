"""CSV tables that are read again: what is no table of ours is named, not taken for numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairvae.errors import InputError
from pairvae.store.rows import read_table, write_table


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", [{"split": "all", "value": 0.25}, {"split": "train", "value": 1}])
    rows = read_table(tmp_path / "a.csv", ("split", "value"), ("value",), "make it again")
    assert rows == [{"split": "all", "value": "0.25"}, {"split": "train", "value": "1"}]


@pytest.mark.parametrize(
    ("text", "expected", "where"),
    [
        ("split,score\nall,1\n", "a column value", "a.csv"),
        ("", "a column split", "a.csv"),
        ("split,value\nall,1\ntrain,half\n", "a number in column value", "a.csv, line 3"),
        ("split,value\nall\n", "a number in column value", "a.csv, line 2"),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, text: str, expected: str, where: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match="make it again") as error:
        read_table(tmp_path / "a.csv", ("split", "value"), ("value",), "make it again")
    assert error.value.expected == expected
    assert str(error.value.where).endswith(where)
