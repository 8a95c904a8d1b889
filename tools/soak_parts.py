"""The parts of the soak (``tools.soak``): processes that are killed, a feeder, a client, studies, the accounts."""

from __future__ import annotations

import csv
import hashlib
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

GOOD = ("whole", "pieces")
BAD = ("cut", "text", "empty")
BURST, MOST_WAITING = 15, 150
TRIALS = 3
SETTINGS = (
    "tune.space={pair.training.learning_rate: {low: 1.0e-5, high: 1.0e-2, log: true}}",
    "pair.training.random_epochs=20",
)
LIFE_S = {"watch": 420.0, "serve": 480.0, "tune": 150.0}  # mean life once it works, until it is killed
EARLY = 0.2  # of the lives end while the process still starts
WARM_MINUTES = 3  # of a life that do not count for the slope of its memory


def tree(process: int) -> list[int]:
    """A process and its descendants."""
    try:
        listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return [process]
    return [process, *(one for child in listed for one in tree(int(child)))]


def resident_mb(process: int) -> float:
    """Resident memory of one process in MB; 0 where it has gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@dataclass
class Role:
    """A process that is started again whenever it has ended, by a kill or by itself."""

    name: str
    command: Callable[[], list[str]]
    ready: Callable[[Role], bool]
    folder: Path
    log: Path
    rng: np.random.Generator
    process: subprocess.Popen[bytes] | None = None
    life: int = 0
    kills: int = 0
    early_kills: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    on_end: Callable[[int], None] = lambda code: None
    kill_at: float | None = None
    start_at: float = 0.0
    log_start: int = 0
    samples: list[tuple[float, int, float]] = field(default_factory=list)

    def step(self, now: float, *, may_kill: bool) -> None:
        """Start, kill or look at the process, whichever is due."""
        if self.process is None:
            if now >= self.start_at:
                self._start(now)
            return
        code = self.process.poll()
        if code is not None:
            self.ends[str(code)] += 1
            self.on_end(code)
            self.process, self.start_at = None, now + (0.0 if code == 0 else 5.0)
        elif self.kill_at is None:
            if self.ready(self):
                self.kill_at = now + self.rng.exponential(LIFE_S[self.name])
        elif may_kill and now >= self.kill_at:
            self._kill(now)

    def _start(self, now: float) -> None:
        self.log_start = self.log.stat().st_size if self.log.is_file() else 0
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.folder / "src")}
        command = [sys.executable, "-m", "pairvae.cli", *self.command()]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.life += 1
        self.kill_at = now + self.rng.uniform(0, 20) if self.rng.random() < EARLY else None

    def _kill(self, now: float) -> None:
        assert self.process is not None
        self.early_kills += not self.ready(self)
        below = tree(self.process.pid)[1:]
        if below and self.rng.random() < 0.5:  # a worker of `tune`, which its coordinator has to replace
            try:
                os.kill(below[0], signal.SIGKILL)
            except ProcessLookupError:
                return
            self.kill_at = None
        else:
            self.process.kill()
            self.process.wait()
            self.process, self.start_at = None, now
        self.kills += 1

    def said(self) -> str:
        """What this life has written so far."""
        with self.log.open("rb") as stream:
            stream.seek(self.log_start)
            return stream.read().decode("utf-8", "replace")

    def measure(self, minute: float) -> None:
        """One sample of its memory, that of its children included."""
        if self.process is not None and self.ready(self):
            self.samples.append((minute, self.life, sum(map(resident_mb, tree(self.process.pid)))))

    def end(self) -> None:
        """SIGTERM, and after a minute the end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def slope(self) -> float | None:
        """MB an hour within lives, their first minutes left out (least squares, one intercept for each life)."""
        above = below = 0.0
        for life in {one for _, one, _ in self.samples}:
            found = np.array([(t, mb) for t, one, mb in self.samples if one == life])[WARM_MINUTES:]
            if len(found) > 2:
                t, mb = (found - found.mean(0)).T
                above, below = above + float(t @ mb), below + float(t @ t)
        return None if below == 0 else round(60 * above / below, 2)


class Feeder:
    """Files for the watch: each has a name of its own and an outcome that is known beforehand."""

    def __init__(self, folder: Path, patterns: list[Path], rng: np.random.Generator) -> None:
        self.folder, self.patterns, self.rng = folder, [one.read_bytes() for one in patterns], rng
        self.fed: dict[str, tuple[str, str, int]] = {}  # name -> kind, sha256, bytes
        self.pieces: list[tuple[float, Path, bytes]] = []
        self.next_file = self.next_burst = 0.0

    def step(self, now: float, waiting: int) -> None:
        """Write what is due."""
        for due in [one for one in self.pieces if one[0] <= now]:
            self.pieces.remove(due)
            with due[1].open("ab") as stream:
                stream.write(due[2])
        if waiting > MOST_WAITING:
            return
        if now >= self.next_burst:
            for _ in range(BURST if self.next_burst else 0):
                self._feed("whole", now)
            self.next_burst = now + self.rng.exponential(300)
        if now >= self.next_file:
            self._feed(str(self.rng.choice([*GOOD * 3, *BAD])), now)
            self.next_file = now + self.rng.exponential(12)

    def _feed(self, kind: str, now: float) -> None:
        number = len(self.fed)
        note = f"file {number}".encode()
        whole = self.patterns[number % len(self.patterns)]
        content = whole[:2] + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note + whole[2:]
        name = f"{number:05d}-{kind}.jpg"
        if kind in BAD:
            content = {"cut": content[: len(content) // 3], "text": b"no image", "empty": b""}[kind]
        if kind == "pieces":
            parts = np.array_split(np.frombuffer(content, np.uint8), 4)
            self.pieces += [
                (now + 1.5 * step, self.folder / name, part.tobytes()) for step, part in enumerate(parts)
            ]
        else:
            hidden = self.folder / f".{name}"
            hidden.write_bytes(content)
            hidden.rename(self.folder / name)
        self.fed[name] = (kind, hashlib.sha256(content).hexdigest(), len(content))


class Client(threading.Thread):
    """Asks the server again and again; a question is repeated until it has an answer, and has always the same."""

    def __init__(self, port: int, patterns: list[Path], rng: np.random.Generator) -> None:
        super().__init__(daemon=True)
        self.url, self.rng, self.stop = f"http://127.0.0.1:{port}/api/predict.png", rng, threading.Event()
        self.patterns = [one.read_bytes() for one in patterns]
        self.counts: Counter[str] = Counter()
        self.known: dict[tuple[int, int], str] = {}

    def run(self) -> None:
        """Ask until told to stop."""
        while not self.stop.wait(float(self.rng.exponential(5))):
            number, seed = int(self.rng.integers(len(self.patterns))), int(self.rng.integers(5))
            bad = bool(self.rng.random() < 0.1)
            self.counts["sent"] += 1
            while not (answered := self._ask(number, seed, bad)) and not self.stop.wait(2):
                pass
            self.counts["unanswered at the end"] += not answered

    def _ask(self, number: int, seed: int, bad: bool) -> bool:
        content = b"no image" if bad else self.patterns[number]
        self.counts["attempts"] += 1
        try:
            with urllib.request.urlopen(
                f"{self.url}?source=saxs&seed={seed}", data=content, timeout=150
            ) as got:
                answer = got.read()
        except urllib.error.HTTPError as error:
            if error.code == 400 and bad:
                self.counts["refused, rightly"] += 1
                return True
            self.counts[f"status {error.code}, asked again"] += 1
            return False
        except (OSError, ValueError) as error:
            self.counts[f"{type(error).__name__}, asked again"] += 1
            return False
        digest = hashlib.sha256(answer).hexdigest()
        self.counts["answered"] += 1
        self.counts["answers unlike the first"] += self.known.setdefault((number, seed), digest) != digest
        self.counts["answers to bad files"] += bad
        return True


class Studies:
    """One study of `pairvae tune` after the other, each gone on with until it is done."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0

    @property
    def name(self) -> str:
        """The study at hand."""
        return f"soak-{self.number}"

    def command(self) -> list[str]:
        """A new study, or going on with the one that was begun."""
        journal = self.folder / ".pairvae" / "tune"
        begun = ["--resume"] if (journal / f"{self.name}.log").is_file() else []
        changes = [part for one in SETTINGS for part in ("--set", one)]
        return ["tune", "--study", self.name, "--trials", str(TRIALS), *begun, *changes]

    def states(self, number: int) -> Counter[str] | None:
        """Trials by state, killed ones that were tried again left out; None where the study is not there yet."""
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = self.folder / ".pairvae" / "tune" / f"soak-{number}.log"
        if not path.is_file():
            return None
        try:
            study = optuna.load_study(
                study_name=f"soak-{number}", storage=JournalStorage(JournalFileBackend(str(path)))
            )
        except KeyError:
            return None
        trials = study.get_trials(deepcopy=False)
        replaced = {trial.user_attrs.get("replaces") for trial in trials}
        return Counter(trial.state.name.lower() for trial in trials if trial.number not in replaced)

    def ended(self, code: int) -> None:
        """The command has ended by itself: after success the next study is due."""
        self.number += code == 0


def rows_of(table: Path) -> list[dict[str, str]]:
    """Whole rows of the watch's table."""
    if not table.is_file():
        return []
    text = table.read_text("utf-8")
    return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))


def account(feeder: Feeder, out: Path) -> dict[str, Any]:
    """Of each file that was fed: predicted or refused, how often, and whether its image is whole."""
    predicted: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for row in rows_of(out / "predictions.csv"):
        (refused if row["error"] else predicted)[row["input"]] += 1
        if not row["error"] and feeder.fed[row["input"]][1] == row["sha256"]:
            whole[row["input"]] += cv2.imread(str(out / row["file"]), cv2.IMREAD_UNCHANGED) is not None
    good = {name for name, (kind, *_) in feeder.fed.items() if kind in GOOD}
    bad = feeder.fed.keys() - good
    lost = [name for name in good if whole[name] != 1]
    return {
        "fed": len(feeder.fed),
        "good": len(good),
        "predicted": sum(predicted.values()),
        "good, predicted exactly once": sum(predicted[name] == 1 for name in good),
        "good, refused before they were whole": sum(refused[name] for name in good),
        "bad": len(bad),
        "bad, refused exactly once": sum(refused[name] == 1 for name in bad),
        "bad, predicted": sum(predicted[name] for name in bad),
        "waiting or lost": len(lost) + sum(refused[name] == 0 for name in bad),
        "bytes waiting or lost": sum(feeder.fed[name][2] for name in lost),
        "stray temporary files": sum(path.name.startswith(".") for path in out.iterdir()),
    }
