"""A warm process, the projects before each stage, and the tally of all faults, which is printed at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.harness import Tally, Warm
from faults.stages import make_snapshots

TALLY = Tally()


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """A process that forks a child for each command."""
    one = Warm()
    yield one
    one.close()


@pytest.fixture(scope="session")
def snapshots(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The project before each stage, by name; `end` is the whole."""
    return make_snapshots(warm, tmp_path_factory.mktemp("faults"))


@pytest.fixture
def tally() -> Iterator[Tally]:
    """The counts of one test, which are added to those of the session."""
    one = Tally()
    yield one
    TALLY.take(one)


@pytest.fixture
def total() -> Tally:
    """The counts of the session so far."""
    return TALLY


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures."""
    if TALLY.counts:
        for line in (*TALLY.table(), TALLY.line()):
            terminalreporter.write_line(line)
