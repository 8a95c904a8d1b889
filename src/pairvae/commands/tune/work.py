"""A worker of `pairvae tune`: takes trials of a study one by one, each in a run of its own."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from pairvae.commands.shared_stages import SharingProject
from pairvae.commands.tune.optuna_study import (
    KILLS,
    ORIGIN,
    REASON,
    RUN,
    VALUES,
    WORKER,
    StudyLocation,
    counted,
    open_study,
    worker_name,
)
from pairvae.commands.tune.space import suggest
from pairvae.commands.tune.trial import Scores, run_trial, scorer, trial_project
from pairvae.commands.tune.trial_report import about_trial
from pairvae.commands.tune.workers import Job
from pairvae.errors import InputError
from pairvae.settings import flatten
from pairvae.settings.search_space import TIME
from pairvae.stages.project import Project, open_project
from pairvae.store.locks import locked
from pairvae.tracking.runs.lineage import DESCRIPTION
from pairvae.tracking.runs.null import NullTracker
from pairvae.tracking.runs.tracker import Tracker


def work(job: Job) -> None:
    """One worker: take trials until there are enough, the time is up or the coordinator has gone."""
    project = open_project(job.changes, folder=Path(job.folder), track=job.track)
    settings = project.settings
    if job.threads:
        device = settings.device.model_copy(update={"threads": job.threads})
        settings = settings.model_copy(update={"device": device})
        project = dataclasses.replace(project, settings=settings)
    location = StudyLocation(project.root, job.study, job.storage)
    begun = counted(
        open_study(location, settings.tune, new=False)
    )  # a later worker is not to repeat an earlier one
    seed = (settings.seed + 1000 * begun + job.worker) % 2**32
    study = open_study(location, settings.tune, new=False, seed=seed)
    name = worker_name(os.getpid())
    with locked(location.life(name)):
        while True:
            with locked(location.claims):
                if job.late or job.orphaned or counted(study) >= job.trials:
                    break
                trial = study.ask()
                trial.set_user_attr(WORKER, name)
            _carry_out(project, study, trial, job, location)
        location.life(name).unlink()


def _carry_out(
    project: Project, study: optuna.Study, trial: Trial, job: Job, location: StudyLocation
) -> None:
    """Run one trial and tell the study how it ended."""
    settings = project.settings
    chosen = suggest(trial, settings)
    trial.set_user_attr(VALUES, chosen)
    folder = location.folder / f"trial-{trial.user_attrs.get(ORIGIN, trial.number)}"
    try:
        with _child_run(project, trial, job, chosen) as tracker:
            trial.set_user_attr(RUN, tracker.run_id)
            own = trial_project(project, Path(job.shared), folder, chosen)
            scores = _scores(own, trial, tracker, job)
            tracker.set_tags({"state": "pruned" if scores is None else "complete"})
    except InputError as error:
        trial.set_user_attr(REASON, str(error))
        study.tell(trial, state=TrialState.FAIL)
        return
    if scores is None:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, [scores[objective.metric] for objective in settings.tune.objectives])


def _scores(own: SharingProject, trial: Trial, tracker: Tracker, job: Job) -> Scores | None:
    """The scores of a trial; None where it was pruned on the way."""
    metrics = [objective.metric for objective in own.settings.tune.objectives]
    logged = own.settings.pair.training.logged_epochs

    def report(epoch: int, row: Mapping[str, float], scores: Scores | None) -> None:
        tracker.log_metrics({**row, **(scores or {})}, epoch)
        if job.orphaned:
            raise KeyboardInterrupt
        if scores is not None and len(metrics) == 1 and metrics[0] != TIME:
            trial.report(scores[metrics[0]], logged.index(epoch) + 1)  # Hyperband's resource counts from 1
            if trial.should_prune():
                raise optuna.TrialPruned

    try:
        scores = run_trial(own, scorer(own), report)
    except optuna.TrialPruned:
        return None
    tracker.log_metrics(scores, own.settings.pair.training.epochs)
    return scores


@contextmanager
def _child_run(project: Project, trial: Trial, job: Job, chosen: Mapping[str, Any]) -> Iterator[Tracker]:
    """The run of one trial, below that of the study; a second try goes on in the run of the first."""
    if not project.track:
        yield NullTracker()
        return
    from pairvae.tracking.runs.mlflow_run import start_run

    number = trial.user_attrs.get(ORIGIN, trial.number)
    with start_run(
        project.root,
        project.settings.tracking.experiment,
        f"{job.study} trial {number}{' (params.yaml)' if number == 0 else ''}",
        tags={
            "stage": "trial",
            "study": job.study,
            "trial": str(trial.number),
            "preset": project.settings.preset,
            DESCRIPTION: about_trial(job.study, chosen, flatten(project.settings.model_dump(mode="json"))),
        },
        parent=job.parent_run,
        resume=trial.user_attrs.get(RUN),
        system_metrics_s=project.settings.tracking.system_metrics_seconds,
        patience_s=project.settings.tracking.patience_seconds,
    ) as tracker:
        tracker.log_params(chosen)
        tracker.set_tags({"kills": trial.user_attrs.get(KILLS, 0)})
        yield tracker
