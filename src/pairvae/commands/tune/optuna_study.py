"""Studies of `pairvae tune`: where Optuna keeps them, who samples and who prunes, and their figures."""

from __future__ import annotations

import json
import os
import re
import socket
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner, PercentilePruner
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from pairvae.commands.tune.trial_report import Outcome, Ranked
from pairvae.errors import InputError
from pairvae.settings.search_space import TuneSettings
from pairvae.store.locks import LockTakenError, is_free, locked
from pairvae.store.project_root import OWN_FILES

SAMPLERS: dict[str, Callable[[TuneSettings, int], BaseSampler]] = {
    "tpe": lambda tune, seed: TPESampler(
        n_startup_trials=tune.startup_trials, multivariate=True, group=True, seed=seed
    ),
    "random": lambda tune, seed: RandomSampler(seed=seed),
    "gp": lambda tune, seed: GPSampler(n_startup_trials=tune.startup_trials, seed=seed),
    "nsga2": lambda tune, seed: NSGAIISampler(population_size=max(2, tune.startup_trials), seed=seed),
}
MOST_KILLS = 1  # a trial whose worker was killed is tried again once
# What a trial carries: its settings, who runs it, its tracked run; of a second try, kills so far, whose and of which
VALUES, WORKER, RUN, REASON = "values", "worker", "run_id", "reason"
KILLS, REPLACES, ORIGIN = "kills", "replaces", "origin"
PRUNERS: dict[str, Callable[[TuneSettings], BasePruner]] = {
    "percentile": lambda tune: PercentilePruner(tune.keep_percent, n_startup_trials=tune.startup_trials),
    "hyperband": lambda tune: HyperbandPruner(),
    "none": lambda tune: NopPruner(),
}


@dataclass(frozen=True)
class StudyLocation:
    """Where a study lives: ``folder`` for logs and trials, and a journal file beside it or the database ``url``."""

    root: Path
    name: str
    url: str | None

    @property
    def home(self) -> Path:
        """The folder of all studies."""
        return studies_folder(self.root)

    @property
    def folder(self) -> Path:
        """The folder of this study's logs and trials."""
        return self.home / self.name

    @property
    def journal(self) -> Path:
        """The file of this study's trials, where it has no database."""
        return self.home / f"{self.name}.log"

    @property
    def claims(self) -> Path:
        """The lock under which a worker takes its next trial."""
        return self.folder / "claims.lock"

    def life(self, worker: str) -> Path:
        """The lock that a worker holds while it lives, on whatever machine."""
        return self.folder / f"{worker.replace(':', '-')}.alive"  # Windows takes no colon


def studies_folder(root: Path) -> Path:
    """The folder of all studies of a project."""
    return root / OWN_FILES / "tune"


def _storage(location: StudyLocation) -> BaseStorage:
    """A journal file, which any number of processes may start at once, or a database (``InputError``: unusable)."""
    if location.url is None:
        location.home.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(location.journal)))
    try:
        return RDBStorage(location.url)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise InputError(
            expected="a database that can be used",
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            where=f"--storage {location.url.rpartition('@')[2]}",  # never show a password
            remedy="check the address and the driver (postgresql+psycopg2://...), or leave --storage out",
        ) from error


def study_names(root: Path, url: str | None) -> list[str]:
    """Names of the studies that there are, the newest last."""
    if url is not None:
        return list(optuna.get_all_study_names(_storage(StudyLocation(root, "", url))))
    files = sorted(studies_folder(root).glob("*.log"), key=lambda path: path.stat().st_mtime)
    return [path.stem for path in files if _has_begun(path)]


def _has_begun(journal: Path) -> bool:
    """Whether a journal holds a study: a process that was killed at its start leaves an empty one."""
    with journal.open("rb") as stream:
        return stream.readline().endswith(b"\n")


def require_no_workers(location: StudyLocation) -> None:
    """``LockTakenError`` where workers of this machine are at work: their coordinator was killed a moment ago."""
    host = worker_name(0).rpartition(":")[0]
    if not all(is_free(path) for path in location.folder.glob(f"{host}-*.alive")):
        raise LockTakenError(
            expected="a study that is not in use",
            found="workers of a search that was killed",
            where=f"study {location.name}",
            remedy="they end by themselves: run it again in a minute",
        )


def clear_lives(location: StudyLocation) -> None:
    """Remove the locks of workers that were killed, once none is at work.

    A worker's own, and what optuna's lock of the journal is renamed to before it is removed.
    """
    for path in location.folder.glob("*.alive"):
        if is_free(path):
            path.unlink(missing_ok=True)
    for path in location.journal.parent.glob(f"{location.journal.name}.lock*.rename"):
        path.unlink(missing_ok=True)


def mend_journal(location: StudyLocation) -> None:
    """Cut off the torn last line that a full disk leaves: the next line would be written behind it, and both be lost.

    ``InputError`` for any other damage.
    """
    if location.url is not None or not location.journal.is_file():
        return
    lock = JournalFileSymlinkLock(str(location.journal))
    lock.acquire()  # whoever appends holds it: a line without an end was not finished and never will be
    try:
        content = location.journal.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            _require_json(line, location.journal, number)
        if len(whole) < len(content):
            os.truncate(location.journal, len(whole))
    finally:
        lock.release()


def _require_json(line: bytes, journal: Path, number: int) -> None:
    try:
        json.loads(line)
    except ValueError as error:
        raise InputError(
            expected="a journal of trials",
            found=f"a damaged line {number}",
            where=str(journal),
            remedy="put a copy of it back, or move it away and start a new study",
        ) from error


def choose_name(root: Path, url: str | None, asked: str | None, *, existing: bool) -> str:
    """The name of a new study, or of an ``existing`` one: the one asked for, else the next or the newest."""
    if asked is not None and not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", asked):
        raise InputError(
            expected="a study's name of letters, digits, - and _", found=repr(asked), where="--study"
        )
    names = study_names(root, url)
    if existing:
        if not names or (asked is not None and asked not in names):
            raise InputError(
                expected=f"a study: {', '.join(names)}" if names else "a study",
                found=repr(asked) if asked else "none",
                where=url.rpartition("@")[2] if url else str(studies_folder(root)),
                remedy="start one with `pairvae tune --trials N`",
            )
        return asked or names[-1]
    if asked in names:
        raise InputError(
            expected="a new name", found=f"study {asked}", where="--study", remedy="go on with it by --resume"
        )
    number = 1
    while f"tune-{number}" in names:
        number += 1
    return asked or f"tune-{number}"


def open_study(location: StudyLocation, tune: TuneSettings, *, new: bool, seed: int = 0) -> optuna.Study:
    """The study at ``location``; ``seed`` of the sampler: another one for each worker."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    several = len(tune.objectives) > 1
    pruner = PRUNERS["none" if several else tune.pruner](tune)
    storage = _storage(location)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # groups of conditional settings
        sampler = SAMPLERS[tune.sampler](tune, seed)
    if not new:
        return optuna.load_study(study_name=location.name, storage=storage, sampler=sampler, pruner=pruner)
    try:
        return optuna.create_study(
            study_name=location.name,
            storage=storage,
            sampler=sampler,
            pruner=pruner,
            directions=[objective.direction for objective in tune.objectives],
        )
    except DuplicatedStudyError as error:  # by another process since the name was chosen
        raise InputError(
            expected="a new name", found=f"study {location.name}", where="--study", remedy="run it again"
        ) from error


def worker_name(process: int) -> str:
    """A worker process of this machine."""
    return f"{socket.gethostname()}:{process}"


def counted(study: optuna.Study) -> int:
    """Trials that have begun; a killed one and its second try are one."""
    trials = study.get_trials(deepcopy=False)
    replaced = {trial.user_attrs.get(REPLACES) for trial in trials}
    return sum(trial.state != TrialState.WAITING and trial.number not in replaced for trial in trials)


def retry(
    study: optuna.Study, location: StudyLocation, is_dead: Callable[[str], bool], *, killed: bool
) -> list[FrozenTrial]:
    """Tell Optuna that the trials of dead workers failed, and enqueue each again; returns those trials.

    ``is_dead`` takes a worker's name. Where it was ``killed``, and not for the first time, the trial is given up.
    """
    with locked(location.claims):
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        dead = [trial for trial in running if is_dead(trial.user_attrs.get(WORKER, ""))]
        for trial in dead:
            kills = trial.user_attrs.get(KILLS, 0) + int(killed)
            study.tell(trial.number, state=TrialState.FAIL)
            if kills > MOST_KILLS:
                continue
            fixed = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
            about = {KILLS: kills, REPLACES: trial.number, ORIGIN: trial.user_attrs.get(ORIGIN, trial.number)}
            if RUN in trial.user_attrs:
                about[RUN] = trial.user_attrs[RUN]
            study.enqueue_trial(fixed, user_attrs=about)
    return dead


def finished(trial: FrozenTrial) -> Ranked:
    """A complete trial's scores and settings."""
    return Ranked(trial.number, tuple(trial.values), dict(trial.user_attrs.get(VALUES, {})))


def best(study: optuna.Study) -> list[Ranked]:
    """The best trial, or those of the Pareto front; none where no trial is complete."""
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return []
    several = len(study.directions) > 1
    return [finished(trial) for trial in (study.best_trials if several else [study.best_trial])]


def outcome(study: optuna.Study, metrics: tuple[str, ...]) -> Outcome:
    """All that there is to tell of a study; killed trials that were tried again count once."""
    trials = study.get_trials(deepcopy=False)
    replaced = {trial.user_attrs.get(REPLACES) for trial in trials}
    own = [trial for trial in trials if trial.number not in replaced]
    states = Counter(trial.state.name.lower() for trial in own)
    first = [
        one for one in own if one.user_attrs.get(ORIGIN, one.number) == 0 and one.state == TrialState.COMPLETE
    ]
    return Outcome(
        study=study.study_name,
        metrics=metrics,
        states=dict(states),
        best=tuple(best(study)),
        current=finished(first[0]) if first else None,
        reasons=tuple(dict.fromkeys(one.user_attrs[REASON] for one in own if REASON in one.user_attrs)),
    )
