"""The process that the user starts: it opens a study, has workers carry it out, and tells what came of it."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from pairvae import store
from pairvae.commands.repro import write_params
from pairvae.commands.tune.optuna_study import (
    RUN,
    StudyLocation,
    best,
    choose_name,
    clear_lives,
    counted,
    finished,
    mend_journal,
    open_study,
    outcome,
    require_no_workers,
    retry,
    worker_name,
)
from pairvae.commands.tune.remote import run_hosted
from pairvae.commands.tune.search_figures import save_figures
from pairvae.commands.tune.space import start_values
from pairvae.commands.tune.trial import tuning_data
from pairvae.commands.tune.trial_report import Outcome, about_study, known_metrics, yaml_text
from pairvae.commands.tune.workers import Job, run_workers
from pairvae.errors import InputError
from pairvae.progress import Progress
from pairvae.settings import PARAMS_FILE, Settings, flatten
from pairvae.settings.search_space import nested
from pairvae.stages.project import Project, open_project
from pairvae.store.locks import held_alone, is_free
from pairvae.tracking.runs.lineage import DESCRIPTION
from pairvae.tracking.runs.null import NullTracker
from pairvae.tracking.runs.tracker import Tracker

DECLARED, PARENT = "declared", "parent_run"


@dataclass(frozen=True)
class Search:
    """What is asked of `pairvae tune`.

    ``trials`` in all, those of a resumed study included, by ``workers`` processes; ``timeout`` in s ends it earlier.
    ``cluster``: where the workers run instead of here, as in :func:`pairvae.parallel.executor.run_tasks`.
    ``changes``: the ``--set`` assignments that the project was opened with.
    """

    trials: int
    workers: int = 1
    name: str | None = None
    storage: str | None = None
    resume: bool = False
    timeout: float | None = None
    cluster: str | None = None
    changes: tuple[str, ...] = ()


def tune(project: Project, search: Search) -> Outcome:
    """Bring a study to its number of trials. Ctrl-C ends it cleanly: the outcome tells so.

    ``InputError`` where the space or the study does not fit, or not one trial could be finished.
    """
    storage, timeout = search.storage, search.timeout
    settings = project.settings
    start = start_values(settings)
    _require_metrics(settings)
    metrics = tuple(objective.metric for objective in settings.tune.objectives)
    deadline = None if timeout is None else time.time() + timeout
    location = StudyLocation(
        project.root, choose_name(project.root, storage, search.name, existing=search.resume), storage
    )
    with held_alone(location.folder / "study.lock", f"study {location.name}"):
        require_no_workers(location)
        mend_journal(location)
        clear_lives(location)
        shared = tuning_data(project)
        study = _ready(location, settings, shared, start, new=not search.resume)
        with _parent_run(project, study, location) as tracker:
            threads = 1 if search.workers > 1 or search.cluster else 0
            job = Job(
                str(project.folder), location.name, storage, search.trials, 0, threads, deadline, os.getpid(),
                tracker.run_id, str(shared), project.track, search.changes,
            )  # fmt: skip
            interrupted = _Course(project, study, location, tracker, job).run(search)
            found = dataclasses.replace(outcome(study, metrics), interrupted=interrupted)
            _log_outcome(study, settings, found, tracker)
        clear_lives(location)
    if not found.best and not interrupted:
        raise _without_result(
            found, location, None if deadline is None or time.time() < deadline else timeout
        )
    return found


def _without_result(found: Outcome, location: StudyLocation, timeout: float | None) -> InputError:
    """Why not one trial was finished; ``timeout`` where the time was up."""
    where, logs = f"study {location.name}", f"the workers' logs are in {location.folder}"
    if timeout is None or found.reasons:
        return InputError(
            expected="a finished trial",
            found=found.reasons[0] if found.reasons else "none",
            where=where,
            remedy=logs,
        )
    return InputError(
        expected="a finished trial",
        found=f"none that was begun within the {timeout:g} s of --timeout",
        where=where,
        remedy=f"go on with more time: pairvae tune --resume --study {location.name}",
    )


def apply(
    folder: Path, study: str, *, storage: str | None = None, trial: int | None = None
) -> dict[str, Any]:
    """Write the settings of a study's best trial (or of another finished one) into params.yaml, comments kept.

    Returns what was written, by dotted key. ``InputError``: no such study or trial, or several objectives and no trial.
    """
    project = open_project(folder=folder)
    location = StudyLocation(project.root, choose_name(project.root, storage, study, existing=True), storage)
    mend_journal(location)
    opened = open_study(location, project.settings.tune, new=False)
    front = best(opened)
    chosen = front if trial is None else []
    if trial is not None:
        found = [one for one in opened.get_trials(deepcopy=False) if one.number == trial]
        chosen = [finished(one) for one in found if one.state == TrialState.COMPLETE]
    if len(chosen) != 1:
        known = ", ".join(f"{one.number} ({' '.join(f'{s:.4g}' for s in one.scores)})" for one in front)
        raise InputError(
            expected="one finished trial",
            found=f"{len(chosen)}; the best: {known or 'none'}",
            where=f"study {study}",
            remedy="name one by --trial",
        )
    write_params(folder / PARAMS_FILE, nested(chosen[0].values))
    return chosen[0].values


def _require_metrics(settings: Settings) -> None:
    known = known_metrics(settings)
    for objective in settings.tune.objectives:
        if objective.metric not in known:
            raise InputError(
                expected=f"an objective of {', '.join(known)}",
                found=objective.metric,
                where=f"{PARAMS_FILE}, key tune.objectives",
            )


def _ready(
    location: StudyLocation, settings: Settings, shared: Path, start: Mapping[str, Any], *, new: bool
) -> optuna.Study:
    """The study with its first trial enqueued, or with the trials that were cut off enqueued again."""
    study = open_study(location, settings.tune, new=new)
    space = {key: one.model_dump(mode="json") for key, one in settings.tune.space.items()}
    objectives = [one.model_dump() for one in settings.tune.objectives]
    declared = store.digest({"space": space, "objectives": objectives, "data": shared.name})
    known = study.user_attrs.get(DECLARED)
    if known in (None, declared) and not study.get_trials(deepcopy=False):  # new, or killed at its start
        study.set_user_attr(DECLARED, declared)
        study.enqueue_trial(dict(start))
        return study
    if known != declared:
        raise InputError(
            expected="the space, the objectives and the data that the study began with",
            found="others",
            where=f"study {location.name}",
            remedy="undo the change, or start a new study without --resume",
        )
    here = worker_name(0).rpartition(":")[0]
    retry(study, location, lambda worker: worker.rpartition(":")[0] in (here, ""), killed=True)
    return study


@dataclass
class _Course:
    """A study under way: trials that dead workers left behind are enqueued again, progress is shown and tracked."""

    project: Project
    study: optuna.Study
    location: StudyLocation
    tracker: Tracker
    job: Job

    def run(self, search: Search) -> bool:
        """Let the workers work; True where Ctrl-C ended it. What they left behind is enqueued again."""
        self.seen = self._done()
        self.progress = Progress(self.job.trials, f"tune {self.location.name}", start_at=self.seen)
        try:
            if search.cluster is None:
                run_workers(self.job, search.workers, self.location.folder, self._on_death, self._on_tick)
            else:
                callbacks = self._on_lost, self._left, self._on_tick
                run_hosted(self.job, search.workers, search.cluster, self.location.folder, *callbacks)
        except KeyboardInterrupt:
            here = worker_name(0).rpartition(":")[0]
            retry(
                self.study,
                self.location,
                lambda worker: worker.rpartition(":")[0] in (here, ""),
                killed=False,
            )
            return True
        return False

    def _done(self) -> int:
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        return len(self.study.get_trials(deepcopy=False, states=states))

    def _left(self) -> int:
        return max(0, self.job.trials - counted(self.study))

    def _again(self, is_dead: Callable[[str], bool]) -> int:
        dead = retry(self.study, self.location, is_dead, killed=True)
        _end_runs(self.project, [str(trial.user_attrs[RUN]) for trial in dead if RUN in trial.user_attrs])
        return len(dead)

    def _on_death(self, process: int) -> int:
        return self._again(lambda worker: worker in (worker_name(process), ""))

    def _on_lost(self) -> int:
        return self._again(lambda worker: not worker or is_free(self.location.life(worker)))

    def _on_tick(self) -> None:
        now = self._done()
        if now <= self.seen:
            return
        ahead = best(self.study)
        self.progress.advance(f"best {ahead[0].scores[0]:.5g}" if ahead else "", now - self.seen)
        self.seen = now
        if ahead:
            metric = self.project.settings.tune.objectives[0].metric
            self.tracker.log_metrics({f"best.{metric}": ahead[0].scores[0]}, now)


def _end_runs(project: Project, run_ids: list[str]) -> None:
    if not project.track or not run_ids:
        return
    from pairvae.tracking.health import end_run  # 3 s of mlflow, only where it is wanted

    for run_id in run_ids:
        end_run(project.root, run_id, "KILLED")


@contextmanager
def _parent_run(project: Project, study: optuna.Study, location: StudyLocation) -> Iterator[Tracker]:
    """The run that stands for the study; a resumed study goes on in its own."""
    if not project.track:
        yield NullTracker()
        return
    from pairvae.tracking.runs.mlflow_run import start_run

    settings = project.settings
    with start_run(
        project.root,
        settings.tracking.experiment,
        f"{location.name} {settings.preset}",
        tags={
            "stage": "tune",
            "preset": settings.preset,
            "study": location.name,
            DESCRIPTION: about_study(location.name),
        },
        resume=study.user_attrs.get(PARENT),
    ) as tracker:
        study.set_user_attr(PARENT, tracker.run_id)
        tracker.log_params(flatten({"tune": settings.tune.model_dump(mode="json")}))
        yield tracker


def _log_outcome(study: optuna.Study, settings: Settings, found: Outcome, tracker: Tracker) -> None:
    """Figures, the best settings and counts into the run of the study."""
    tracker.set_tags({f"trials.{state}": number for state, number in found.states.items()})
    tracker.describe(about_study(found.study, found))
    if not found.best:
        return
    if len(found.best) == 1:  # so that the table of runs shows it in the columns of the trials
        tracker.log_metrics(dict(zip(found.metrics, found.best[0].scores, strict=True)))
    tracker.log_text(yaml_text(nested(found.best[0].values)), "best_params.yaml")
    tracker.log_text("\n".join(found.lines()) + "\n", "outcome.txt")
    with tempfile.TemporaryDirectory() as folder:
        for figure in save_figures(study, settings.tune, Path(folder)):
            tracker.log_artifact(figure, "figures")
