"""`pairvae tune` on eight pairs: killed workers, resuming, applying, pruning; no validation pair is seen."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from typer.testing import CliRunner

from pairvae.cli import app
from pairvae.commands.repro import write_params
from pairvae.commands.tune import Search, apply, tune
from pairvae.commands.tune import work as tune_work
from pairvae.commands.tune import workers as tune_workers
from pairvae.commands.tune.optuna_study import (
    KILLS,
    ORIGIN,
    REPLACES,
    RUN,
    WORKER,
    StudyLocation,
    choose_name,
    counted,
    open_study,
    outcome,
    retry,
)
from pairvae.commands.tune.space import start_values, suggest
from pairvae.commands.tune.trial import trial_project, tuning_data
from pairvae.commands.tune.trial_report import Outcome, Ranked, about_study, about_trial, known_metrics
from pairvae.commands.tune.work import work
from pairvae.commands.tune.workers import Job
from pairvae.errors import InputError
from pairvae.settings import assignments, resolve
from pairvae.settings.search_space import TIME
from pairvae.stages.project import Project, open_project
from small_project import WITHIN_S, run_here, run_pairvae
from tiny_project import tiny_project

SPACE = (
    "tune.space={latent.channels: {choices: [16, 4]}, pair.training.learning_rate: {low: 1.0e-5, high: 1.0e-2, "
    "log: true}, pair.training.similarity: {choices: [barlow, simclr]}, pair.training.temperature: {low: 0.05, "
    "high: 0.5, when: {pair.training.similarity: simclr}}, sem.network.block_widths: {choices: [[8, 8, 8]]}}"
)
METRIC = "saxs_sem.s2_mae"


def new_project(folder: Path, epochs: int = 20) -> Path:
    """A prepared project of small pairs that searches ``SPACE``."""
    tiny_project(folder)
    current = [
        "latent.channels=16",
        "sem.network.block_widths=[8, 8, 8]",
        f"pair.training.random_epochs={epochs}",
    ]
    write_params(folder / "params.yaml", assignments([SPACE, *current]))
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_project(tmp_path_factory.mktemp("tune") / "project", epochs=3)


def start_tune(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-m", "pairvae.cli", "tune", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for_worker(folder: Path, study: str, process: subprocess.Popen[str]) -> int:
    """The process id of a worker that is in the middle of a trial, with a run of its own."""
    limit = time.monotonic() + WITHIN_S
    while time.monotonic() < limit and process.poll() is None:
        if (folder / ".pairvae" / "tune" / f"{study}.log").is_file():
            opened = study_of(folder, study)
            for trial in opened.get_trials(deepcopy=False) if opened else ():
                if trial.state == TrialState.RUNNING and RUN in trial.user_attrs:
                    return int(trial.user_attrs[WORKER].rpartition(":")[2])
        time.sleep(0.05)
    raise AssertionError(f"no trial was begun: {process.communicate()[0]}")


def study_of(folder: Path, name: str) -> optuna.Study | None:
    try:
        return open_study(
            StudyLocation(folder, name, None), open_project(folder=folder).settings.tune, new=False
        )
    except KeyError:  # the file is there before the study is
        return None


class Here:
    """A worker that did its work in this process when it was started."""

    pid, returncode = os.getpid(), 0

    def __init__(self, job: Job, logs: Path) -> None:
        work(dataclasses.replace(job, coordinator=None))

    def poll(self) -> int:
        return self.returncode


@pytest.fixture(scope="module")
def tuned(prepared: Path) -> tuple[Path, str]:
    """A study of one trial, resumed to two, and what was printed then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tune_workers, "start", Here)
        run_here("tune", "--trials", "1", cwd=prepared)
        return prepared, run_here("tune", "--resume", "--trials", "2", cwd=prepared).stdout


def test_a_study_is_resumed_and_not_in_another_space(tuned: tuple[Path, str]) -> None:
    folder, printed = tuned
    assert "study tune-1: 2 complete" in printed
    assert "use it with: pairvae tune apply tune-1 --then-repro" in printed
    other = "tune.space={latent.channels: {choices: [16, 8]}}"
    project = open_project([other], folder=folder, track=False)
    with pytest.raises(
        InputError, match="expected the space, the objectives and the data that the study began"
    ):
        tune(project, Search(4, resume=True))


@pytest.mark.slow
@pytest.mark.parametrize("where", [(), ("--cluster", "local")], ids=["here", "cluster"])
def test_a_killed_worker_loses_no_trial(tmp_path: Path, where: tuple[str, ...]) -> None:
    folder = new_project(tmp_path / "project")
    process = start_tune(folder, "--trials", "3", "--workers", "2", *where)
    worker = wait_for_worker(folder, "tune-1", process)
    if where:  # the process of Dask above it
        worker = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(worker, signal.SIGKILL)
    printed = process.communicate(timeout=WITHIN_S)[0]
    assert process.returncode == 0, printed
    assert "study tune-1: 3 complete" in printed
    study = study_of(folder, "tune-1")
    assert study is not None
    assert counted(study) == 3
    trials = study.get_trials()
    states = [trial.state.name for trial in trials]
    assert states.count("COMPLETE") == 3 and "RUNNING" not in states
    assert not list((folder / ".pairvae" / "tune" / "tune-1").glob("*.alive"))
    if not where:
        (again,) = [trial for trial in trials if REPLACES in trial.user_attrs]
        assert again.user_attrs[KILLS] == 1
        assert again.params == trials[again.user_attrs[REPLACES]].params


def test_the_first_trial_is_the_current_params(tuned: tuple[Path, str]) -> None:
    study = study_of(tuned[0], "tune-1")
    assert study is not None
    found = outcome(study, (METRIC,)).current
    assert found is not None
    assert found.values["latent.channels"] == 16
    assert found.values["pair.training.learning_rate"] == 0.001
    assert found.values["sem.network.block_widths"] == [8, 8, 8]


def test_every_trial_has_a_run_below_that_of_the_study(tuned: tuple[Path, str]) -> None:
    from pairvae.tracking.database import connect
    from pairvae.tracking.health import open_runs

    client = connect(tuned[0])
    experiment = client.get_experiment_by_name("pairvae").experiment_id
    parent = client.search_runs([experiment], "tags.stage = 'tune'")[0]
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert sorted(run.data.tags["trial"] for run in children) == ["0", "1"]
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert all({METRIC, TIME, "loss"} <= set(run.data.metrics) for run in children)
    assert not open_runs(tuned[0])
    assert parent.data.metrics[METRIC] == min(run.data.metrics[METRIC] for run in children)
    note = parent.data.tags["mlflow.note.content"]
    assert "| params.yaml | " in note
    assert "| best | " in note
    assert "pairvae tune apply tune-1 --then-repro" in note
    notes = [run.data.tags["mlflow.note.content"] for run in children]
    assert sum("with the settings of params.yaml" in note for note in notes) == 1
    assert sum("* `pair.training.learning_rate`: " in note for note in notes) == 1
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"best_params.yaml", "outcome.txt", "figures"} <= files
    figures = {file.path for file in client.list_artifacts(parent.info.run_id, "figures")}
    assert f"figures/history-{METRIC}.png" in figures


def test_solo_stages_are_shared_and_trials_leave_nothing(tuned: tuple[Path, str]) -> None:
    home = tuned[0] / ".pairvae" / "tune"
    study = study_of(tuned[0], "tune-1")
    assert study is not None
    latents = {trial.params["latent.channels"] for trial in study.get_trials(states=(TrialState.COMPLETE,))}
    assert len(list(home.glob("data-*/models/train-saxs-*/card.json"))) == len(latents)
    assert not list((home / "tune-1").glob("trial-*"))


def test_apply_writes_the_best_values_and_keeps_comments(
    tuned: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "applied"
    shutil.copytree(tuned[0], folder)
    before = "# of this laboratory\n" + (folder / "params.yaml").read_text() + "# the end\n"
    (folder / "params.yaml").write_text(before)
    study = study_of(folder, "tune-1")
    assert study is not None
    written = apply(folder, "tune-1")
    assert written == outcome(study, (METRIC,)).best[0].values
    settings = open_project(folder=folder).settings
    assert settings.latent.channels == written["latent.channels"]
    assert settings.pair.training.learning_rate == written["pair.training.learning_rate"]
    comments = [line.partition("#")[2] for line in before.splitlines() if "#" in line]
    assert comments
    assert all(comment in (folder / "params.yaml").read_text() for comment in comments)
    monkeypatch.chdir(folder)
    printed = CliRunner().invoke(app, ["tune", "apply", "tune-1"]).output.splitlines()
    assert f"latent.channels: {written['latent.channels']}" in printed
    assert printed[-1] == "written into params.yaml; train and assess with them by: pairvae repro"
    with pytest.raises(InputError, match=r"study tune-1: expected one finished trial, found 0; the best: \d"):
        apply(folder, "tune-1", trial=77)
    with pytest.raises(InputError, match="expected a study: tune-1, found 'other'"):
        apply(folder, "other")


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_and_resume_takes_the_trial_up(tmp_path: Path) -> None:
    folder = new_project(tmp_path / "project")
    process = start_tune(folder, "--trials", "2")
    wait_for_worker(folder, "tune-1", process)
    process.send_signal(signal.SIGINT)
    printed = process.communicate(timeout=WITHIN_S)[0]
    assert process.returncode == 130, printed
    assert "go on with: pairvae tune --resume --study tune-1" in printed
    assert "Traceback" not in printed
    study = study_of(folder, "tune-1")
    assert study is not None
    assert TrialState.RUNNING not in {trial.state for trial in study.get_trials()}
    done = run_pairvae("tune", "--resume", "--trials", "2", cwd=folder)
    assert "study tune-1: 2 complete" in done.stdout


def test_no_trial_sees_a_validation_pair(prepared: Path) -> None:
    project = open_project(folder=prepared, track=False)
    whole = project.prepared()
    split = project.split(whole)
    shared = tuning_data(project)
    trial = trial_project(project, shared, shared / "trial", {})
    own = trial.prepared()
    assert [pair.id for pair in own.pairs] == [whole.pairs[row].id for row in split.train]
    assert not {pair.id for pair in own.pairs} & {whole.pairs[row].id for row in split.validation}
    rows = list(split.train)
    np.testing.assert_array_equal(own.whole("saxs"), whole.whole("saxs")[rows])
    np.testing.assert_array_equal(own.crops("sem"), whole.crops("sem")[rows])
    for found, row in zip(own.images("sem"), rows, strict=True):
        np.testing.assert_array_equal(found, whole.images("sem")[row])
    inner = trial.split(own)
    assert len(inner.validation) == round(len(rows) * project.settings.tune.held_out)
    assert tuning_data(project) == shared


def memory_study(tmp_path: Path) -> tuple[optuna.Study, StudyLocation]:
    location = StudyLocation(tmp_path, "a", None)
    return open_study(location, resolve({}).tune, new=True), location


def test_a_trial_that_was_killed_twice_is_given_up(tmp_path: Path) -> None:
    study, location = memory_study(tmp_path)
    study.enqueue_trial({"x": 0.25})
    for expected in (1, 0):
        trial = study.ask()
        assert trial.suggest_float("x", 0, 1) == 0.25
        trial.set_user_attr(WORKER, "host:1")
        assert len(retry(study, location, lambda worker: worker == "host:1", killed=True)) == 1
        waiting = study.get_trials(states=(TrialState.WAITING,))
        assert len(waiting) == expected
    assert counted(study) == 1


def test_an_interrupted_trial_is_never_given_up(tmp_path: Path) -> None:
    study, location = memory_study(tmp_path)
    for _ in range(4):
        study.ask().set_user_attr(WORKER, "host:1")
        retry(study, location, lambda worker: worker == "host:1", killed=False)
    waiting = study.get_trials(states=(TrialState.WAITING,))
    assert [(trial.user_attrs[ORIGIN], trial.user_attrs[KILLS]) for trial in waiting] == [(0, 0)]


Fake = Callable[[Any, Any, Any], dict[str, float]]


@pytest.fixture
def worker(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., optuna.Study]]:
    """Runs trials in this process with a stand-in for the training."""

    def run(fake: Fake, *changes: str, trials: int = 4, **job: Any) -> optuna.Study:
        project = open_project(changes, folder=prepared, track=False)
        name = choose_name(project.root, None, None, existing=False)
        study = open_study(StudyLocation(project.root, name, None), project.settings.tune, new=True)
        study.enqueue_trial(start_values(project.settings))
        monkeypatch.setattr(tune_work, "run_trial", fake)
        monkeypatch.setattr(tune_work, "scorer", lambda own: None)
        work(
            Job(str(prepared), name, None, trials, shared=str(tmp_path), track=False, changes=changes, **job)
        )
        return study

    yield run


def test_a_bad_trial_is_pruned_on_the_way(worker: Callable[..., optuna.Study]) -> None:
    numbers = iter(range(10))

    def worse_each_time(own: Any, score: Any, report: Any) -> dict[str, float]:
        value = float(next(numbers))
        report(1, {"loss": value}, {METRIC: value})
        return {METRIC: value, TIME: 1.0}

    study = worker(worse_each_time, "tune.startup_trials=1", trials=4)
    states = [trial.state.name for trial in study.get_trials()]
    assert states[0] == "COMPLETE"
    assert states[-1] == "PRUNED"
    assert outcome(study, (METRIC,)).best[0].number == 0


def test_a_trial_that_fails_is_told_with_its_reason(worker: Callable[..., optuna.Study]) -> None:
    def not_finite(own: Any, score: Any, report: Any) -> dict[str, float]:
        raise InputError(expected="finite losses", found="loss not finite", where="epoch 1")

    study = worker(not_finite, trials=2)
    found = outcome(study, (METRIC,))
    assert found.states == {"fail": 2}
    assert found.best == ()
    assert "epoch 1: expected finite losses" in found.reasons[0]


def test_several_objectives_have_a_pareto_front(worker: Callable[..., optuna.Study], prepared: Path) -> None:
    two = "tune.objectives=[{metric: saxs_sem.s2_mae, direction: minimize}, {metric: seconds, direction: minimize}]"
    points = iter([(1.0, 3.0), (3.0, 1.0), (3.0, 3.0)])

    def fake(own: Any, score: Any, report: Any) -> dict[str, float]:
        report(1, {}, {METRIC: 0.0})
        first, second = next(points)
        return {METRIC: first, TIME: second}

    study = worker(fake, two, trials=3)
    found = outcome(study, (METRIC, TIME))
    assert [one.number for one in found.best] == [0, 1]
    assert "use it with: pairvae tune apply" in found.lines()[-1]


def test_no_trial_begins_when_the_time_is_up(worker: Callable[..., optuna.Study]) -> None:
    study = worker(lambda own, score, report: {METRIC: 0.0}, trials=2, deadline=time.time() - 1)
    assert counted(study) == 0


def test_a_trial_that_began_in_time_is_finished_and_no_other_begins(
    worker: Callable[..., optuna.Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(tune_workers, "time", SimpleNamespace(time=lambda: clock.now))

    def takes_long(own: Any, score: Any, report: Any) -> dict[str, float]:
        clock.now += 30.0
        return {METRIC: 0.0}

    study = worker(takes_long, trials=9, deadline=150.0)
    assert [trial.state.name for trial in study.get_trials()] == ["COMPLETE", "COMPLETE"]


def test_a_time_that_is_too_short_for_any_trial_is_one_line_that_says_so(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune_workers, "start", Here)
    project = open_project(folder=prepared, track=False)
    words = r"study short: expected a finished trial, found none that was begun within the 0 s of --timeout - go on"
    with pytest.raises(InputError, match=words):
        tune(project, Search(2, name="short", timeout=0.0))
    study = study_of(prepared, "short")
    assert study is not None
    assert counted(study) == 0


def test_conditional_settings_are_suggested_where_they_apply(prepared: Path) -> None:
    settings = open_project(folder=prepared).settings
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = [suggest(study.ask(), settings) for _ in range(20)]
    for chosen in found:
        assert ("pair.training.temperature" in chosen) == (chosen["pair.training.similarity"] == "simclr")
        assert chosen["sem.network.block_widths"] == [8, 8, 8]
        assert 1e-5 <= chosen["pair.training.learning_rate"] <= 1e-2


def test_current_values_outside_the_space_are_told() -> None:
    settings = resolve(
        {"latent": {"channels": 5}, "tune": {"space": {"latent.channels": {"low": 8, "high": 9}}}}
    )
    with pytest.raises(InputError, match=r"tune\.space\.latent\.channels: expected the current value among"):
        start_values(settings)
    stepped = {"latent.channels": {"low": 4, "high": 19, "step": 5}}
    with pytest.raises(InputError, match="found 16 - widen the space"):
        start_values(resolve({"latent": {"channels": 16}, "tune": {"space": stepped}}))
    with pytest.raises(InputError, match="expected settings to search"):
        start_values(resolve({"tune": {"space": {}}}))


def test_an_unknown_objective_and_a_bad_database_are_one_line(prepared: Path) -> None:
    unknown = "tune.objectives=[{metric: saxs_sem.mae, direction: minimize}]"
    with pytest.raises(
        InputError, match=r"key tune\.objectives: expected an objective of seconds, saxs_saxs\.mae"
    ):
        tune(open_project([unknown], folder=prepared, track=False), Search(1))
    with pytest.raises(InputError, match="--storage host/x: expected a database that can be used"):
        choose_name(prepared, "postgresql+psycopg2://user:secret@host/x", None, existing=False)
    assert METRIC in known_metrics(open_project(folder=prepared).settings)


def test_a_study_and_a_trial_describe_themselves() -> None:
    now = Ranked(0, (0.25, 3.0), {"latent.channels": 16})
    best = Ranked(7, (0.125, 4.0), {"latent.channels": 8})
    found = Outcome("tune-2", (METRIC, TIME), {"complete": 8}, (best,), now)
    told = about_study("tune-2", found)
    assert f"| | trial | {METRIC} | {TIME} |" in told
    assert "| params.yaml | 0 | 0.25 | 3 |" in told
    assert "| best | 7 | 0.125 | 4 |" in told
    assert "| best" not in about_study("tune-2", Outcome("tune-2", (METRIC,), {}, (), None))
    current = {"pair.training.learning_rate": 0.001, "latent.channels": 16}
    trial = about_trial("tune-2", {"latent.channels": 16, "pair.training.learning_rate": 0.00212345}, current)
    assert trial.splitlines()[2:] == ["* `pair.training.learning_rate`: 0.002123 (now 0.001)"]
    assert "with the settings of params.yaml" in about_trial("tune-2", {"latent.channels": 16}, current)


def test_a_database_holds_a_study_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    location = StudyLocation(tmp_path, choose_name(tmp_path, url, "mine", existing=False), url)
    open_study(location, resolve({}).tune, new=True)
    assert choose_name(tmp_path, url, None, existing=True) == "mine"
    with pytest.raises(InputError, match="expected a new name, found study mine"):
        choose_name(tmp_path, url, "mine", existing=False)


def test_a_trial_s_project_shares_stages_by_what_determines_them(prepared: Path, tmp_path: Path) -> None:
    project: Project = open_project(folder=prepared, track=False)

    def at(**changes: Any) -> Any:
        dotted = {key.replace("__", "."): value for key, value in changes.items()}
        return trial_project(project, tmp_path, tmp_path / "t", dotted)

    same, other = at(pair__training__learning_rate=0.1), at(latent__channels=4)
    assert at().model("train-sem") == same.model("train-sem") != other.model("train-sem")
    assert at().model("train-pair") == tmp_path / "t" / "models" / "train-pair"
    narrower = at(sem__training__input_noise=0.7)
    assert at().model("train-saxs") == narrower.model("train-saxs")
    assert at().model("train-sem") != narrower.model("train-sem")
    assert dataclasses.asdict(same)["track"] is False
