"""Tests run in a forked process that has the heavy libraries loaded already, on the code as it is or with a fault."""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import json
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import hypothesis
import pytest

PYTEST = ("-x", "-q", "-m", "not slow and not gpu", "-p", "no:cacheprovider", "-p", "no:schemathesis")
OWN = ("pairvae", "test", "conftest", "small_project", "tools", "__main__")


@dataclass(frozen=True)
class Baseline:
    """The tests on the code as it is: seconds of each, and for each function of a file the tests that call it."""

    seconds: dict[str, float]
    callers: dict[str, dict[str, list[str]]]
    libraries: list[str]

    def order(self, file: str, function: str) -> list[str]:
        """Tests to run against a fault in ``function``: those that call it, then others of their files.

        Others may read what a fixture or a cache has computed. Of what runs at the import, all that use the file.
        """
        functions = self.callers.get(file, {})
        outer = [name for name in functions if name == function or name.startswith(f"{function}.")]
        # The body of a class, like that of a module, runs when it is imported: all that use the file.
        calling = {test for name in (outer if function and outer else functions) for test in functions[name]}
        files: dict[str, float] = defaultdict(float)
        for test in calling:
            files[test.partition("::")[0]] += self.seconds[test]
        rank = sorted(files, key=files.__getitem__)
        chosen = [test for test in self.seconds if test.partition("::")[0] in files]
        key = [
            (rank.index(one.partition("::")[0]), one not in calling, self.seconds[one], one) for one in chosen
        ]
        return [one for *_, one in sorted(key)]


class Recorder:
    """A pytest plugin: which functions of the package each test calls, and how long it takes."""

    def __init__(self, package: Path) -> None:
        self.package = str(package)
        self.seconds: dict[str, float] = {}
        self.callers: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Profile one test with its fixtures."""

        def called(frame: FrameType, event: str, _: Any) -> None:
            code = frame.f_code
            if event == "call" and code.co_filename.startswith(self.package):
                self.callers[code.co_filename][code.co_qualname.replace(".<locals>", "")].add(item.nodeid)

        start = time.process_time()
        sys.setprofile(called)
        try:
            return (yield)
        finally:
            sys.setprofile(None)
            self.seconds[item.nodeid] = time.process_time() - start


class Chosen:
    """A pytest plugin: only the given tests, in the given order."""

    def __init__(self, order: Sequence[str]) -> None:
        self.rank = {test: place for place, test in enumerate(order)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out and sort."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.rank), key=lambda item: self.rank[item.nodeid]
        )


def baseline(tests: Sequence[str], package: Path) -> Baseline:
    """Run the tests once on the code as it is (``RuntimeError`` where they fail)."""
    reader, writer = os.pipe()

    def run() -> int:
        recorder = Recorder(package)
        code = int(pytest.main([*PYTEST, *tests], plugins=[recorder]))
        libraries = [name for name in sys.modules if not name.startswith(OWN)]
        told = {
            file: {name: sorted(by) for name, by in one.items()} for file, one in recorder.callers.items()
        }
        with os.fdopen(writer, "w") as out:
            json.dump({"seconds": recorder.seconds, "callers": told, "libraries": libraries}, out)
        return code

    pid = _fork(run, None, quiet=False)
    os.close(writer)
    with os.fdopen(reader) as sent:
        found = sent.read()
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("the tests fail on the code as it is")
    return Baseline(**json.loads(found))


def load(libraries: Sequence[str]) -> None:
    """Import what the tests import from elsewhere, once for all forks."""
    for name in libraries:
        with contextlib.suppress(ImportError, AttributeError):
            importlib.import_module(name)


def outcome(module: str, code: CodeType, order: Sequence[str], seconds: Mapping[str, float]) -> str:
    """``killed``, ``timeout`` (killed, too) or ``survived``, by a fork in which ``module`` has the given code."""
    if not order:
        return "survived"

    def run() -> int:
        loader: Any = importlib.machinery.SourceFileLoader
        original = loader.get_code

        def get_code(self: object, name: str) -> Any:
            return code if name == module else original(self, name)

        loader.get_code = get_code
        files = list(dict.fromkeys(test.partition("::")[0] for test in order))
        return int(pytest.main([*PYTEST, *files], plugins=[Chosen(order)]))

    allowed = 20 + 4 * sum(seconds[test] for test in order)
    _, status = os.waitpid(_fork(run, allowed, quiet=True), 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        return "timeout"
    ended = os.waitstatus_to_exitcode(status)
    if ended in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise RuntimeError(f"the tests of {module} did not run")
    return "survived" if ended == 0 else "killed"


def _fork(run: Callable[[], int], cpu_seconds: float | None, *, quiet: bool) -> int:
    """The id of a child that ends with the code of ``run``; CPU time is bounded, not waiting for a busy machine."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        if quiet:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
        if cpu_seconds is not None:
            bound = int(cpu_seconds) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (bound, bound + 5))
        hypothesis.settings.register_profile(
            "mutants",
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
            derandomize=True,
            database=None,
        )
        hypothesis.settings.load_profile("mutants")
        status = run()
    finally:
        sys.stdout.flush()
        os._exit(status)
