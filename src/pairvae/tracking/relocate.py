"""Correct the absolute paths that MLflow keeps after a project folder was moved or copied."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pairvae.errors import InputError
from pairvae.store.project_root import ARTIFACTS, artifacts_path, database_path, is_local

# Every column of MLflow's tables that holds the place of an artifact (mlflow 3.17).
PATH_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


@dataclass(frozen=True)
class Repair:
    """How many rows of which ``table.column`` were rewritten, and where the database was saved before."""

    rows: dict[str, int]
    backup: Path | None


def local_path(location: str | None) -> Path | None:
    """The folder that a plain path or a ``file:`` address names; None for any other address."""
    if not location:
        return None
    if Path(location).is_absolute():
        return Path(location)
    parts = urlsplit(location)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _moved(location: str | None, root: Path) -> str | None:
    """The location under this root of an artifact of another ``.../mlruns/...``, in its original form."""
    path = local_path(location)
    home = artifacts_path(root)
    if path is None or location is None or path.is_relative_to(home) or ARTIFACTS not in path.parts:
        return None
    last = len(path.parts) - 1 - path.parts[::-1].index(ARTIFACTS)
    target = home.joinpath(*path.parts[last + 1 :])
    return target.as_uri() if location.startswith("file:") else str(target)


def check_here(root: Path, folder: Path, where: str) -> None:
    """``InputError`` where files that the project's own store names lie in the ``mlruns`` of another folder.

    A copied project would answer with the other one's files, and without a warning once they differ.
    """
    if is_local(root) and _moved(str(folder), root) is not None:
        raise InputError(
            expected=f"files under {artifacts_path(root)}",
            found=f"{folder}: the project was moved or copied",
            where=where,
            remedy="run: pairvae doctor --fix-paths",
        )


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _changes(connection: sqlite3.Connection, root: Path) -> list[tuple[str, str, str, str]]:
    present = _tables(connection)
    changes = []
    for table, column in PATH_COLUMNS:
        if table not in present:
            continue
        for (old,) in connection.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall():
            new = _moved(old, root)
            if new is not None:
                changes.append((table, column, str(old), new))
    return changes


def foreign_paths(root: Path) -> list[str]:
    """Locations of artifacts in the project's database that lie in another folder's ``mlruns``, sorted."""
    path = database_path(root)
    if not path.is_file():
        return []
    with closing(_open(path)) as connection:
        return sorted({old for _, _, old, _ in _changes(connection, root)})


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60.0)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise InputError(
            expected="an MLflow database",
            found=str(error),
            where=str(path),
            remedy="restore it from a backup",
        ) from error
    return connection


def _save_copy(connection: sqlite3.Connection, path: Path) -> Path:
    number = 1
    while (backup := path.with_name(f"{path.name}.backup-{number}")).exists():
        number += 1
    with closing(sqlite3.connect(backup)) as copy:
        connection.backup(copy)
    return backup


def fix_paths(root: Path) -> Repair:
    """Point every artifact of another folder's ``mlruns`` at ``<root>/mlruns``, after a copy of the database.

    One transaction: all rows or none. ``InputError`` when the database cannot be read.
    """
    path = database_path(root)
    if not path.is_file():
        return Repair({}, None)
    with closing(_open(path)) as connection:
        changes = _changes(connection, root)
        if not changes:
            return Repair({}, None)
        backup = _save_copy(connection, path)
        rows: dict[str, int] = {}
        with connection:
            for table, column, old, new in changes:
                done = connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, old))
                rows[f"{table}.{column}"] = rows.get(f"{table}.{column}", 0) + done.rowcount
    return Repair(rows, backup)
