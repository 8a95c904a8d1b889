"""A folder of the built-in film with samples without a partner and conditions: data of the study of what they buy.

``python -m benchmarks.unpaired OUT``: 72 pairs as in ``pairvae data simulate``, then patterns and micrographs of other
samples alone. The conditions are what the simulator drew for each sample: the pitch of the grating, which a laboratory
knows, and the shift of the composition to the bright phase.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pairvae.data.pairs.manifest import read_pairs, write_pairs
from pairvae.data.simulate.simulated_folder import simulate

PAIRS, PATTERNS, MICROGRAPHS = 72, 200, 30
CONDITIONS = {"pitch_nm": "pitch_nm", "bright_shift": "composition"}  # column of pairs.csv: of truth.csv


def make(out: Path, seed: int, workers: int | None = None) -> None:
    """Write the folder ``out``."""
    simulate(out, pairs=PAIRS + PATTERNS + MICROGRAPHS, seed=seed, workers=workers)
    with (out / "truth.csv").open(newline="", encoding="utf-8") as stream:
        truth = {row["id"]: row for row in csv.DictReader(stream)}
    samples = []
    for number, pair in enumerate(read_pairs(out, "use")):
        known = {name: float(truth[pair.id][column]) for name, column in CONDITIONS.items()}
        sample = replace(pair, conditions=known)
        if number >= PAIRS:
            sample = replace(sample, sem=None) if number < PAIRS + PATTERNS else replace(sample, saxs=None)
        samples.append(sample)
    write_pairs(out / "pairs.csv", samples)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m benchmarks.unpaired``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the simulated samples")
    parser.add_argument("--workers", type=int, help="processes; all cores by default")
    given = parser.parse_args(arguments)
    make(given.out, given.seed, given.workers)


if __name__ == "__main__":
    main()
