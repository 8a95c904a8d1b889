"""The journal of a study survives a full disk and a kill at its start; other damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pairvae.commands.tune.coordinator import DECLARED, _ready
from pairvae.commands.tune.optuna_study import Place, choose_name, clear_lives, mend_journal, open_study
from pairvae.errors import InputError
from pairvae.settings import resolve
from pairvae.store.locks import locked

SETTINGS = resolve(
    {"tune": {"space": {"pair.training.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}}}}
)
START = {"pair.training.learning_rate": 0.001}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, "t", None)


def test_a_torn_line_is_cut_off_before_another_is_written_behind_it(place: Place) -> None:
    study = open_study(place, SETTINGS.tune, new=True)
    study.enqueue_trial(START)
    whole = place.journal.read_bytes()
    place.journal.write_bytes(whole + b'{"op_code": 4, "worker_i')
    mend_journal(place)
    assert place.journal.read_bytes() == whole
    open_study(place, SETTINGS.tune, new=False).enqueue_trial(START)
    assert [json.loads(line) for line in place.journal.read_text().splitlines()]
    assert len(open_study(place, SETTINGS.tune, new=False).get_trials()) == 2


def test_a_damaged_line_is_named(place: Place) -> None:
    open_study(place, SETTINGS.tune, new=True).enqueue_trial(START)
    lines = place.journal.read_bytes().splitlines(keepends=True)
    place.journal.write_bytes(b"".join([lines[0], b"\xff{\x00\n", *lines[1:]]))
    with pytest.raises(InputError, match=r"t\.log: expected a journal of trials, found a damaged line 2"):
        mend_journal(place)


def test_a_study_that_was_killed_before_it_was_there_is_begun_anew(place: Place) -> None:
    place.home.mkdir(parents=True)
    place.journal.touch()
    assert choose_name(place.root, None, "t", existing=False) == "t"
    with pytest.raises(InputError, match="expected a study, found 't'"):
        choose_name(place.root, None, "t", existing=True)


@pytest.mark.parametrize("declared", [False, True])
def test_a_study_that_was_killed_before_its_first_trial_gets_it_when_it_goes_on(
    place: Place, declared: bool
) -> None:
    study = open_study(place, SETTINGS.tune, new=True)
    other = Place(place.root, "other", None)
    whole = _ready(other, SETTINGS, place.root / "data", START, new=True)
    if declared:
        study.set_user_attr(DECLARED, whole.user_attrs[DECLARED])
    study = _ready(place, SETTINGS, place.root / "data", START, new=False)
    assert study.user_attrs[DECLARED] == whole.user_attrs[DECLARED]
    assert [trial.system_attrs["fixed_params"] for trial in study.get_trials()] == [START]


def test_locks_of_killed_workers_go_and_those_of_living_ones_stay(place: Place) -> None:
    place.folder.mkdir(parents=True)
    place.life("here:1").touch()
    with locked(place.life("here:2")):
        clear_lives(place)
        assert [path.name for path in place.folder.iterdir()] == ["here-2.alive"]


def test_a_name_that_another_process_took_meanwhile_is_told(place: Place) -> None:
    open_study(place, SETTINGS.tune, new=True)
    with pytest.raises(InputError, match="expected a new name, found study t"):
        open_study(place, SETTINGS.tune, new=True)


def test_what_a_kill_leaves_of_the_journal_s_lock_is_removed(place: Place) -> None:
    open_study(place, SETTINGS.tune, new=True)
    left = place.journal.with_name(f"{place.journal.name}.lock330c8c79.rename")
    left.symlink_to(place.journal)
    other = place.journal.with_name("other.log.lock1.rename")
    other.symlink_to(place.journal)
    clear_lives(place)
    assert not left.is_symlink()
    assert other.is_symlink(), "that of another study"
    assert place.journal.is_file()
