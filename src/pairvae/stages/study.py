"""`pairvae study`: training sizes x split seeds (the paper's Figure 6 and Table S2), resumable cell by cell."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import multiprocessing
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairvae import store
from pairvae.errors import InputError
from pairvae.progress import Progress
from pairvae.settings import flatten
from pairvae.stages.assess import assess
from pairvae.stages.project import Project, code_digest
from pairvae.stages.train import train_pair, train_solo
from pairvae.tracking.tracker import Tracker

TABLE = "study.csv"
COLUMNS = ("train_pairs", "split_seed", "split", "model", "direction", "score", "median", "q1", "q3", "n")


@dataclass(frozen=True)
class Cell:
    """One training size and one split seed."""

    train: int
    seed: int

    @property
    def name(self) -> str:
        """How its folder and its run are called."""
        return f"{self.train}-pairs-seed-{self.seed}"


def study(project: Project, sizes: Sequence[int], seeds: Sequence[int], workers: int = 1) -> Path:
    """Train and assess every cell that is not finished yet; returns the table ``reports/study.csv``.

    Each cell has a folder under ``.pairvae/study`` named by settings, data and code, so that a killed study goes on
    where it was. With several workers each takes one thread.
    """
    prepared = project.prepared()
    too_large = [size for size in sizes if not 2 <= size < len(prepared.pairs)]
    if too_large:
        raise InputError(
            expected=f"training sizes from 2 to {len(prepared.pairs) - 1}",
            found=str(too_large[0]),
            where="--sizes",
        )
    values = project.settings.model_dump(mode="json")
    values.pop("split")
    base = project.root / ".pairvae" / "study" / store.digest([values, prepared.digest, code_digest()])
    cells = [Cell(*pair) for pair in itertools.product(sizes, seeds)]
    with _study_run(project, len(cells)) as tracker:
        for cell, metrics in _finished(project, base, cells, workers):
            _log_cell(project, tracker, cell, metrics)
        rows = [row for cell in cells for row in _rows(cell, _read(base, cell))]
        table = project.reports / TABLE
        _write(table, rows)
        tracker.log_artifact(table)
    return table


def run_cell(project: Project, base: Path, cell: Cell) -> None:
    """Train and assess one cell in a folder of its own, unless it is finished."""
    folder = base / cell.name
    if (folder / "reports" / "metrics.json").is_file():
        return
    (folder / "data").mkdir(parents=True, exist_ok=True)
    link = folder / "data" / "prepared"
    if not link.is_symlink():
        link.symlink_to(project.prepared_folder, target_is_directory=True)
    pretrained = folder / "models" / "pretrain"
    pretrained.parent.mkdir(parents=True, exist_ok=True)
    if not pretrained.is_symlink():
        pretrained.symlink_to(project.model("pretrain"), target_is_directory=True)
    split = project.settings.split.model_copy(update={"train": cell.train, "seed": cell.seed})
    own = dataclasses.replace(
        project, folder=folder, settings=project.settings.model_copy(update={"split": split}), track=False
    )
    for name in own.settings.modalities:
        train_solo(own, name)
    train_pair(own)
    assess(own)


def _worker(project: Project, base: Path, cell: Cell) -> None:
    import torch

    torch.set_num_threads(1)
    device = project.settings.device.model_copy(update={"threads": 1})
    settings = project.settings.model_copy(update={"device": device})
    run_cell(dataclasses.replace(project, settings=settings), base, cell)


def _finished(
    project: Project, base: Path, cells: Sequence[Cell], workers: int
) -> Iterable[tuple[Cell, dict[str, Any]]]:
    """Cells and their metrics as they end."""
    progress = Progress(len(cells), "study")
    if workers == 1:
        for cell in cells:
            run_cell(project, base, cell)
            progress.advance(cell.name)
            yield cell, _read(base, cell)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # two threads each beside another busy process stall one another
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting = {pool.submit(_worker, project, base, cell): cell for cell in cells}
        for future in as_completed(waiting):
            future.result()
            cell = waiting[future]
            progress.advance(cell.name)
            yield cell, _read(base, cell)


def _read(base: Path, cell: Cell) -> dict[str, Any]:
    return store.read_json(base / cell.name / "reports" / "metrics.json")


def _study_run(project: Project, cells: int) -> Any:
    import contextlib

    from pairvae.tracking.null import NullTracker

    if not project.track:
        return contextlib.nullcontext(NullTracker())
    from pairvae.tracking.runs import start_run

    settings = project.settings
    return start_run(
        project.root,
        settings.tracking.experiment,
        f"study {settings.preset} {cells} cells",
        tags={"stage": "study", "preset": settings.preset},
        description="Repetition study: training sizes x split seeds.",
    )


def _log_cell(project: Project, parent: Tracker, cell: Cell, metrics: Mapping[str, Any]) -> None:
    if parent.run_id is None:
        return
    from pairvae.tracking.runs import start_run

    experiment, preset = project.settings.tracking.experiment, project.settings.preset
    tags = {"stage": "study-cell", "preset": preset}
    with start_run(project.root, experiment, cell.name, tags=tags, parent=parent.run_id) as tracker:
        tracker.log_params({"split.train": cell.train, "split.seed": cell.seed})
        flat = flatten({"validation": metrics["splits"]["validation"]})
        medians = {
            key.removesuffix(".median"): value for key, value in flat.items() if key.endswith(".median")
        }
        tracker.log_metrics(medians)


def _rows(cell: Cell, metrics: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Tidy rows of one cell: one score of one direction of one model on one split each."""
    for split, models in metrics["splits"].items():
        flat = {
            **{name: models[name] for name in ("solo", "pair", "floor")},
            **{f"baseline {name}": directions for name, directions in models["baselines"].items()},
        }
        for model, directions in flat.items():
            for direction, scores in directions.items():
                for score, summary in scores.items():
                    values = (cell.train, cell.seed, split, model, direction, score)
                    yield dict(zip(COLUMNS, (*values, *(summary[key] for key in COLUMNS[6:])), strict=True))


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with store.atomic_path(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
