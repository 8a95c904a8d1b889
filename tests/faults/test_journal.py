"""The journal of a study survives a full disk and a kill at its start; other damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pairvae.commands.tune.coordinator import DECLARED, _ready
from pairvae.commands.tune.optuna_study import (
    StudyLocation,
    choose_name,
    clear_lives,
    mend_journal,
    open_study,
)
from pairvae.errors import InputError
from pairvae.settings import resolve
from pairvae.store.locks import locked

SETTINGS = resolve(
    {"tune": {"space": {"pair.training.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}}}}
)
START = {"pair.training.learning_rate": 0.001}


@pytest.fixture
def location(tmp_path: Path) -> StudyLocation:
    return StudyLocation(tmp_path, "t", None)


def test_a_torn_line_is_cut_off_before_another_is_written_behind_it(location: StudyLocation) -> None:
    study = open_study(location, SETTINGS.tune, new=True)
    study.enqueue_trial(START)
    whole = location.journal.read_bytes()
    location.journal.write_bytes(whole + b'{"op_code": 4, "worker_i')
    mend_journal(location)
    assert location.journal.read_bytes() == whole
    open_study(location, SETTINGS.tune, new=False).enqueue_trial(START)
    assert [json.loads(line) for line in location.journal.read_text().splitlines()]
    assert len(open_study(location, SETTINGS.tune, new=False).get_trials()) == 2


def test_a_damaged_line_is_named(location: StudyLocation) -> None:
    open_study(location, SETTINGS.tune, new=True).enqueue_trial(START)
    lines = location.journal.read_bytes().splitlines(keepends=True)
    location.journal.write_bytes(b"".join([lines[0], b"\xff{\x00\n", *lines[1:]]))
    with pytest.raises(InputError, match=r"t\.log: expected a journal of trials, found a damaged line 2"):
        mend_journal(location)


def test_a_study_that_was_killed_before_it_was_there_is_begun_anew(location: StudyLocation) -> None:
    location.home.mkdir(parents=True)
    location.journal.touch()
    assert choose_name(location.root, None, "t", existing=False) == "t"
    with pytest.raises(InputError, match="expected a study, found 't'"):
        choose_name(location.root, None, "t", existing=True)


@pytest.mark.parametrize("declared", [False, True])
def test_a_study_that_was_killed_before_its_first_trial_gets_it_when_it_goes_on(
    location: StudyLocation, declared: bool
) -> None:
    study = open_study(location, SETTINGS.tune, new=True)
    other = StudyLocation(location.root, "other", None)
    whole = _ready(other, SETTINGS, location.root / "data", START, new=True)
    if declared:
        study.set_user_attr(DECLARED, whole.user_attrs[DECLARED])
    study = _ready(location, SETTINGS, location.root / "data", START, new=False)
    assert study.user_attrs[DECLARED] == whole.user_attrs[DECLARED]
    assert [trial.system_attrs["fixed_params"] for trial in study.get_trials()] == [START]


def test_locks_of_killed_workers_go_and_those_of_living_ones_stay(location: StudyLocation) -> None:
    location.folder.mkdir(parents=True)
    location.life("here:1").touch()
    with locked(location.life("here:2")):
        clear_lives(location)
        assert [path.name for path in location.folder.iterdir()] == ["here-2.alive"]


def test_a_name_that_another_process_took_meanwhile_is_told(location: StudyLocation) -> None:
    open_study(location, SETTINGS.tune, new=True)
    with pytest.raises(InputError, match="expected a new name, found study t"):
        open_study(location, SETTINGS.tune, new=True)


def test_what_a_kill_leaves_of_the_journal_s_lock_is_removed(location: StudyLocation) -> None:
    open_study(location, SETTINGS.tune, new=True)
    left = location.journal.with_name(f"{location.journal.name}.lock330c8c79.rename")
    left.symlink_to(location.journal)
    other = location.journal.with_name("other.log.lock1.rename")
    other.symlink_to(location.journal)
    clear_lives(location)
    assert not left.is_symlink()
    assert other.is_symlink(), "that of another study"
    assert location.journal.is_file()
