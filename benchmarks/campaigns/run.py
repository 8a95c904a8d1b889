"""Simulated campaigns: `python -m benchmarks.campaigns.run --films 42,43,44 --seeds 42-51 --out FILE`.

Each campaign draws 180 films from those simulated: 120 candidates of which only the patterns are known, 8 of them
measured at random, and 60 test films that no strategy sees. Four films at a time are measured, as one of the
strategies chooses, up to 40 pairs. After each step a Gaussian process is refitted in closed form (principal components
of all patterns to descriptors and S(r) of the measured images); its error is taken on the test films.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.campaigns.films import WORLDS, Films, films, together
from pairvae.evaluation.experimental_design.batch import Preferences, greedy_batch
from pairvae.evaluation.experimental_design.features import Targets, component_scores, targets_of
from pairvae.evaluation.experimental_design.gaussian_process import GaussianProcess, fit
from pairvae.store import write_json

POOL, TEST, START, STEP, END = 120, 60, 8, 4, 40
COUNTS = tuple(range(START, END + 1, STEP))
SCORES = ("both", "descriptors", "s2")
Choose = Callable[[GaussianProcess, Targets, np.ndarray, list[int], np.random.Generator], list[int]]


def by_suggestion(
    process: GaussianProcess,
    targets: Targets,
    features: np.ndarray,
    known: list[int],
    rng: np.random.Generator,
) -> list[int]:
    """What `pairvae suggest` chooses."""
    free = np.ones(len(features), bool)
    free[known] = False
    return list(greedy_batch(process, features, STEP, Preferences(allowed=free), targets.weights).chosen)


def by_chance(
    process: GaussianProcess,
    targets: Targets,
    features: np.ndarray,
    known: list[int],
    rng: np.random.Generator,
) -> list[int]:
    """Any."""
    return [
        int(one) for one in rng.choice(np.setdiff1d(np.arange(len(features)), known), STEP, replace=False)
    ]


def by_space(
    process: GaussianProcess,
    targets: Targets,
    features: np.ndarray,
    known: list[int],
    rng: np.random.Generator,
) -> list[int]:
    """The farthest from all measured ones, one after the other (Kennard and Stone 1969)."""
    chosen: list[int] = []
    for _ in range(STEP):
        there = features[known + chosen]
        gaps = ((features[:, None] - there[None]) ** 2).sum(2).min(1)
        chosen.append(int(np.argmax(gaps)))
    return chosen


def by_spread(
    process: GaussianProcess,
    targets: Targets,
    features: np.ndarray,
    known: list[int],
    rng: np.random.Generator,
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
    """Errors after each step: of descriptors (mean over them, in standard deviations), of S(r), the expected one."""
    known = drawn(known, seed)
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
        by_film = (float(np.nanmean(gaps[POOL:])), float(np.mean(curves[POOL:])))
        found["descriptors"].append(by_film[0])
        found["s2"].append(by_film[1])
        found["both"].append((by_film[0] + by_film[1] / curve_scale) / 2)
        variance = process.variance(pool).mean(0) + process.noise_variance
        found["expected"].append(float(np.sqrt(variance[: len(known.names)] / spread**2).mean()))
        if len(measured) >= END:
            return found
        measured += choose(process, targets, pool, measured, rng)


def drawn(known: Films, seed: int) -> Films:
    """The films of one campaign: candidates, then test films, drawn from all simulated ones."""
    rows = np.random.default_rng([seed, 2]).permutation(len(known.s2))[: POOL + TEST]
    truth = {key: values[rows] for key, values in known.truth.items()}
    return Films(known.patterns[rows], known.descriptors[rows], known.s2[rows], known.names, truth)


def all_campaigns(
    folder: Path, sets: list[int], seeds: list[int]
) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """Errors ``(seeds, steps)`` by world, strategy and score."""
    results: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for world in WORLDS:
        known = together([films(world, one, POOL + TEST, folder) for one in sets])
        results[world] = {}
        for strategy, choose in STRATEGIES.items():
            runs = [campaign(known, choose, seed) for seed in seeds]
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
    parser.add_argument("--folder", type=Path, default=Path("campaign-films"), help="where films are kept")
    parser.add_argument("--films", default="42,43", help="seeds of the simulated sets of 180 films")
    parser.add_argument("--seeds", default="42-51")
    parser.add_argument("--out", type=Path, default=None)
    chosen = parser.parse_args()
    first, _, last = chosen.seeds.partition("-")
    results = all_campaigns(
        chosen.folder,
        [int(one) for one in chosen.films.split(",")],
        list(range(int(first), int(last or first) + 1)),
    )
    for world, by_strategy in results.items():
        for score in SCORES:
            goal = by_strategy["random"][score][:, -1]
            for strategy, found in by_strategy.items():
                medians = " ".join(f"{one:.4f}" for one in np.median(found[score], 0))
                pairs = np.median(needed(found[score], goal))
                print(f"{world:6s} {score:11s} {strategy:15s} {medians}  pairs {pairs:.1f}")
    if chosen.out is not None:
        plain = {
            world: {
                name: {key: values.tolist() for key, values in found.items()} for name, found in one.items()
            }
            for world, one in results.items()
        }
        write_json(chosen.out, {"counts": list(COUNTS), "seeds": chosen.seeds, "results": plain})


if __name__ == "__main__":
    main()
