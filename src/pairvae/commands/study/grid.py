"""The grid of a study: every cell that is not finished is trained and scored, then the tables are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pairvae import store
from pairvae.commands.study.cells import Cell, CellTask, run_cell
from pairvae.commands.study.result_tables import STUDY, Files, write_tables
from pairvae.commands.study.study_runs import StudyRuns, study_runs
from pairvae.commands.study.summary import Outcome, summary_lines
from pairvae.errors import InputError
from pairvae.parallel.executor import run_tasks
from pairvae.progress import Progress
from pairvae.stages.project import Project
from pairvae.store.code import code_digest
from pairvae.store.locks import held_alone
from pairvae.store.prepared import Prepared

# Settings that do not change what a cell gives: each cell has its own split, and data are named by their digest
NOT_DETERMINING = ("split", "study", "tune", "tracking", "data", "generate", "device")


@dataclass(frozen=True)
class Grid:
    """Training sizes x split seeds x variants (names with changed settings); none: the settings as they are.

    ``kind`` names the tables and the run: study, protocols, ablation, or the name of a file of variants.
    """

    sizes: Sequence[int]
    seeds: Sequence[int]
    kind: str = STUDY
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})

    @property
    def cells(self) -> list[Cell]:
        """All cells, sizes outermost."""
        return [
            Cell(size, seed, name, tuple(sorted(changes.items())))
            for size in self.sizes
            for seed in self.seeds
            for name, changes in self.variants.items()
        ]


def study(project: Project, grid: Grid, *, workers: int = 1, cluster: str | None = None) -> Outcome:
    """Train and score every cell of ``grid`` that is not finished yet, and write the tables of all that are.

    What is finished is kept in ``.pairvae/study/<digest of settings, data and code>``, cell by cell, so that a killed
    study goes on where it was. A cell that fails is named at the end; the others are not lost. With several workers,
    or on a ``cluster`` (see :func:`pairvae.parallel.executor.run_tasks`), each cell has one thread.
    """
    prepared = project.prepared()
    _refuse(prepared, grid)
    base = study_folder(project, prepared)
    threads = 1 if workers > 1 or cluster else 0
    tasks = [CellTask(project, base, cell, threads) for cell in grid.cells]
    with (
        held_alone(base / f"{grid.kind}.lock", f"study {base.name}"),
        study_runs(project, base, grid.kind, grid.cells) as runs,
    ):
        failed = _carry_out(tasks, runs, workers, cluster)
        done = [(task.cell, store.read_json(task.result)) for task in tasks if task.result.is_file()]
        files = Files.of(grid.kind, project.reports)
        rows = write_tables(files, done)
        for path in files.all:
            runs.parent.log_artifact(path)
        runs.parent.set_tags({"cells.finished": len(done), "cells.failed": len(failed)})
    return Outcome(files.all, tuple(summary_lines(rows)), tuple(failed))


def study_folder(project: Project, prepared: Prepared) -> Path:
    """The folder of all cells with these settings, data and code."""
    values = project.settings.model_dump(mode="json")
    device = {key: values["device"][key] for key in ("kind", "precision")}
    for key in NOT_DETERMINING:
        values.pop(key, None)
    values["baselines"].pop("unet", None)  # cells train none
    facts = [values, device, prepared.digest, code_digest("commands.study.cells")]
    return project.root / ".pairvae" / "study" / store.digest(facts)


def _refuse(prepared: Prepared, grid: Grid) -> None:
    most = len(prepared.pairs) - 1
    too_large = [size for size in grid.sizes if not 2 <= size <= most]
    if too_large:
        raise InputError(
            expected=f"training sizes from 2 to {most}",
            found=str(too_large[0]),
            where="study.sizes",
            remedy="name others by --sizes",
        )


def _carry_out(tasks: Sequence[CellTask], runs: StudyRuns, workers: int, cluster: str | None) -> list[str]:
    """Tell of the cells as they end; returns what failed and why."""
    finished = [task for task in tasks if task.result.is_file()]
    rest = [task for task in tasks if not task.result.is_file()]
    for task in finished:
        runs.tell(task.cell, store.read_json(task.result))
    progress = Progress(len(tasks), "study", start_at=len(finished))
    failed: list[str] = []
    for ended in run_tasks(run_cell, rest, workers=workers, cluster=cluster):
        cell = ended.task.cell
        if ended.result is None:
            failed.append(f"{cell.name}: {ended.reason}")
            runs.tell_failed(cell, ended.reason)
        else:
            runs.tell(cell, store.read_json(ended.result))
        progress.advance(f"{cell.name}{' failed' if ended.result is None else ''}")
    return failed


def draw(reports: Path) -> Path:
    """Draw the study's figures from its tables alone; returns their folder (``InputError`` without a table)."""
    from pairvae.reports import study_figures  # matplotlib

    study_figures.draw(Files.of(STUDY, reports).scores, reports / "study")
    return reports / "study"
