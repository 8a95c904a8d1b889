from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pairvae.commands.explain import explain
from pairvae.commands.suggest import command
from pairvae.errors import InputError
from pairvae.inference.attribution import descriptors_of, randomised
from pairvae.inference.loader import load


def test_new_patterns_are_ranked_in_a_table_and_on_a_page_and_asked_for(
    tiny_pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_pair)
    wanted = command.wanted_of(2, "error=1,novelty=0.5,spread=0.1", None, None, 0.01)
    chosen = command.Choice(("data/raw/SAXS",), "models/train-pair", None, wanted)
    state = tmp_path / "campaign.json"
    told = command.suggest(chosen, tmp_path, state)
    rows = list(csv.DictReader(told.table.open()))
    assert [row["rank"] for row in rows] == ["1", "2", *[""] * (len(rows) - 2)]
    assert all(row["reason"] for row in rows[:2]) and {"novelty", "spread", "utility"} <= rows[0].keys()
    page = told.page.read_text()
    assert all(row["id"] in page for row in rows[:2]) and "http" not in page.replace("http://www.w3.org", "")
    asked = command.ask_and_tell(chosen, [], 1, state)
    micrograph = min(Path("data/raw/SEM").iterdir())
    command.ask_and_tell(chosen, [f"{asked[0]}={micrograph}"], None, state)
    assert asked[0] not in command.ask_and_tell(chosen, [], 3, state)
    with pytest.raises(InputError, match="ID=FILE"):
        command.ask_and_tell(chosen, ["film"], None, state)
    with pytest.raises(InputError, match="weights such as error=1"):
        command.wanted_of(2, "gain=1", None, None, 0.01)
    lone = command.Choice((), "models/train-pair", None, wanted)
    with pytest.raises(InputError, match="samples with SAXS pattern and without SEM image"):
        command.suggest(lone, tmp_path, state)


def test_predictions_both_ways_are_explained_and_change_with_the_weights(
    tiny_pair: Path, tmp_path: Path
) -> None:
    folder = tiny_pair / "data" / "raw"
    for name, to in (("SAXS", "sem"), ("SEM", "saxs")):
        file = min((folder / name).iterdir())
        out = tmp_path / to
        lines = explain(
            [str(file)],
            to=to,
            out=out,
            model=str(tiny_pair / "models" / "train-pair"),
            seed=0,
            check=name == "SAXS",
        )
        assert lines and all(str(file) in line for line in lines)
        rows = list(csv.DictReader((out / "explanations.csv").open()))
        shares = [float(row["share"]) for row in rows if row["descriptor"] == rows[0]["descriptor"]]
        assert sum(shares) == pytest.approx(1, abs=0.01) or not any(shares)
        assert len(list(out.glob("*-explained.png"))) == 1
    predictor = load(tiny_pair / "models" / "train-pair")
    array = predictor.prepare(min((folder / "SAXS").iterdir()), "saxs")[None]
    models = (predictor, randomised(predictor, 1))
    one, other = (descriptors_of(model, "saxs", "sem", 0)(array) for model in models)
    assert one.keys() == other.keys() and one["phase_fraction"] != other["phase_fraction"]
