"""The database of runs: made once, checked at every start, with one clear line when it cannot be used."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
import requests
from alembic.util.exc import CommandError
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pairvae.errors import InputError
from pairvae.tracking.relocate import local_path, settle_default
from pairvae.tracking.roots import OWN_FILES, artifacts_path, database_path, is_local, tracking_uri

STORE_ERRORS = (MlflowException, SQLAlchemyError, CommandError)
BUSY_TIMEOUT_S = 60.0
SERVER_TIMEOUT_S = 10.0
TALKATIVE = ("mlflow.store.db.utils", "mlflow.tracking", "mlflow.store.model_registry", "alembic")


@contextmanager
def store_lock(root: Path) -> Iterator[None]:
    """Hold back the other processes of this project; an unwritable folder is an ``InputError``."""
    path = root / OWN_FILES / "store.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(
            expected="a project folder that can be written",
            found=error.strerror or str(error),
            where=str(path),
            remedy="mend its permissions or work in a copy",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _unusable(root: Path, error: Exception) -> InputError:
    # sqlalchemy puts the SQL statement and a link on further lines; the cause is in the first
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if is_local(root):
        return InputError(
            expected="a readable and writable MLflow database",
            found=reason,
            where=str(database_path(root)),
            remedy="mend its permissions, or move it away (a new one is made) and restore a backup",
        )
    return InputError(
        expected="a usable MLflow store in MLFLOW_TRACKING_URI",
        found=reason,
        where=tracking_uri(root).rpartition("@")[2],  # never show a password
        remedy="check the address, the server and the credentials, or unset the variable",
    )


def _check_database(path: Path) -> None:
    """Open the file for writing as SQLite would: MLflow's own complaints come late and with tracebacks."""
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
        connection.execute("PRAGMA schema_version").fetchone()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _check_reachable(root: Path) -> None:
    uri = tracking_uri(root)
    if is_local(root):
        try:
            # Only an existing file: sqlite3 would leave an empty one behind if MLflow then failed.
            if database_path(root).exists():
                _check_database(database_path(root))
        except sqlite3.Error as error:
            raise _unusable(root, error) from error
    elif uri.startswith(("http://", "https://")):
        # MLflow itself tries for minutes before it gives up.
        try:
            requests.get(f"{uri.rstrip('/')}/health", timeout=SERVER_TIMEOUT_S)
        except requests.RequestException as error:
            raise _unusable(root, error) from error


def _open(root: Path) -> MlflowClient:
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    _check_reachable(root)
    try:
        return MlflowClient(tracking_uri=tracking_uri(root))
    except STORE_ERRORS as error:
        raise _unusable(root, error) from error


def has_store(root: Path) -> bool:
    """False while the project has no runs of its own yet, and no other store is named."""
    return not is_local(root) or database_path(root).exists()


def connect(root: Path) -> MlflowClient:
    """A client of the project's store (``tracking_uri``).

    ``InputError`` when the store cannot be used or does not exist: only ``prepare_store`` makes one.
    """
    if not has_store(root):
        raise InputError(
            expected="an MLflow database",
            found="none",
            where=str(database_path(root)),
            remedy="train first: pairvae repro",
        )
    return _open(root)


@contextmanager
def as_default(root: Path) -> Iterator[None]:
    """Make the project's store mlflow's process-wide default, which ``models:/`` needs, and undo that."""
    variable = "MLFLOW_TRACKING_URI"
    before = os.environ.get(variable)
    mlflow.set_tracking_uri(tracking_uri(root))
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)
        if before is not None:
            os.environ[variable] = before


def _check_experiment(root: Path, experiment: Experiment) -> None:
    """``InputError`` when runs of this experiment would not be written below the project."""
    where = f"experiment {experiment.name!r} in {database_path(root)}"
    if experiment.lifecycle_stage != "active":
        raise InputError(
            expected="an experiment in use",
            found="a deleted one",
            where=where,
            remedy=f"run: mlflow experiments restore -x {experiment.experiment_id}, or set another name as "
            "tracking.experiment in params.yaml",
        )
    if not is_local(root):
        return
    if str(experiment.artifact_location).startswith("mlflow-artifacts:"):
        raise InputError(
            expected=f"artifacts under {artifacts_path(root)}",
            found="an experiment made in the MLflow UI, which only a server can write to",
            where=where,
            remedy="set another name as tracking.experiment in params.yaml",
        )
    location = local_path(experiment.artifact_location)
    if location is not None and not location.is_relative_to(root.resolve()):
        raise InputError(
            expected=f"artifacts under {artifacts_path(root)}",
            found=f"{location}: the project was moved or copied",
            where=where,
            remedy="run: pairvae doctor --fix-paths",
        )


def _find_or_create(client: MlflowClient, root: Path, name: str) -> Experiment:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found
    # Where a server keeps its artifacts is the server's choice.
    remote = tracking_uri(root).startswith(("http://", "https://"))
    location = None if remote else (artifacts_path(root) / name).as_uri()
    try:
        return client.get_experiment(client.create_experiment(name, artifact_location=location))
    except MlflowException as error:
        raced = client.get_experiment_by_name(name)
        if error.error_code != "RESOURCE_ALREADY_EXISTS" or raced is None:
            raise
        return raced


def prepare_store(root: Path, experiment: str) -> str:
    """The id of the experiment named ``experiment``, which is made at the first call, as is the database.

    Safe for any number of processes at once. ``InputError`` when the database is corrupt or unwritable, the
    server does not answer, the experiment was deleted, or its artifacts lie elsewhere (the folder was moved).
    """
    with store_lock(root):
        new = not has_store(root)
        client = _open(root)
        if new:
            settle_default(root)
        try:
            found = _find_or_create(client, root, experiment)
        except STORE_ERRORS as error:
            raise _unusable(root, error) from error
    _check_experiment(root, found)
    return str(found.experiment_id)
