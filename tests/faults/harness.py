"""Faults, the run after each of them, and what has to be so then."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from faults.injector import DENIED, FULL, KILL, SHORT, TORN, WORKER_KILLED

TESTS = Path(__file__).resolve().parents[1]
SRC = TESTS.parent / "src"
KILLED = (-9, -25)  # SIGKILL, SIGXFSZ
TEMPORARY = (".partial", ".tmp", ".part")


class Warm:
    """A process that forks a child for each command (``faults.warm``)."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(TESTS), str(SRC)]),
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "faults.warm"],
            cwd=TESTS,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == {"ready": True}

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the warm process has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def run(self, cwd: Path, *argv: str, **job: Any) -> Ran:
        """Run one command of pairvae in ``cwd``."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"cwd": str(cwd), "argv": argv, **job}) + "\n")
        self.process.stdin.flush()
        return Ran(**self._answer())

    def together(self, cwd: Path, *jobs: dict[str, Any]) -> list[Ran]:
        """Run commands (``argv`` and more) in ``cwd`` at once."""
        assert self.process.stdin is not None
        each = [{"cwd": str(cwd), **job} for job in jobs]
        self.process.stdin.write(json.dumps({"together": each}) + "\n")
        self.process.stdin.flush()
        found = self._answer()
        assert found["orphans"] == 0
        return [Ran(**one) for one in found["ended"]]

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    hung: bool
    cpu_s: float
    stdout: str
    stderr: str
    events: list[str] | None
    orphans: int

    @property
    def killed(self) -> bool:
        """Whether a signal ended it."""
        return self.code in KILLED

    @property
    def faults_told(self) -> list[str]:
        """The lines of errors on stderr, without progress."""
        lines = self.stderr.replace("\r", "\n").splitlines()
        return [line for line in lines if "expected " in line and " found " in line]

    def problem(self) -> str:
        """What is wrong with how it ended: a traceback, a hang, silence, many lines, somebody left behind."""
        if self.hung:
            return "it hung"
        if self.orphans:
            return f"{self.orphans} processes left behind"
        if self.code == 0 or self.killed:
            return "" if "Traceback" not in self.stderr else f"a traceback: {self.stderr[-1500:]}"
        if "Traceback" in self.stderr or self.code != 1:
            return f"code {self.code}: {self.stderr[-1500:]}"
        return "" if len(self.faults_told) == 1 else f"{len(self.faults_told)} lines: {self.stderr[-1500:]}"


@dataclass(frozen=True)
class Stage:
    """A command and what a user runs after a fault: the first of ``again`` that succeeds (the same, unless named).

    ``check`` tells what is wrong with what it made, besides files that differ.
    """

    name: str
    argv: tuple[str, ...]
    again: tuple[tuple[str, ...], ...] = ()
    job: dict[str, Any] = field(default_factory=dict)
    check: Callable[[Path], list[str]] = lambda place: []


IGNORED = ("mlflow.db", "mlruns", "outbox")  # what names its entries at random
WORKER_LOG = re.compile(r"worker-\d+\.log")


def tree(folder: Path) -> dict[str, str]:
    """sha256 of every file below ``folder`` by path."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part in name.split("/") for part in IGNORED):
            found[name] = hashlib.sha256(_content(path)).hexdigest()
    return found


def _content(path: Path) -> bytes:
    """What a file holds, but for how long a training took, which may be equal in two runs and another in a third.

    What a worker said is appended to its log by every start: no result, and nothing is read from it.
    """
    if WORKER_LOG.fullmatch(path.name):
        return b""
    if path.name != "card.json":
        return path.read_bytes()
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return path.read_bytes()
    card.pop("seconds", None)
    return json.dumps(card, sort_keys=True).encode()


def stray(folder: Path) -> list[str]:
    """Temporary files."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.name.endswith(TEMPORARY) or path.name.startswith("tmp")
    ]


@dataclass
class Tally:
    """What became of all faults."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    kinds: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, name: str, kind: str, became: str) -> None:
        """One fault of a ``kind`` in a stage: `continued`, `refused` or `lost`."""
        self.counts.update(["injected", became])
        self.kinds.setdefault(name, Counter()).update([kind])

    def take(self, other: Tally) -> None:
        """Add what another counted."""
        self.counts.update(other.counts)
        self.problems += other.problems
        for name, kinds in other.kinds.items():
            self.kinds.setdefault(name, Counter()).update(kinds)

    def table(self) -> list[str]:
        """A line for each stage: how many faults of each kind."""
        return [
            f"  {name:<12} {kinds.total():>4}: {', '.join(f'{kind} {count}' for kind, count in sorted(kinds.items()))}"
            for name, kinds in self.kinds.items()
        ]

    def line(self) -> str:
        """One line."""
        one = self.counts
        return (
            f"faults injected: {one['injected']}, continued: {one['continued']}, "
            f"refused with one line: {one['refused']}, lost: {one['lost']}"
        )


@dataclass
class Campaign:
    """Faults in one stage, starting from copies of ``snapshot``, at different places unless there is only one."""

    warm: Warm
    stage: Stage
    snapshot: Path
    scratch: Path
    tally: Tally
    only: Path | None = None

    def __post_init__(self) -> None:
        first, second = (self._undisturbed(name) for name in ("first", "second"))
        self.events = first[0]
        self.names = set(first[1]) & set(second[1])
        self.stable = {name: value for name, value in first[1].items() if second[1].get(name) == value}

    def _undisturbed(self, name: str) -> tuple[list[str], dict[str, str]]:
        place = self.copied(name)
        done = self.warm.run(place, *self.stage.argv, **self.stage.job)
        assert done.code == 0, (self.stage.name, done.stderr[-3000:])
        found = tree(place)
        shutil.rmtree(place)
        return done.events or [], found

    def copied(self, name: str) -> Path:
        """A new copy of the snapshot."""
        place = self.only or self.scratch / name / "project"
        if place.exists():
            shutil.rmtree(place)
        shutil.copytree(self.snapshot, place, symlinks=True)
        return place

    def fault(self, kind: str, at: int, *, dead: bool = False, **more: Any) -> None:
        """One fault and the next run; ``dead``: the command may be killed by it, whatever its kind."""
        place = self.copied("faulted")
        where = self.events[at] if kind in (KILL, FULL, DENIED) and at < len(self.events) else f"{at} bytes"
        told = f"{self.stage.name}: {kind} at {at} ({where}){more or ''}"
        hit = self.warm.run(
            place, *self.stage.argv, **{**self.stage.job, **more}, fault={"kind": kind, "at": at}
        )
        self.judge(told, place, hit, kind, dead=dead or kind in (KILL, TORN) or "kill_after_s" in more)

    def judge(self, told: str, place: Path, hit: Ran, kind: str, *, dead: bool) -> None:
        """Whether a disturbed run ended as it may, and the next one made everything as if nothing had been."""
        told_of = (
            kind in (KILL, FULL, DENIED) and bool(hit.events) and not dead
        )  # and the command made up for it
        struck = hit.code != 0 or told_of or WORKER_KILLED in (hit.events or [])
        problems = [hit.problem()]
        if not dead and hit.killed:
            problems.append("it died")
        for argv in self.stage.again or (self.stage.argv,):
            again = self.warm.run(place, *argv, **self.stage.job)
            problems += [f"next run: {one}" for one in (again.problem(),) if one]
            if again.code == 0:
                break
        if again.code == 0:
            problems += self.differences(place) + self.stage.check(place)
        elif not again.problem():
            problems.append(f"refused to go on: {again.faults_told[0]}")
        problems = [one for one in problems if one]
        if struck:
            self.tally.add(self.stage.name, kind, "lost" if problems else "continued")
        else:
            self.tally.counts["never reached"] += 1
        for one in problems:
            self.tally.problems.append(f"{told}: {one}")
            print(self.tally.problems[-1], flush=True)

    def differences(self, place: Path) -> list[str]:
        """What is not as in an undisturbed run."""
        found = tree(place)
        left = sorted(found.keys() - self.names)
        lost = sorted(self.names - found.keys())
        other = sorted(name for name, value in self.stable.items() if name in found and found[name] != value)
        left = sorted({*left, *stray(place)} - {name for name in left if name.endswith(".lock")})
        words = (("left behind", left), ("missing", lost), ("other content", other))
        return [f"{what}: {', '.join(names[:4])}" for what, names in words if names]


def moments(total: int, count: int, rng: np.random.Generator) -> list[int]:
    """``count`` different numbers below ``total``, the first and the last among them; all where there are no more."""
    if total <= count:
        return list(range(total))
    if count < 2:
        return rng.choice(total, count, replace=False).tolist()
    inner = rng.choice(np.arange(1, total - 1), count - 2, replace=False)
    return sorted({0, total - 1, *inner.tolist()})


def sizes(count: int) -> Iterator[int]:
    """File sizes in bytes beyond which nothing can be written: room for the words of an error, and more."""
    return (int(size) for size in np.geomspace(2e3, 1e5, count).round())


def campaign(one: Campaign, kills: int, full: int, denied: int, cut: int, rng: np.random.Generator) -> None:
    """So many faults of each kind, spread over the run."""
    total = len(one.events)
    plan: Sequence[tuple[str, Sequence[int]]] = (
        (KILL, moments(total, kills, rng)),
        (FULL, moments(total, full, rng)),
        (DENIED, moments(total, denied, rng)),
        (TORN, list(sizes(cut))),
        (SHORT, list(sizes(cut))),
    )
    for kind, places in plan:
        for at in places:
            one.fault(kind, at)
