"""Simulated campaigns: `python -m benchmarks.campaigns.run --films FOLDER --seeds 42-51 --out FILE`.

Each campaign has 120 films of which only the patterns are known, and 8 pairs chosen at random. Four films at a time
are measured, as one of the strategies chooses, up to 40 pairs. After each step a Gaussian process is refitted in
closed form (principal components of all patterns to descriptors and S(r) of the measured images); its error is taken
on 60 further films that no strategy sees.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.campaigns.films import WORLDS, Films, films
from pairvae.evaluation.experimental_design.batch import Preferences, greedy_batch
from pairvae.evaluation.experimental_design.features import Targets, component_scores, targets_of
from pairvae.evaluation.experimental_design.gaussian_process import GaussianProcess, fit
from pairvae.store import write_json

POOL, TEST, START, STEP, END = 120, 60, 8, 4, 40
COUNTS = tuple(range(START, END + 1, STEP))
SCORES = tuple(f"{score}{where}" for where in ("", "_unpaired") for score in ("both", "descriptors", "s2"))
Choose = Callable[[GaussianProcess, Targets, np.ndarray, list[int], np.random.Generator], list[int]]


def by_suggestion(
    process: GaussianProcess, targets: Targets, features: np.ndarray, known: list[int], rng: np.random.Generator
) -> list[int]:
    """What `pairvae suggest` chooses."""
    free = np.ones(len(features), bool)
    free[known] = False
    return list(greedy_batch(process, features, STEP, Preferences(allowed=free), targets.weights).chosen)


def by_chance(
    process: GaussianProcess, targets: Targets, features: np.ndarray, known: list[int], rng: np.random.Generator
) -> list[int]:
    """Any."""
    return [int(one) for one in rng.choice(np.setdiff1d(np.arange(len(features)), known), STEP, replace=False)]


def by_space(
    process: GaussianProcess, targets: Targets, features: np.ndarray, known: list[int], rng: np.random.Generator
) -> list[int]:
    """The farthest from all measured ones, one after the other (Kennard and Stone 1969)."""
    chosen: list[int] = []
    for _ in range(STEP):
        there = features[known + chosen]
        gaps = ((features[:, None] - there[None]) ** 2).sum(2).min(1)
        chosen.append(int(np.argmax(gaps)))
    return chosen


def by_spread(
    process: GaussianProcess, targets: Targets, features: np.ndarray, known: list[int], rng: np.random.Generator
) -> list[int]:
    """The largest predicted variance, without regard to one another."""
    relative = process.variance(features) / process.scale**2 @ targets.weights
    relative[known] = -np.inf
    return [int(one) for one in np.argsort(relative)[::-1][:STEP]]


STRATEGIES: dict[str, Choose] = {
    "suggest": by_suggestion,
    "random": by_chance,
    "space-filling": by_space,
    "largest spread": by_spread,
}


def campaign(known: Films, choose: Choose, seed: int) -> dict[str, list[float]]:
    """Errors after each step: of descriptors (mean over them, in standard deviations) and of S(r); and the expected one."""
    rng = np.random.default_rng([seed, 1])
    features = component_scores(known.patterns)
    pool = features[:POOL]
    spread = np.nanstd(known.descriptors, 0)
    measured = [int(one) for one in rng.choice(POOL, START, replace=False)]
    curve_scale = np.abs(known.s2 - known.s2.mean(0)).mean()
    found: dict[str, list[float]] = {key: [] for key in (*SCORES, "expected")}
    while True:
        described = dict(zip(known.names, known.descriptors[measured].T, strict=True))
        targets = targets_of(described, known.s2[measured])
        process = fit(pool[measured], targets.values)
        predicted = process.predict(features)
        gaps = np.abs(predicted[:, : len(known.names)] - known.descriptors) / spread
        curves = np.abs(targets.curves(predicted) - known.s2).mean(1)
        without = np.setdiff1d(np.arange(POOL), measured)
        for where, films_ in (("", np.arange(POOL, POOL + TEST)), ("_unpaired", without)):
            by_film = (float(np.nanmean(gaps[films_])), float(np.mean(curves[films_])))
            found[f"descriptors{where}"].append(by_film[0])
            found[f"s2{where}"].append(by_film[1])
            found[f"both{where}"].append((by_film[0] + by_film[1] / curve_scale) / 2)
        variance = process.variance(pool).mean(0) + process.noise_variance
        found["expected"].append(float(np.sqrt(variance[: len(known.names)] / spread**2).mean()))
        if len(measured) >= END:
            return found
        measured += choose(process, targets, pool, measured, rng)


def all_campaigns(folder: Path, seeds: list[int]) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """Errors ``(seeds, steps)`` by world, strategy and score."""
    results: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for world in WORLDS:
        known = [films(world, seed, POOL + TEST, folder) for seed in seeds]
        results[world] = {}
        for strategy, choose in STRATEGIES.items():
            runs = [campaign(one, choose, seed) for one, seed in zip(known, seeds, strict=True)]
            results[world][strategy] = {key: np.array([run[key] for run in runs]) for key in runs[0]}
    return results


def needed(errors: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Pairs after which a campaign's error ``(seeds, steps)`` is no more than ``goal`` ``(seeds,)``, interpolated."""
    counts = []
    for row, wanted in zip(errors, goal, strict=True):
        below = np.flatnonzero(row <= wanted)
        if not len(below):
            counts.append(float(END + STEP))
            continue
        at = int(below[0])
        part = 1.0 if at == 0 else (row[at - 1] - wanted) / max(row[at - 1] - row[at], 1e-12)
        counts.append(COUNTS[at] if at == 0 else COUNTS[at - 1] + STEP * float(part))
    return np.array(counts)


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=Path, default=Path("campaign-films"))
    parser.add_argument("--seeds", default="42-51")
    parser.add_argument("--out", type=Path, default=None)
    chosen = parser.parse_args()
    first, _, last = chosen.seeds.partition("-")
    results = all_campaigns(chosen.films, list(range(int(first), int(last or first) + 1)))
    for world, by_strategy in results.items():
        for score in SCORES:
            goal = by_strategy["random"][score][:, -1]
            for strategy, found in by_strategy.items():
                medians = " ".join(f"{one:.4f}" for one in np.median(found[score], 0))
                pairs = np.median(needed(found[score], goal))
                print(f"{world:6s} {score:11s} {strategy:15s} {medians}  pairs {pairs:.1f}")
    if chosen.out is not None:
        plain = {
            world: {name: {key: values.tolist() for key, values in found.items()} for name, found in one.items()}
            for world, one in results.items()
        }
        write_json(chosen.out, {"counts": list(COUNTS), "seeds": chosen.seeds, "results": plain})


if __name__ == "__main__":
    main()
