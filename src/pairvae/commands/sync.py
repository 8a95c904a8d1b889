"""`pairvae sync`: what waits for a server, and the finished local runs and models, are sent to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pairvae.errors import InputError, number_of
from pairvae.store.locks import held_alone
from pairvae.store.project_root import OWN_FILES, checked_uri, database_path, is_server, project_root, shown
from pairvae.tracking.runs.outbox import waiting

if TYPE_CHECKING:
    from pairvae.tracking.sync import Synced

MB = 1e6
LOCK = "sync.lock"


def sync(
    folder: Path, target: str | None = None, *, runs: Sequence[str] = (), dry_run: bool = False
) -> list[str]:
    """Send entries that wait, then finished runs and models, to ``target`` (``MLFLOW_TRACKING_URI``); what was done.

    ``InputError``: no server named, one that does not answer, no such run, or another sync at work.
    """
    root = project_root(folder)
    uri = checked_uri(target or os.environ.get("MLFLOW_TRACKING_URI", ""))
    if not is_server(uri):
        raise InputError(
            expected="the address of a tracking server, http://... or https://...",
            found=shown(uri) or "none",
            where="pairvae sync TARGET",
            remedy="name it, or set MLFLOW_TRACKING_URI",
        )
    with held_alone(root / OWN_FILES / LOCK, str(root), kind="sync"), _environment(uri):
        lines = _entries(root, dry_run)
        if not database_path(root).is_file():
            return [*lines, "no local runs"]
        from pairvae.tracking.sync import sync_store  # 3 s of mlflow

        return lines + _summary(sync_store(root, uri, names=runs, dry_run=dry_run), shown(uri), dry_run)


def _entries(root: Path, dry_run: bool) -> list[str]:
    folders = waiting(root)
    if not folders:
        return []
    if dry_run:
        return [f"entries of {number_of(len(folders), 'run')} wait on the disk"]
    from pairvae.tracking.runs.mlflow_run import send_waiting

    left = send_waiting(root)
    if left:
        run_id, number = next(iter(left.items()))
        raise InputError(
            expected="a server that takes all that waits",
            found=f"{number_of(number, 'entry', 'entries')} of run {run_id} left; {number_of(len(left), 'run')} in all",
            where="pairvae sync",
            remedy="nothing is lost: run it again when the server answers",
        )
    return [f"sent what waited of {number_of(len(folders), 'run')}"]


def _summary(done: Synced, where: str, dry_run: bool) -> list[str]:
    verb = "would send" if dry_run else "sent"
    lines = [f"{verb} run {name}" for name in done.runs]
    lines += [f"{verb} {version}" for version in done.versions]
    lines += [f"no files here of {version}: left out" for version in done.without_files]
    lines += done.aliases
    lines.append(
        f"{verb} {number_of(len(done.runs), 'run')} and {number_of(len(done.versions), 'model version')} "
        f"({done.size / MB:.1f} MB) to {where}; there before: {number_of(done.known_runs, 'run')} and "
        f"{number_of(done.known_versions, 'version')}"
    )
    if done.still_open:
        lines.append(f"left out: {number_of(done.still_open, 'unfinished run')} (pairvae doctor tells which)")
    return lines


@contextmanager
def _environment(uri: str) -> Iterator[None]:
    """Let ``uri`` be the project's store meanwhile: entries go where it says."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = uri
    try:
        yield
    finally:
        os.environ.pop("MLFLOW_TRACKING_URI")
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before
