"""Fixtures of the whole suite."""

import signal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from small_project import make_project, run_pairvae


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start, also where a script started the suite with `&`, which has it ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# Which take longest, in this order, after those that wait for the finished project
LONGEST = ("outputs", "tune", "study", "predict_tasks", "register", "third_modality", "unpaired", "prior")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests come first: else one process has them left when the others are done."""

    def place(item: pytest.Item) -> int:
        if _uses_the_finished_project(item.path):
            return 0
        name = item.path.stem.removeprefix("test_")
        return 1 + (LONGEST.index(name) if name in LONGEST else len(LONGEST))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several processes share the work: a file to one of them, and to one all that share what is slow to make."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            if _uses_the_finished_project(config.rootpath / file):
                return "finished project"
            return "drawn report" if file.startswith("tests/reports/") else file

    return ByFile(config, log)


@cache
def _uses_the_finished_project(file: Path) -> bool:
    return "finished_project" in file.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of eight tiny pairs whose `train-pair` ran for one epoch: to read from, or to copy."""
    from pairvae.stages.train_pair import train_pair
    from tiny_project import tiny_project

    folder = tmp_path_factory.mktemp("tiny-pair")
    train_pair(tiny_project(folder, "pair.training.from_solo=false", "pair.training.random_epochs=1"))
    return folder


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """A project whose whole pipeline has run on eight simulated pairs, within the time that a test has."""
    folder = make_project(tmp_path_factory.mktemp("finished") / "project")
    limit_s = pytestconfig.getoption("timeout") or pytestconfig.getini("timeout") or 900
    done = run_pairvae("repro", cwd=folder, timeout_s=0.93 * float(limit_s))
    (folder / "repro.log").write_text(done.stdout + done.stderr)
    return folder
