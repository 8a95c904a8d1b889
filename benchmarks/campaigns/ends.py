"""Whole trainings at the end of a campaign: `python -m benchmarks.campaigns.ends OUT`.

Of 72 simulated pairs 24 are kept for validation. From 8 of the other 48 a strategy goes on to 28, four at a time, with
what `pairvae suggest` knows (patterns of all, images of those measured). Then the preset `fast` is trained on the 28,
once for each strategy, and scored on the same 24.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from benchmarks import machine
from benchmarks.campaigns.films import POOLED
from benchmarks.campaigns.run import START, STRATEGIES
from benchmarks.films import row, score
from pairvae.data.pairs.manifest import read_pairs, write_pairs
from pairvae.data.simulate.simulated_folder import simulate
from pairvae.evaluation.experimental_design.features import component_scores, targets_of
from pairvae.evaluation.experimental_design.gaussian_process import fit
from pairvae.inference.out_of_distribution import pooled
from pairvae.numerics.colormaps import known_colormap, levels
from pairvae.numerics.descriptors import describe
from pairvae.numerics.morphology import two_point_correlation
from pairvae.stages.preprocess import preprocess
from pairvae.stages.project import Project, open_project
from pairvae.stages.raw import make_raw
from pairvae.store import read_json

PAIRS, POOL, END, LAGS = 72, 48, 28, 64
COLUMNS = {
    "strategy": "chosen by",
    "energy": "energy score|.4f",
    "mean_curve": "mean curve|.4f",
    "mae": "SEM to SAXS: pixels|.4f",
    "ring_position": "ring position|.4f",
}


def prepared_project(folder: Path, source: Path) -> Project:
    """A project on the pairs in ``source``, prepared."""
    folder.mkdir(parents=True, exist_ok=True)
    baselines = {"fft": False, "dual_vae": False, "unet": {"epochs": 0}}
    YAML().dump(
        {"data": {"source": str(source)}, "split": {"train": "auto"}, "baselines": baselines},
        folder / "params.yaml",
    )
    project = open_project([], folder=folder, track=False)
    if not project.prepared_folder.is_dir():
        make_raw(project)
        preprocess(project)
    return project


def chosen_by(strategy: str, whole: Project, seed: int) -> list[int]:
    """Numbers of the 28 pairs, among the first 48."""
    prepared, rng = whole.prepared(), np.random.default_rng(seed)
    coloured = pooled(np.array(prepared.whole("saxs"))).reshape(PAIRS, 3, POOLED, POOLED)
    features = component_scores(levels(coloured, known_colormap(coloured)).reshape(len(coloured), -1))[:POOL]
    images = [np.asarray(image) for image in prepared.images("sem")][:POOL]
    curves = np.stack([two_point_correlation(image)[0, :LAGS] for image in images])
    described = [describe(image.astype(bool)) for image in images]
    known = [int(one) for one in rng.choice(POOL, START, replace=False)]
    while len(known) < END:
        measured = {
            name: np.array([float(described[one][name][0]) for one in known]) for name in described[0]
        }
        targets = targets_of(measured, curves[known])
        process = fit(features[known], targets.values)
        known += STRATEGIES[strategy](process, targets, features, known, rng)
    return known


def split_folder(source: Path, out: Path, chosen: Sequence[int]) -> None:
    """A copy of a folder whose pairs.csv trains on the chosen pairs and validates on those behind the pool."""
    pairs = read_pairs(Path(shutil.copytree(source, out, dirs_exist_ok=True)))
    train = [replace(pairs[one], split="train") for one in sorted(chosen)]
    write_pairs(out / "pairs.csv", [*train, *(replace(pair, split="validation") for pair in pairs[POOL:])])


def main() -> None:
    """Make, choose, train, score and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--strategies", default="suggest,random", help=f"of {', '.join(STRATEGIES)}")
    parser.add_argument("--film", type=int, default=45, help="seed of the simulated pairs")
    parser.add_argument("--seed", type=int, default=42, help="of the first pairs and of random choices")
    given = parser.parse_args()
    about, rows = machine.describe(), []
    source = given.out / f"pairs-{given.film}"
    if not source.is_dir():
        simulate(source, pairs=PAIRS, seed=given.film)
    whole = prepared_project(given.out / f"whole-{given.film}", source)
    for strategy in given.strategies.split(","):
        name = f"{strategy.replace(' ', '-')}-{given.film}-{given.seed}"
        data = given.out / f"data-{name}"
        split_folder(source, data, chosen_by(strategy, whole, given.seed))
        project = prepared_project(given.out / name, data)
        score(project)
        rows.append({"strategy": strategy} | row(read_json(project.reports / "metrics.json")))
    print(machine.table(COLUMNS, rows), machine.in_words(about))


if __name__ == "__main__":
    main()
