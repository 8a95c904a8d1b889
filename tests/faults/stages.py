"""A small project, and the commands that faults are injected into, each with the project as it is before."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
import zipfile
from collections import Counter
from contextlib import closing
from pathlib import Path

from faults.harness import Stage, Warm
from tiny_project import TINY

SHARE = float(os.environ.get("PAIRVAE_FAULTS", "1"))  # of the faults of the long suite
PARAMS = TINY.replace("baselines: {", "baselines: {unet: {epochs: 0}, ") + (
    "tune: {space: {pair.training.learning_rate: {low: 1.0e-5, high: 1.0e-2, log: true}}}\n"
)
MODEL = ("--to", "sem", "--model", "models/train-pair", "--out", "out")
CHAIN = (
    ("raw",), ("preprocess",), ("pretrain",), ("train", "saxs"), ("train", "sem"), ("train", "pair"), ("assess",),
    ("generate",), ("report",), ("end",),
)  # fmt: skip


def watched(place: Path) -> list[str]:
    """Each file once in the table, each image there."""
    with (place / "out" / "predictions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    times = Counter(row["input"] for row in rows)
    problems = [f"{name} predicted {count} times" for name, count in times.items() if count != 1]
    problems += [f"no {row['file']}" for row in rows if not (place / "out" / row["file"]).is_file()]
    return problems if len(times) == 8 else [*problems, f"{len(times)} of 8 files predicted"]


def searched(place: Path) -> list[str]:
    """Two trials, none of them still running, waiting or lost."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal = JournalStorage(JournalFileBackend(str(place / ".pairvae" / "tune" / "t.log")))
    trials = optuna.load_study(study_name="t", storage=journal).get_trials(deepcopy=False)
    replaced = {trial.user_attrs.get("replaces") for trial in trials}
    states = sorted(trial.state.name for trial in trials if trial.number not in replaced)
    return [] if states == ["COMPLETE"] * 2 else [f"trials {states}"]


def tracked(place: Path) -> list[str]:
    """A sound database with one finished run of the stage, all of its losses in it."""
    with closing(sqlite3.connect(place / "mlflow.db")) as database:
        if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            return ["the database is damaged"]
        query = "SELECT run_uuid FROM runs WHERE status = 'FINISHED' AND name LIKE 'train-saxs%'"
        runs = [row[0] for row in database.execute(query)]
        if len(runs) != 1:
            return [f"{len(runs)} finished runs"]
        query = "SELECT step, count(*) FROM metrics WHERE run_uuid = ? AND key = 'loss' GROUP BY step"
        losses = dict(database.execute(query, runs).fetchall())
    return [] if losses.keys() == {0, 1} or losses.keys() == {1, 2} else [f"losses of steps {losses}"]


STAGES = {
    stage.name: stage
    for stage in (
        *(Stage("-".join(argv), argv) for argv in CHAIN[:-1]),
        Stage("fetch", ("data", "fetch", "fetched", "--archive", "published.zip")),
        Stage("predict", ("predict", "data/raw/SAXS", *MODEL)),
        Stage(
            "watch", ("watch", "data/raw/SAXS", *MODEL, "--every", "0.05"),
            job={"table": "out/predictions.csv", "until_rows": 8}, check=watched,
        ),
        Stage(
            "tune", ("tune", "--study", "t", "--trials", "2"),
            again=(("tune", "--study", "t", "--trials", "2", "--resume"), ("tune", "--study", "t", "--trials", "2")),
            check=searched,
        ),
        Stage("study", ("study", "--sizes", "5", "--seeds", "1")),
        Stage("tracked", ("train", "saxs"), job={"track": True}, check=tracked),
    )
}  # fmt: skip
BEFORE = {
    "fetch": "preprocess", "predict": "assess", "watch": "assess", "tune": "pretrain", "study": "pretrain",
}  # fmt: skip


def make_snapshots(warm: Warm, home: Path, last: str = "end") -> dict[str, Path]:
    """The project as it is before each stage, by name of the stage, up to the ``last``."""
    place, snapshots = home / "chain" / "project", home / "snapshots"
    place.mkdir(parents=True)
    (place / "params.yaml").write_text(PARAMS)
    for argv in CHAIN:
        snapshots.mkdir(exist_ok=True)
        shutil.copytree(place, snapshots / "-".join(argv))
        if "-".join(argv) == last:
            break
        if argv != CHAIN[-1]:
            done = warm.run(place, *argv, timeout_s=900)
            assert done.code == 0, (argv, done.stderr[-3000:])
    found = {name: snapshots / BEFORE.get(name, name) for name in STAGES}
    for archived in {found["fetch"]} if last == "end" else ():
        with zipfile.ZipFile(archived / "published.zip", "w") as archive:
            for kind in ("SAXS", "SEM"):
                for path in sorted((archived / "data" / "raw" / kind).iterdir())[:3]:
                    archive.write(path, f"{kind}/{path.name}")
    return {**found, "end": snapshots / "end"}


def with_store(warm: Warm, snapshots: dict[str, Path], place: Path) -> Path:
    """A copy of a project at ``place`` before `train saxs`, with a database of runs that knows itself to be there."""
    from pairvae.tracking.database import prepare_store

    shutil.copytree(snapshots["train-saxs"], place)
    prepare_store(place, "pairvae")
    kept = place.with_name("kept")
    shutil.copytree(place, kept)
    return kept
