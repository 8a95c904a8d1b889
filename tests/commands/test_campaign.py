from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pairvae.commands.suggest.campaign import Campaign, CampaignOptimizer
from pairvae.commands.suggest.ranking import Wanted, rank
from pairvae.commands.suggest.survey import Outcome, Survey
from pairvae.errors import InputError

CANDIDATES = 30


def survey() -> Survey:
    """Six measured samples on a line and thirty candidates around it, with a cost and a temperature each."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(6 + CANDIDATES, 3))
    features[:6, 1:] *= 0.1
    outcomes = tuple(Outcome({"spacing": 20 + row[0], "phase_fraction": 0.5}) for row in features[:6])
    names = tuple(f"film-{number}" for number in range(CANDIDATES))
    conditions = tuple(
        {"hours": 1.0 + number % 2, "temperature": 100.0 + number} for number in range(CANDIDATES)
    )
    arrays = [np.zeros((1, 4, 4), np.float32)] * CANDIDATES
    measured = tuple(f"pair-{number}" for number in range(6))
    return Survey("saxs", "sem", measured, outcomes, names, features, arrays, arrays[:6], conditions)


def ask_often(state: Path, found: Path, turns: int) -> None:
    campaign = Campaign(survey(), state)
    for _ in range(turns):
        with found.open("a") as stream:
            stream.write("".join(f"{name}\n" for name in campaign.ask(1)))


def test_ranking_keeps_to_conditions_and_says_why() -> None:
    known = survey()
    found = rank(known, Wanted(3, constraints=("temperature>=120", "hours=1"), cost="hours"))
    chosen = [known.conditions[number] for number in found.chosen]
    assert all(one["temperature"] >= 120 and one["hours"] == 1 for one in chosen)
    assert len(found.reasons) == 3 and all("like it" in one or "unlike" in one for one in found.reasons)
    assert sorted((*found.chosen, *found.order)) == list(range(CANDIDATES))
    assert found.advice.startswith("The next measurement is expected to lower the error")
    assert not found.stop and rank(known, Wanted(1, stop=1.0)).stop
    for wanted, words in (
        (Wanted(constraints=("colour=red",)), "a condition such as"),
        (Wanted(cost="money"), "a number above 0 in column money"),
        (Wanted(weights={"spread": 1.0}), "a model"),
        (Wanted(constraints=("temperature>999",)), "neither measured nor excluded"),
    ):
        with pytest.raises(InputError, match=words):
            rank(known, wanted)


def test_a_campaign_asks_for_nothing_twice_and_learns_what_it_is_told(tmp_path: Path) -> None:
    state = tmp_path / "campaign.json"
    campaign = Campaign(survey(), state)
    assert Campaign(survey(), state, Wanted(constraints=("temperature>999",))).should_stop()[0]
    first = campaign.ask(2)
    other = Campaign(survey(), state).ask(2)
    assert not set(first) & set(other)
    campaign.tell(first[0], {"spacing": 35.0})
    campaign.tell(first[1], None)
    told, pending = Campaign(survey(), state).told_and_pending()
    assert told == {first[0]: Outcome({"spacing": 35.0}), first[1]: None} and set(pending) == set(other)
    rest = campaign.ask(CANDIDATES)
    assert len(rest) == CANDIDATES - 4 and not set(rest) & {*first, *other}
    with pytest.raises(InputError, match="neither measured nor excluded"):
        campaign.ask(1)
    with pytest.raises(InputError, match="a sample of this campaign"):
        campaign.tell("film-99", None)
    assert campaign.should_stop() == (True, "No sample is left that is neither measured nor excluded.")
    for numbers in ({"colour": 1.0}, {"spacing": float("nan")}, {}):
        with pytest.raises(InputError, match="finite numbers among phase_fraction, spacing"):
            campaign.tell(first[0], numbers)
    whole = json.loads(state.read_text())
    for damaged in (
        [], whole | {"asked": [[]]}, whole | {"told": {"film-0": 3}}, whole | {"told": {"film-0": {"descriptors": {}}}},
        whole | {"told": {"film-0": {"descriptors": {"colour": 1.0}, "curve": None}}},
        whole | {"told": {"film-0": {"descriptors": {"spacing": "wide"}, "curve": None}}},
        whole | {"told": {"film-0": {"descriptors": {}, "curve": [[1.0]]}}},
    ):  # fmt: skip
        state.write_text(json.dumps(damaged))
        with pytest.raises(InputError, match="the state of a campaign"):
            campaign.ask(1)


def test_two_users_and_a_killed_one_never_get_the_same_sample(tmp_path: Path) -> None:
    state, files = tmp_path / "campaign.json", [tmp_path / "one", tmp_path / "two"]
    context = multiprocessing.get_context("spawn")
    killed = context.Process(target=ask_often, args=(state, tmp_path / "killed", 1000))
    users = [threading.Thread(target=ask_often, args=(state, file, 5)) for file in files]
    killed.start()
    while not state.is_file():
        time.sleep(0.01)
    assert killed.pid is not None
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    asked = json.loads(state.read_text())["asked"]
    for user in users:
        user.start()
    for user in users:
        user.join()
    found = [name for file in files if file.is_file() for name in file.read_text().split()]
    assert len(found) == len(set(found)) == min(10, CANDIDATES - len(asked)) and not set(found) & set(asked)


def test_bluesky_adaptive_runs_a_campaign(tmp_path: Path) -> None:
    plans = pytest.importorskip("bluesky_adaptive.plans")
    protocols = pytest.importorskip("bluesky_adaptive.protocols")
    engine, stubs = (pytest.importorskip(name) for name in ("bluesky.run_engine", "bluesky.plan_stubs"))

    campaign = Campaign(survey(), tmp_path / "campaign.json")
    optimizer = CampaignOptimizer(campaign)
    for protocol in ("Optimizer", "TrialFaultAware", "SupportsStoppingCriteria", "Checkpointable"):
        assert isinstance(optimizer, getattr(protocols, protocol))

    def acquire(suggestions, actuators, sensors=None, md=None):
        yield from stubs.null()
        return [one["_id"] for one in suggestions]

    def evaluate(uid, suggestions):
        return [{"_id": name, "spacing": 25.0, "phase_fraction": 0.5} for name in uid]

    problem = protocols.OptimizationProblem(optimizer, [], [], evaluate, acquire)
    seen = []

    def measure():
        for _ in range(2):
            found = yield from plans.optimize_step(problem, n_points=2)
            seen.extend(found[0])

    engine.RunEngine()(measure())
    told, pending = campaign.told_and_pending()
    assert len(set(seen)) == 4 and set(told) == set(seen) and not pending
    assert {name for name, _, _ in optimizer.get_best_points()} == set(seen)
