"""The tables of a study: tidy rows from its cells, and the CSV files they are kept in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairvae.commands.study.cells import Cell
from pairvae.store.rows import table

Row = dict[str, Any]
KEYS = ("variant", "train_pairs", "split_seed", "split", "model", "direction", "score")
NUMBERS = ("median", "q1", "q3", "n")
COLUMNS = (*KEYS, *NUMBERS)
ENSEMBLE_SCORES, REALISM_SCORES = ("energy_score", "mean_curve_mae"), ("auc", "control_auc")
IMAGE_COLUMNS = (*KEYS, "sample", "value")
IMAGE_SCORES = ("mae", "s2_mae", "lineal_path_mae")  # those of the paper's box plots
DRAW_COLUMNS = (
    "variant", "train_pairs", "split_seed", "split", "direction", "quantity", "coverage", "diversity",
)  # fmt: skip
LOSS_COLUMNS = ("protocol", "train_pairs", "split_seed", "epoch", "term", "split", "value")
STUDY, PROTOCOLS = "study", "protocols"


@dataclass(frozen=True)
class Files:
    """Where a study's tables go: ``scores``, single ones in ``images``, what several ``draws`` of one input are worth,
    and ``losses`` of the protocol study."""

    scores: Path
    images: Path
    draws: Path
    losses: Path | None

    @staticmethod
    def of(kind: str, reports: Path) -> Files:
        """The files of the study ``kind``: study, protocols, ablation, or the name of a file of variants."""
        if kind == PROTOCOLS:
            own = (f"{kind}_scores.csv", f"{kind}_images.csv", f"{kind}_draws.csv", f"{kind}.csv")
            return Files(*(reports / name for name in own))
        return Files(
            reports / f"{kind}.csv", reports / f"{kind}_images.csv", reports / f"{kind}_draws.csv", None
        )

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file."""
        return tuple(path for path in (self.scores, self.images, self.draws, self.losses) if path is not None)


def score_rows(cell: Cell, result: Mapping[str, Any]) -> Iterator[Row]:
    """One score of one direction of one model on one split each."""
    for split, models in result["splits"].items():
        flat = {name: models[name] for name in ("solo", "pair", "whole", "floor") if name in models}
        flat |= {f"baseline {name}": directions for name, directions in models["baselines"].items()}
        for model, directions in flat.items():
            for direction, scores in directions.items():
                for score, summary in scores.items():
                    found = (cell.variant, cell.train, cell.seed, split, model, direction, score)
                    yield dict(zip(COLUMNS, (*found, *(summary[key] for key in NUMBERS)), strict=True))
        for model, direction, score, value, n in _ensemble_rows(models):
            found = (cell.variant, cell.train, cell.seed, split, model, direction, score)
            yield dict(zip(COLUMNS, (*found, value, "", "", n), strict=True))


def _ensemble_rows(models: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Any, int]]:
    """Model, direction, score, value and number of samples of ensembles and of realism, which have no quartiles."""
    direction = next(iter(models["baselines"]["three_nearest_patterns"]), "") if "ensembles" in models else ""
    for method, found in models.get("ensembles", {}).items():
        for score in ENSEMBLE_SCORES:
            if score in found:
                yield f"ensemble {method}", direction, score, found[score], found["n"]
    for own, found in models.get("realism", {}).items():
        for score in REALISM_SCORES:
            yield "pair", own, score, found[score], found["n"]


def image_rows(cell: Cell, result: Mapping[str, Any]) -> Iterator[Row]:
    """Single scores: ``sample`` is a pair, or ``pair/k`` where each of its evaluation crops has its own."""
    for split, models in result["values"].items():
        names = result["samples"][split]
        for model, directions in models.items():
            for direction, scores in directions.items():
                for score in [evaluation for evaluation in IMAGE_SCORES if evaluation in scores]:
                    values = scores[score]
                    found = (cell.variant, cell.train, cell.seed, split, model, direction, score)
                    for sample, value in zip(_labels(names, len(values)), values, strict=True):
                        yield dict(zip(IMAGE_COLUMNS, (*found, sample, value), strict=True))


def _labels(names: Sequence[str], count: int) -> list[str]:
    crops = count // len(names)
    return [name if crops == 1 else f"{name}/{crop + 1}" for name in names for crop in range(crops)]


def draw_rows(cell: Cell, result: Mapping[str, Any]) -> Iterator[Row]:
    """Coverage of 90 % intervals and diversity within a sample, of each quantity of each direction."""
    for split, directions in (result["uncertainty"] or {}).items():
        for direction, facts in directions.items():
            for quantity, diversity in facts["diversity"].items():
                covered = facts["coverage"].get(quantity, {}).get("value")
                found = (cell.variant, cell.train, cell.seed, split, direction, quantity)
                yield dict(zip(DRAW_COLUMNS, (*found, covered, diversity.get("same_sample")), strict=True))


def loss_rows(cell: Cell, result: Mapping[str, Any]) -> Iterator[Row]:
    """Losses by epoch, the protocol in front."""
    for row in result["losses"]:
        yield {
            "protocol": cell.variant, "train_pairs": cell.train, "split_seed": cell.seed, **row,
        }  # fmt: skip


def write_tables(files: Files, finished: Sequence[tuple[Cell, Mapping[str, Any]]]) -> list[Row]:
    """Write the tables of the finished cells, in the order of the cells; returns the rows of scores."""
    scores = [row for cell, result in finished for row in score_rows(cell, result)]
    _write(files.scores, COLUMNS, scores)
    _write(
        files.images, IMAGE_COLUMNS, (row for cell, result in finished for row in image_rows(cell, result))
    )
    _write(files.draws, DRAW_COLUMNS, (row for cell, result in finished for row in draw_rows(cell, result)))
    if files.losses is not None:
        _write(
            files.losses, LOSS_COLUMNS, (row for cell, result in finished for row in loss_rows(cell, result))
        )
    return scores


def _write(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    with table(path, columns) as writer:
        writer.writerows(rows)
