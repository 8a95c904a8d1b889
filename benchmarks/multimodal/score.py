"""Scores of predictions from elsewhere, by the code that scores pairvae's own.

`python -m benchmarks.multimodal.score PROJECT PREDICTIONS...` reads folders as `train.py` writes them and prints
the medians of the validation pairs; `--out FILE` writes all summaries as JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pairvae import store
from pairvae.errors import InputError
from pairvae.evaluation.baselines.retrieval import at_own_fraction
from pairvae.evaluation.scores.evaluate import Reference, model_errors, summarise
from pairvae.stages.assess import evaluated
from pairvae.stages.project import Project, open_project


def score(project: Project, folders: Sequence[Path]) -> dict[str, Any]:
    """Summaries by folder, split, direction and score (``InputError`` for predictions of other data)."""
    prepared = project.prepared()
    what = evaluated(project, prepared)
    truth = Reference(what)
    members = {"validation": what.validation, "train": what.train}
    found: dict[str, Any] = {}
    for folder in folders:
        card = store.read_json(folder / "card.json")
        if card["digest"] != prepared.digest:
            raise InputError(
                expected="predictions of this project's prepared data",
                found=card["digest"],
                where=str(folder),
                remedy="export and train again",
            )
        images = {
            path.stem: _images(path, what.cropped(path.stem.partition("_")[2])) for path in _files(folder)
        }
        errors = model_errors(truth, images)
        splits = {name: summarise(errors, chosen) for name, chosen in members.items()}
        found[folder.name] = {"card": card, "splits": splits}
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*_*.npy"))


def _images(path: Path, cropped: bool) -> np.ndarray:
    """Patterns as they are; of probabilities ``(N, K, h, w)`` the brightest pixels, as for the U-Net."""
    array: np.ndarray = np.load(path).astype(np.float32)
    if not cropped:
        return array
    n, k, h, w = array.shape
    return np.asarray(at_own_fraction(array.reshape(n * k, 1, h, w)).reshape(n, k, h, w))


def table(found: dict[str, Any]) -> str:
    """Validation medians as a Markdown table."""
    lines = ["| model | direction | score | median | q1 | q3 |", "| --- | --- | --- | --- | --- | --- |"]
    for name, one in found.items():
        for direction, scores in one["splits"]["validation"].items():
            for key, summary in scores.items():
                numbers = " | ".join(f"{summary[part]:.4f}" for part in ("median", "q1", "q3"))
                lines.append(f"| {name} | {direction} | {key} | {numbers} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", type=Path)
    parser.add_argument("predictions", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    scored = score(open_project(folder=given.project, track=False), given.predictions)
    print(table(scored))
    if given.out is not None:
        store.write_json(given.out, scored)
