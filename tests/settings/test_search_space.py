"""The declared space of `pairvae tune`: what is accepted, what is told at load, and names of another pair."""

from pathlib import Path
from typing import Any

import pytest

from pairvae.errors import InputError
from pairvae.settings import load_settings, preset_values, resolve, with_values
from pairvae.settings.search_space import label, nested, renamed, searchable


def space(**entry: Any) -> dict[str, Any]:
    return {"tune": {"space": {"latent.channels": entry}}}


@pytest.mark.parametrize("preset", ["fast", "paper", "gpu"])
def test_every_preset_declares_a_space_that_its_settings_accept_and_contain(preset: str) -> None:
    from pairvae.commands.tune.space import start_values

    settings = resolve({"preset": preset})
    assert "latent.channels" in settings.tune.space
    assert start_values(settings)["latent.channels"] == settings.latent.channels


def test_a_declared_space_replaces_the_preset_s() -> None:
    assert list(resolve(space(low=2, high=8)).tune.space) == ["latent.channels"]


@pytest.mark.parametrize(("entry", "expected"), [
    ({"low": 3}, "expected choices, or low below high"),
    ({"low": 3, "high": 3}, "expected choices, or low below high"),
    ({"low": 1, "high": 3, "choices": [1]}, "expected either choices, or low and high"),
    ({"choices": []}, "at least 1 item"),
    ({"choices": [4, 4]}, "expected choices that all differ"),
    ({"low": 1, "high": 3, "log": True, "step": 1}, "no step where log is true"),
    ({"low": 0, "high": 3}, "key latent.channels: expected greater than or equal to 1, found 0"),
    ({"choices": ["many"]}, "key latent.channels: expected a valid integer, found 'many'"),
    ({"lo": 1, "high": 3}, "unknown key tune.space.latent.channels.lo"),
    ({"low": 1, "high": 3, "when": {"latent.grid": 1}}, "latent.grid before latent.channels"),
])  # fmt: skip
def test_a_faulty_entry_is_told_at_load(entry: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        resolve(space(**entry))


@pytest.mark.parametrize(
    "key", ["latent.chanels", "saxs.prepare.size", "split.train", "tune.held_out", "seed"]
)
def test_only_settings_of_networks_and_trainings_may_vary(key: str) -> None:
    assert not searchable(key) or key == "latent.chanels"
    with pytest.raises(InputError, match=f"expected a setting of a network.*found '{key}'"):
        resolve({"tune": {"space": {key: {"low": 1, "high": 2}}}})


def test_the_line_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("tune: {sampler: best}\n")
    with pytest.raises(InputError, match=r"params\.yaml, key tune\.sampler: expected 'tpe'"):
        load_settings(path)


def test_another_pair_takes_over_the_preset_s_space() -> None:
    settings = resolve({"modalities": ["iq", "sem"]})
    assert settings.tune.objectives[0].metric == "iq_sem.s2_mae"
    assert "pair.training.weights.sem_iq" in settings.tune.space
    assert not [key for key in settings.tune.space if "saxs" in key]


def test_the_same_names_change_nothing() -> None:
    tune = preset_values("fast")["tune"]
    assert renamed(tune, {"saxs": "saxs", "sem": "sem"}) == tune


def test_values_of_a_trial_change_the_settings_and_nothing_else() -> None:
    settings = resolve({})
    changed = with_values(settings, {"latent.channels": 9, "pair.training.weights.sem_saxs": 2.5}, "here")
    assert (changed.latent.channels, changed.pair.training.weights["sem_saxs"]) == (9, 2.5)
    assert changed.pair.training.weights["saxs_sem"] == settings.pair.training.weights["saxs_sem"]
    assert changed.sem == settings.sem


def test_dotted_keys_nest_and_lists_have_labels() -> None:
    assert nested({"a.b": 1, "a.c.d": 2}) == {"a": {"b": 1, "c": {"d": 2}}}
    assert label([8, 16]) == "[8, 16]"
    assert label("barlow") == "barlow"
