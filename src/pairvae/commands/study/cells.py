"""One cell of a study (training size, split, variant): it is trained, scored, and stored as one JSON file."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairvae import store
from pairvae.commands.shared_stages import (
    PREPARED,
    SharingProject,
    solo_stages,
    train_once,
    with_own_backbone,
)
from pairvae.commands.study.final_losses import loss_rows, loss_watch
from pairvae.operating_system import link_folder
from pairvae.settings import Settings, with_values
from pairvae.stages.assess import assess
from pairvae.stages.project import Project
from pairvae.stages.train_pair import train_pair
from pairvae.store.locks import locked
from pairvae.store.model_folder import load_card

DIGITS = 6  # of single scores in the tables


@dataclass(frozen=True)
class Cell:
    """One training size, one split seed, and the settings (dotted keys) that its variant changes."""

    train: int
    seed: int
    variant: str = ""
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """Name of its run."""
        return f"{self.train}-pairs-seed-{self.seed}" + (f"-{self.variant}" if self.variant else "")

    @property
    def key(self) -> str:
        """Name of its files: the same changes under another variant name are the same cell."""
        plain = f"{self.train}-pairs-seed-{self.seed}"
        return f"{plain}-{store.digest(self.changes)[:8]}" if self.changes else plain


@dataclass(frozen=True)
class CellTask:
    """Input of a worker: the project's paths and settings, the study's folder, the cell."""

    project: Project
    base: Path
    cell: Cell
    threads: int

    @property
    def result(self) -> Path:
        """The file of a finished cell."""
        return self.base / "cells" / f"{self.cell.key}.json"


def run_cell(task: CellTask) -> Path:
    """Train and score a cell, unless its file exists; returns that file.

    A killed cell resumes from its checkpoints. If another process works on the cell, this one waits.
    """
    work = task.base / "work" / task.cell.key
    with locked(work.with_name(f"{work.name}.lock")):
        if task.result.is_file():
            return task.result
        with _into_log(work / "log"):
            own = cell_project(task, work)
            _link(own.shared / PREPARED, task.project.prepared_folder)
            for stage in ("pretrain", *solo_stages(own.settings)):
                train_once(own, stage)
            train_pair(own, loss_watch(own, work))
            assess(own)
        store.write_json(task.result, _result(own, task.cell, work))
        shutil.rmtree(work)
    return task.result


def cell_project(task: CellTask, folder: Path) -> SharingProject:
    """The project of a cell: its own folder, the stages before the pair shared with others of the same split."""
    settings = cell_settings(task.project, task.cell, task.threads)
    shared = task.base / "shared" / f"{task.cell.train}-pairs-seed-{task.cell.seed}"
    return SharingProject(folder, folder, settings, track=False, shared=shared)


def cell_settings(project: Project, cell: Cell, threads: int) -> Settings:
    """Settings of a cell: realism unless it is false, and no U-Net, which is slow and the same in all variants."""
    settings = with_own_backbone(project.settings, project.folder)
    if cell.changes:
        settings = with_values(settings, dict(cell.changes), f"variant {cell.variant}")
    unet = settings.baselines.unet.model_copy(update={"epochs": 0})
    return settings.model_copy(
        update={
            "split": settings.split.model_copy(update={"train": cell.train, "seed": cell.seed}),
            "device": settings.device.model_copy(update={"threads": threads or settings.device.threads}),
            "assess": settings.assess.model_copy(update={"realism": settings.assess.realism is not False}),
            "baselines": settings.baselines.model_copy(update={"unet": unet}),
        }
    )


def _link(link: Path, target: Path) -> None:
    """A symbolic link that several processes may want to make at once."""
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        link_folder(link, target)


@contextlib.contextmanager
def _into_log(path: Path) -> Iterator[None]:
    """Redirect the output of stages to a file: several cells run at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("a", encoding="utf-8") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        yield


def _result(own: SharingProject, cell: Cell, work: Path) -> dict[str, Any]:
    metrics = store.read_json(own.reports / "metrics.json")
    assessment = store.read_json(own.reports / "assessment" / "assessment.json")
    folders = [own.model(stage) for stage in (*solo_stages(own.settings), "train-pair")]
    return {
        "train_pairs": cell.train,
        "split_seed": cell.seed,
        "changes": dict(cell.changes),
        "splits": metrics["splits"],
        "uncertainty": metrics["uncertainty"],
        "samples": _samples(assessment),
        "values": {name: _single(distribution) for name, distribution in assessment["distributions"].items()},
        "losses": loss_rows(own, work),
        "seconds": sum(float(load_card(folder)["seconds"]) for folder in folders),
    }


def _samples(assessment: Mapping[str, Any]) -> dict[str, list[str]]:
    """Ids of the pairs of each split, in the order of the scores."""
    names = [pair["id"] for pair in assessment["pairs"]]
    found = {name: [names[row] for row in assessment[name]] for name in ("train", "validation")}
    return {**found, "all": names}


def _single(distributions: Mapping[str, Any]) -> dict[str, Any]:
    """Scores of single samples of the models, of retrieval and of the floor, for the box plots."""
    kept = {name: distributions[name] for name in ("solo", "pair", "floor")}
    kept["baseline retrieval"] = distributions["baselines"]["retrieval"]
    return {
        model: {
            direction: {score: _rounded(values) for score, values in scores.items()}
            for direction, scores in directions.items()
        }
        for model, directions in kept.items()
    }


def _rounded(values: list[float]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values]
