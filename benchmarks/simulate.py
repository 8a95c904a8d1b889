"""Speed and memory of the simulator and of the preprocessing: `python -m benchmarks.simulate --pairs 1000`.

Prints one JSON object. Memory is the largest resident size of this process or of any of its workers, so that a
data set of ten times the size shows whether it grows.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

from pairvae.data.simulate.simulated_folder import simulate
from pairvae.settings import resolve
from pairvae.settings.simulation import SimulationParameters
from pairvae.stages.preprocess import prepare_folder

SMALL = {"sem_rows": 208, "sem_columns": 240, "saxs_px": 128, "saxs_window_nm": 600.0}
MB = 1024  # ru_maxrss counts kB


def peak_mb() -> float:
    """Largest resident size so far, MB."""
    usage = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return round(max(resource.getrusage(who).ru_maxrss for who in usage) / MB, 1)


def measure(pairs: int, physics: SimulationParameters, workers: int | None) -> dict[str, float]:
    """Simulate and prepare ``pairs`` pairs: seconds, pairs a second, peak memory."""
    with tempfile.TemporaryDirectory() as scratch:
        raw, prepared = Path(scratch) / "raw", Path(scratch) / "prepared"
        started = time.monotonic()
        simulate(raw, pairs=pairs, seed=0, parameters=physics, workers=workers)
        simulated, peak = time.monotonic() - started, peak_mb()
        started = time.monotonic()
        prepare_folder(raw, prepared, resolve({}))
        return {
            "pairs": pairs,
            "simulate_s": round(simulated, 2),
            "pairs_per_s": round(pairs / simulated, 2),
            "simulate_peak_mb": peak,
            "preprocess_s": round(time.monotonic() - started, 2),
            "preprocess_peak_mb": peak_mb(),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=72)
    parser.add_argument("--small", action="store_true", help="small images, for many pairs")
    parser.add_argument("--workers", type=int, default=None)
    chosen = parser.parse_args()
    physics = SimulationParameters.model_validate(SMALL if chosen.small else {})
    print(json.dumps(measure(chosen.pairs, physics, chosen.workers)))


if __name__ == "__main__":
    main()
