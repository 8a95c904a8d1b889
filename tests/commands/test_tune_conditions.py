"""What trials of `pairvae tune` know besides their pairs: conditions of samples, and samples without a partner."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from known_conditions import with_conditions
from pairvae.commands.tune.trial import scorer, trial_project, tuning_data
from pairvae.data.pairs.manifest import read_pairs, write_pairs
from pairvae.data.simulate.simulated_folder import simulate
from pairvae.inference.card import load_vaes
from pairvae.settings.simulation import SimulationParameters
from pairvae.store import read_json, write_json
from tiny_project import tiny_project

SMALL = SimulationParameters(sem_rows=208, sem_columns=240, saxs_px=128, saxs_window_nm=600)


def test_conditions_of_held_out_pairs_move_the_scores_from_their_patterns(
    tiny_pair: Path, tmp_path: Path
) -> None:
    project = tiny_project(tmp_path / "project")
    file = project.prepared_folder / "card.json"
    card = read_json(file)
    pairs = [{**pair, "conditions": {"pitch_nm": 43.0, "blend": "A"}} for pair in card["pairs"]]
    write_json(file, card | {"pairs": pairs})
    trial = trial_project(project, tuning_data(project), tmp_path / "trial", {})
    assert all(pair.conditions == {"pitch_nm": 43.0, "blend": "A"} for pair in trial.prepared().pairs)
    vaes, known = load_vaes(with_conditions(tiny_pair / "models" / "train-pair", tmp_path / "model"))
    score = scorer(trial)
    plain, moved = score(vaes, {}), score(vaes, known)
    changed = {name.partition("_")[0] for name in plain if plain[name] != moved[name]}
    assert changed == {"saxs"} and plain.keys() == moved.keys()


def test_samples_without_a_partner_are_in_the_data_of_trials(tmp_path: Path) -> None:
    simulate(tmp_path / "mine", pairs=10, seed=0, parameters=SMALL, workers=1)
    pairs = read_pairs(tmp_path / "mine")
    lone = [dataclasses.replace(pair, sem=None) for pair in pairs[8:]]
    write_pairs(tmp_path / "mine" / "pairs.csv", [*pairs[:8], *lone])
    project = tiny_project(tmp_path / "project", f"data.source={tmp_path / 'mine'}", "data.unpaired=use")
    trial = trial_project(project, tuning_data(project), tmp_path / "trial", {})
    whole, found = project.prepared().unpaired("saxs"), trial.prepared().unpaired("saxs")
    assert whole is not None and found is not None
    np.testing.assert_array_equal(found.whole("saxs"), whole.whole("saxs"))
    assert trial.prepared().unpaired("sem") is None
