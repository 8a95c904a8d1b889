"""What `pairvae doctor` asks of the stores: runs, registered models, entries that wait, room on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pairvae.errors import number_of
from pairvae.store.project_root import (
    database_path,
    how_to_register,
    is_local,
    local_uri,
    shown,
    tracking_uri,
)
from pairvae.tracking.runs.outbox import Outbox, target_of
from pairvae.tracking.runs.outbox import waiting as waiting_runs

Level = Literal["ok", "note", "problem"]
STUCK_S = 3600.0  # a run that nothing was written to for so long has lost its process
ROOM_GB, LITTLE_GB = 5.0, 1.0
GB = 1e9


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table."""

    check: str
    level: Level
    found: str
    remedy: str = ""


Findings = Iterator[Finding]


def mend_paths(root: Path) -> Findings:
    """Paths of a project that was moved, mended."""
    from pairvae.tracking.relocate import fix_paths

    repair = fix_paths(root)
    if repair.backup is None:
        yield Finding("fix paths", "ok", "nothing to mend")
        return
    yield Finding("fix paths", "ok", f"{sum(repair.rows.values())} paths mended, backup {repair.backup.name}")


def store(root: Path) -> Findings:
    """Whether the store of runs answers, and its artifacts lie in this project."""
    from pairvae.tracking.health import store_problem
    from pairvae.tracking.relocate import foreign_paths

    place = shown(tracking_uri(root))
    if is_local(root) and not database_path(root).is_file():
        yield Finding("store", "note", "no runs yet", "run: pairvae repro")
        return
    foreign = foreign_paths(root) if is_local(root) else []
    if foreign:
        found = f"{len(foreign)} places of artifacts lie in another folder, as {foreign[0]}"
        yield Finding("store", "problem", found, "run: pairvae doctor --fix-paths")
    problem = None if foreign else store_problem(root)
    if problem is not None:
        yield Finding("store", "problem", problem)
    elif not foreign:
        yield Finding("store", "ok", place)


def waiting(root: Path) -> Findings:
    """Entries of runs whose store was away, or whose process was killed before they were sent."""
    for folder in waiting_runs(root):
        with Outbox.abandoned(folder) as outbox:
            if outbox is None:
                continue  # its run is at work and sends for itself
            target, refused = target_of(folder), outbox.refused()
            if len(outbox):
                entries = number_of(len(outbox), "entry", "entries")
                found = f"{entries} of run {target['name']} to send to {target['uri']}"
                own = target["uri"] == shown(local_uri(root))
                remedy = "the next run sends them" if own else "run: pairvae sync " + target["uri"]
                yield Finding("waiting", "note", found, remedy)
            for path in refused:
                yield Finding(
                    "waiting", "note", f"refused by the store: {path}", "look at it, then delete it"
                )


def runs(root: Path) -> Findings:
    """Runs that never ended, and runs whose pictures are gone."""
    from pairvae.tracking.health import open_runs, runs_without_files

    going = open_runs(root)
    lost = [run for run in going if run.alive is False or (run.alive is None and run.idle_s > STUCK_S)]
    for run in lost:
        silent = f"silent for {run.idle_s / 3600:.1f} h" if run.alive is None else "its process is gone"
        yield Finding(
            "runs",
            "note",
            f"{run.name} ({run.run_id}) is RUNNING, {silent}",
            "run its stage again (it resumes), or delete the run",
        )
    for name in runs_without_files(root):
        yield Finding("runs", "note", f"{name}: its pictures are gone", "restore mlruns from a backup")
    yield Finding("runs", "ok", f"{len(going) - len(lost)} running now")


def registry(root: Path) -> Findings:
    """Aliases of registered models, and versions whose files are gone."""
    from pairvae.tracking.health import alias_problems

    aliases, gone = alias_problems(root)
    for place in gone:
        again = how_to_register(root)
        moved = f"run: pairvae doctor --fix-paths; else {again.removeprefix('run: ')}"
        yield Finding("registry", "problem", place, moved if place.startswith("no files") else again)
    for name, known in aliases.items():
        listed = ", ".join(f"{alias} is version {number}" for alias, number in sorted(known.items()))
        yield Finding("registry", "ok", f"{name}: {listed or 'no aliases'}")
    if not aliases:
        yield Finding("registry", "note", "no registered models yet", how_to_register(root))


def disk(root: Path) -> Findings:
    """Room on the disk."""
    free = shutil.disk_usage(root).free / GB
    level: Level = "problem" if free < LITTLE_GB else "note" if free < ROOM_GB else "ok"
    remedy = "" if level == "ok" else "free some space: pairvae gc, dvc gc --workspace"
    yield Finding("disk", level, f"{free:.1f} GB free", remedy)
