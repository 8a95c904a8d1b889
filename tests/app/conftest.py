"""A pair that was trained for one epoch, behind real servers on free ports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pairvae.app.applications import STATIC, page
from pairvae.app.guard import App, Rules
from pairvae.app.model_choice import Models, models_of
from pairvae.app.server import Address, listen, rules_for, server, url_of


@pytest.fixture(scope="session")
def models(tiny_pair: Path) -> Models:
    return models_of(str(tiny_pair / "models" / "train-pair"))


@pytest.fixture(scope="session")
def pattern(tiny_pair: Path) -> Path:
    """A raw SAXS pattern."""
    return min((tiny_pair / "data" / "raw" / "SAXS").iterdir())


@pytest.fixture(scope="session")
def micrograph(tiny_pair: Path) -> Path:
    """A raw SEM image."""
    return min((tiny_pair / "data" / "raw" / "SEM").iterdir())


@pytest.fixture
def started() -> Iterator[Callable[[App, Rules], str]]:
    """Starts an application behind rules; returns its address."""
    running = []

    def start(app: App, rules: Rules) -> str:
        bound = listen(Address())
        one = server(app, rules)
        thread = threading.Thread(target=one.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        running.append((one, thread))
        deadline = time.monotonic() + 600
        while not one.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return url_of(bound)

    yield start
    for one, thread in running:
        one.should_exit = True
        thread.join(15)
        assert not thread.is_alive()


@pytest.fixture
def served(models: Models, started: Callable[[App, Rules], str]) -> str:
    """The address of `pairvae app`."""
    return started(page(models), rules_for(Address(), None, frozenset(STATIC), 8))
