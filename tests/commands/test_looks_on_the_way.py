"""At which epochs a study looks at the validation pairs and a trial at its scores: ends of rounds, evenly spaced."""

import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from pairvae.settings import resolve
from tiny_plans import pair_plan


def test_a_study_looks_at_the_validation_pairs_about_ten_times_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("pairvae.commands.study.final_losses")
    monkeypatch.setattr(module, "_on_validation", lambda project, plan: plan)
    monkeypatch.setattr(module, "losses", lambda plan: {"loss": 1.0})
    settings = resolve({"pair": {"training": {"random_epochs": 255}}})
    watch = module.loss_watch(SimpleNamespace(settings=settings), tmp_path)
    for epoch in settings.pair.training.logged_epochs:
        watch(epoch, {}, pair_plan())
    written = [json.loads(line) for line in (tmp_path / module.FILE).read_text().splitlines()]
    assert [row["epoch"] for row in written] == [*range(20, 241, 20), 255]


def test_a_trial_is_scored_as_often_as_the_search_asks_before_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("pairvae.commands.tune.trial")
    training = {"random_epochs": 105, "from_solo": False}
    settings = resolve({"pair": {"training": training}, "tune": {"reports": 5}})
    logged = settings.pair.training.logged_epochs

    def train_pair(trial: object, watch: object) -> None:
        for epoch in logged:
            watch(epoch, {"loss": 1.0}, SimpleNamespace(vaes={}))  # type: ignore[operator]

    monkeypatch.setattr(module, "train_once", lambda trial, stage: None)
    monkeypatch.setattr(module, "train_pair", train_pair)
    monkeypatch.setattr(module, "load_vaes", lambda folder: ({}, {"seconds": 1.0}))
    trial = SimpleNamespace(settings=settings, model=lambda stage: tmp_path, folder=tmp_path / "trial")
    told: list[tuple[int, bool]] = []
    module.run_trial(
        trial, lambda vaes, shifts: {}, lambda epoch, row, scores: told.append((epoch, scores is not None))
    )
    assert [epoch for epoch, _ in told] == [*range(10, 101, 10), 105]
    assert [epoch for epoch, scored in told if scored] == [20, 40, 60, 80, 100]
