"""Ids, labels and names of files from outside: the same when read back, and harmless where they are shown."""

import csv
from pathlib import Path

import pytest

from pairvae.data.pairs.pairs_table import read_table, write_pairs
from pairvae.data.pairs.sample import Pair


@pytest.mark.parametrize("name", ["=1+1", "+1", "-a", "@a", "-1", "a=1"])
def test_ids_and_labels_are_no_formulas_and_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    pairs = [
        Pair(
            name,
            tmp_path / "SAXS" / f"{name}.png",
            tmp_path / "SEM" / f"{name}.png",
            f"{name}(A)",
            group=name,
        )
    ]
    write_pairs(tmp_path / "pairs.csv", pairs)
    with (tmp_path / "pairs.csv").open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@")) and not cell[1:].isdecimal() for cell in cells)
    table = read_table(tmp_path / "pairs.csv")
    assert (table.pairs, table.faults) == (pairs, [])


def test_a_table_that_somebody_typed_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("id,saxs,sem,morphology\n=1+1,a.png,b.png,'quoted'\n")
    table = read_table(tmp_path / "pairs.csv")
    (pair,) = table.pairs
    assert (pair.id, pair.morphology, table.faults) == ("=1+1", "'quoted'", [])
