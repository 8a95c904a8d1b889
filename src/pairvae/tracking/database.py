"""The database of runs: made once, checked at every start, with one clear line when it cannot be used."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import mlflow
import requests
from alembic.util.exc import CommandError
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from pairvae.errors import InputError
from pairvae.store.locks import locked
from pairvae.store.project_root import (
    ARTIFACTS,
    OWN_FILES,
    SQLITE,
    artifacts_path,
    database_path,
    how_to_register,
    is_local,
    is_server,
    local_uri,
    shown,
    store_name,
    tracking_uri,
)
from pairvae.tracking.runs.experiments import check_experiment
from pairvae.tracking.view import description_tag, page_of, view_tags

STORE_ERRORS = (MlflowException, SQLAlchemyError, CommandError)
BUSY_TIMEOUT_S = 60.0
SERVER_TIMEOUT_S = 10.0
SCHEMA = re.compile(r"out-of-date database schema \(found version ([\w-]+)")
MIGRATIONS = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
CAUSE = re.compile(r"\[Errno -?\d+\] ([^\"')\]]+)")
TALKATIVE = ("mlflow.store.db.utils", "mlflow.tracking", "mlflow.store.model_registry", "alembic")


class StoreAwayError(InputError):
    """The store does not answer at present: another attempt may succeed."""


@contextmanager
def store_lock(root: Path) -> Iterator[None]:
    """Hold back the other processes of this project; an unwritable folder is an ``InputError``."""
    path = root / OWN_FILES / "store.lock"
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path))
        except OSError as error:
            raise InputError(
                expected="a project folder that can be written",
                found=error.strerror or str(error),
                where=str(path),
                remedy="mend its permissions or work in a copy",
            ) from error
        yield


def first_line(error: Exception) -> str:
    """The cause: sqlalchemy puts the SQL statement and a link on further lines. Without credentials."""
    if isinstance(error, requests.Timeout):
        return "timed out"
    text = str(error).strip().partition("\n")[0]
    if isinstance(error, requests.ConnectionError) and (cause := CAUSE.search(text)):
        return cause[1].strip()  # not the pools, retries and objects around it
    return shown(text) if text else type(error).__name__


def unusable(root: Path, uri: str, error: Exception) -> InputError:
    """The error message for a store that answered with ``error``, or did not answer."""
    schema = _schema_problem(uri, error)
    if schema is not None:
        version, remedy = schema
        where = store_name(root, uri)
        return InputError(expected="a database of this MLflow", found=version, where=where, remedy=remedy)
    if uri == local_uri(root):
        return InputError(
            expected="a readable and writable MLflow database",
            found=first_line(error),
            where=str(database_path(root)),
            remedy="mend its permissions, or move it away (a new one is made) and restore a backup",
        )
    kind = StoreAwayError if _is_away(error) else InputError
    named = uri == tracking_uri(root)
    return kind(
        expected=f"a usable MLflow store{' in MLFLOW_TRACKING_URI' if named else ''}",
        found=first_line(error),
        where=shown(uri),
        remedy="install the database's driver with pip"
        if isinstance(error, ImportError)
        else f"check the address, the server and the credentials{', or unset the variable' if named else ''}",
    )


def _schema_problem(uri: str, error: Exception) -> tuple[str, str] | None:
    """Problem and remedy for a sound database that was written by another version of MLflow."""
    revision = SCHEMA.search(str(error))
    if revision is None or revision[1] == "None":
        return None
    if any(MIGRATIONS.glob(f"{revision[1]}_*.py")):
        return "one of an earlier MLflow", f"copy it as a backup, then run: mlflow db upgrade '{shown(uri)}'"
    return "one of a later MLflow", "run: pip install --upgrade mlflow"


def _is_away(error: Exception) -> bool:
    if isinstance(error, MlflowException):
        return error.error_code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")
    return isinstance(error, (requests.ConnectionError, requests.Timeout, OperationalError))


@contextmanager
def plainly(root: Path, uri: str | None = None) -> Iterator[None]:
    """Turn the errors of a store that goes away within the block into one clear line (``InputError``)."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, requests.RequestException) as error:
        if not _is_away(error):
            raise
        raise unusable(root, uri or tracking_uri(root), error) from error


def _check_database(path: Path) -> None:
    """Open the file for writing as SQLite would: MLflow's own complaints come late and with tracebacks."""
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
        connection.execute("PRAGMA schema_version").fetchone()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def answers(uri: str, timeout_s: float = SERVER_TIMEOUT_S) -> bool:
    """Whether a server answers; True for a database, which only its driver can check."""
    try:
        _ask(uri, timeout_s)
    except requests.RequestException:
        return False
    return True


def _ask(uri: str, timeout_s: float) -> None:
    if is_server(uri):
        # A proxy answers for a server that is down with 502 to 504; a wrong password is not found here.
        reply = requests.get(f"{uri.rstrip('/')}/health", timeout=timeout_s)
        if reply.status_code >= 500:
            raise requests.ConnectionError(f"status {reply.status_code} {reply.reason}")


def _check_reachable(root: Path, uri: str) -> None:
    try:
        if uri == local_uri(root):
            # Only an existing file: sqlite3 would leave an empty one behind if MLflow then failed.
            if database_path(root).exists():
                _check_database(database_path(root))
        else:
            _ask(uri, SERVER_TIMEOUT_S)  # MLflow itself tries for longer before it gives up
    except (sqlite3.Error, requests.RequestException) as error:
        raise unusable(root, uri, error) from error


@contextmanager
def _shared_lock(root: Path, uri: str) -> Iterator[None]:
    """Hold back other projects that make the same shared SQLite database: two that do so at once break it."""
    with ExitStack() as stack:
        if uri != local_uri(root):  # that one has the store's lock
            with suppress(OSError):  # MLflow reports a read-only folder itself
                stack.enter_context(locked(Path(f"{uri.removeprefix(SQLITE)}.lock")))
        yield


def _make_database(root: Path, uri: str) -> None:
    """Make the SQLite file of ``uri`` where there is none: whole at once, so that a killed process leaves nothing.

    "Default" gets its artifacts beside the file: MLflow would put them under the working folder.
    """
    path = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or not path.is_absolute() or path.exists() or not path.parent.is_dir():
        return
    with _shared_lock(root, uri):
        if path.exists():
            return
        draft = path.with_name(f"{path.name}.new")
        for remains in (draft, path.with_name(f"{draft.name}-journal")):
            remains.unlink(missing_ok=True)
        SqlAlchemyStore(f"{SQLITE}{draft.as_posix()}", str(path.parent / ARTIFACTS)).engine.dispose()
        draft.replace(path)


def open_store(root: Path, uri: str) -> MlflowClient:
    """A client of the store at ``uri`` (``InputError``: unusable), which makes a database that there is not."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    _check_reachable(root, uri)
    try:
        _make_database(root, uri)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    except (*STORE_ERRORS, ImportError, OSError) as error:  # the driver of a database; a folder
        raise unusable(root, uri, error) from error


def has_store(root: Path) -> bool:
    """False while the project has no runs of its own yet, and no other store is named."""
    return not is_local(root) or database_path(root).exists()


def connect(root: Path, uri: str | None = None) -> MlflowClient:
    """A client of the store at ``uri`` (the project's, ``tracking_uri``).

    ``InputError`` when the store cannot be used or does not exist: only ``prepare_store`` makes one.
    """
    address = uri or tracking_uri(root)
    if address == local_uri(root) and not database_path(root).exists():
        raise InputError(
            expected="an MLflow database",
            found="none",
            where=str(database_path(root)),
            remedy=how_to_register(root),
        )
    return open_store(root, address)


@contextmanager
def as_default(root: Path, uri: str | None = None) -> Iterator[None]:
    """Make a store (the project's) mlflow's process-wide default within the block; ``models:/`` needs it."""
    before = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
    address = uri or tracking_uri(root)
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def find_or_create(client: MlflowClient, root: Path, uri: str, name: str) -> Experiment:
    """The experiment of that name. Where a server keeps its artifacts is the server's choice."""
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return experiment
    location = None if is_server(uri) else (artifacts_path(root) / name).as_uri()
    try:
        number = client.create_experiment(name, artifact_location=location, tags=view_tags())
        for key, value in description_tag(number).items():
            client.set_experiment_tag(number, key, value)
        return client.get_experiment(number)
    except MlflowException as error:
        raced = client.get_experiment_by_name(name)
        if error.error_code != "RESOURCE_ALREADY_EXISTS" or raced is None:
            raise
        return raced


def prepare_store(root: Path, experiment: str, uri: str | None = None) -> str:
    """The id of the experiment named ``experiment``, which is made at the first call, as is the database.

    Safe for any number of processes at once. ``InputError`` when the database is corrupt or unwritable, the
    server does not answer (``StoreAwayError``), the experiment was deleted, or its artifacts lie elsewhere (the
    folder was moved). ``uri``: another store than ``tracking_uri``.
    """
    address = uri or tracking_uri(root)
    with store_lock(root):
        client = open_store(root, address)
        try:
            entry = find_or_create(client, root, address, experiment)
        except STORE_ERRORS as error:
            raise unusable(root, address, error) from error
    check_experiment(root, address, entry)
    return str(entry.experiment_id)


def page_with_runs(root: Path, experiment: str) -> str:
    """The part of the UI's address that opens the experiment, which is made if need be, at its runs; "" on error."""
    try:
        number = prepare_store(root, experiment)
        client = connect(root)
        tags = client.get_experiment(number).tags
        for key, value in view_tags().items():
            if tags.get(key) != value:
                client.set_experiment_tag(number, key, value)
    except (InputError, MlflowException):
        return ""  # the page itself reports problems of the store
    return page_of(number)
