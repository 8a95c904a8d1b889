"""A study among the tracked runs: one run for it, below it one for each cell, the same ones after a kill."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairvae import store
from pairvae.commands.study.cells import Cell
from pairvae.reports.validation_scores import run_metrics
from pairvae.stages.project import Project
from pairvae.tracking.runs.lineage import DESCRIPTION
from pairvae.tracking.runs.null import NullTracker
from pairvae.tracking.runs.tracker import Tracker

ABOUT = "Trainings repeated over training sizes, split seeds and variants of the settings, one run for each."


class CellFailedError(Exception):
    """Ends the run of a failed cell as FAILED."""


@dataclass
class StudyRuns:
    """Tells of cells in runs of their own, once each; ``known`` remembers them beyond this process."""

    project: Project
    parent: Tracker
    file: Path
    known: dict[str, Any]

    def tell(self, cell: Cell, result: Mapping[str, Any]) -> None:
        """The scores that a pair is judged by, unless they were told before; the study's tables have all."""
        if self.parent.run_id is None or self._entry(cell).get("done"):
            return
        with self._run(cell) as tracker:
            tracker.log_metrics({**run_metrics(result), "seconds": result["seconds"]})
        self._remember(cell, {**self._entry(cell), "done": True})

    def tell_failed(self, cell: Cell, reason: str) -> None:
        """A failed cell; should it be tried again, that goes on in the same run."""
        if self.parent.run_id is None:
            return
        with contextlib.suppress(CellFailedError), self._run(cell) as tracker:
            tracker.set_tags({"failed": reason})
            raise CellFailedError

    @contextlib.contextmanager
    def _run(self, cell: Cell) -> Iterator[Tracker]:
        from pairvae.tracking.runs.mlflow_run import start_run

        settings = self.project.settings
        tags = {"stage": "study-cell", "preset": settings.preset}
        if cell.variant:
            tags["variant"] = cell.variant
        with start_run(
            self.project.root,
            settings.tracking.experiment,
            cell.name,
            tags=tags,
            parent=self.parent.run_id,
            resume=self._entry(cell).get("run"),
        ) as tracker:
            self._remember(cell, {"run": tracker.run_id, "done": False})
            tracker.log_params({"split.train": cell.train, "split.seed": cell.seed, **dict(cell.changes)})
            yield tracker

    def _entry(self, cell: Cell) -> dict[str, Any]:
        entry: dict[str, Any] = self.known["cells"].get(cell.name, {})
        return entry if entry.get("key", cell.key) == cell.key else {}

    def _remember(self, cell: Cell, entry: Mapping[str, Any]) -> None:
        self.known["cells"][cell.name] = {**entry, "key": cell.key}
        store.write_json(self.file, self.known)


@contextlib.contextmanager
def study_runs(project: Project, base: Path, kind: str, cells: Sequence[Cell]) -> Iterator[StudyRuns]:
    """The run of the study ``kind`` in the folder ``base``; a study that is taken up again goes on in its own."""
    file = base / f"runs-{kind}.json"
    known = store.read_json(file) if file.is_file() else {"parent": None, "cells": {}}
    if not project.track:
        yield StudyRuns(project, NullTracker(), file, known)
        return
    from pairvae.tracking.runs.mlflow_run import start_run

    settings = project.settings
    with start_run(
        project.root,
        settings.tracking.experiment,
        f"{kind} {settings.preset} {len(cells)} cells",
        tags={"stage": "study", "study": kind, "preset": settings.preset, DESCRIPTION: ABOUT},
        resume=known["parent"],
    ) as tracker:
        if tracker.run_id != known["parent"]:
            known = {"parent": tracker.run_id, "cells": {}}
            store.write_json(file, known)
        yield StudyRuns(project, tracker, file, known)
