"""Predictions a second of the preset `fast`, writing off: `python -m benchmarks.predict`.

The networks are untrained, which changes nothing in their speed. One thread, two threads, and two processes with one
thread each, which is what `pairvae predict` does with hundreds of files on two cores.
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import asdict, dataclass

import numpy as np
import torch

from benchmarks import machine
from pairvae.inference.predictor import Predictor
from pairvae.settings import load_settings
from pairvae.stages.training_inputs import shape_of, untrained

COUNT = 200
COLUMNS = {
    "direction": "direction",
    "how": "how",
    "per_second": "predictions/s|.1f",
    "cpu_ms": "CPU ms each|.1f",
    "growth_mb": "peak memory grown, MB|.0f",
}


@dataclass(frozen=True)
class Row:
    """One way to predict many inputs."""

    direction: str
    how: str
    per_second: float
    cpu_ms: float
    growth_mb: float


def predictor() -> Predictor:
    """An untrained pair of the preset `fast`."""
    settings = load_settings(machine.FOLDER.parent / "params.yaml", ["preset=fast"])
    vaes = {name: untrained(settings, name).eval() for name in settings.modalities}
    return Predictor(vaes, {"modalities": {name: {"shape": shape_of(settings, name)} for name in vaes}})


def timed(source: str, target: str, count: int = COUNT) -> tuple[float, float, float]:
    """Wall s, CPU s and growth of the peak memory in MB of ``count`` predictions, a few at a time."""
    model, generator = predictor(), np.random.default_rng(0)
    some = generator.integers(0, 2, (8, *model.shape(source))).astype(np.float32)
    model.predict(some, source, target)
    peak, wall, cpu = machine.peak_memory_gb(), time.perf_counter(), time.process_time()
    for _ in range(count // len(some)):
        model.predict(some, source, target)
    return (
        time.perf_counter() - wall,
        time.process_time() - cpu,
        1024 * (machine.peak_memory_gb() - peak),
    )


def _one_thread(task: tuple[str, str, int]) -> tuple[float, float, float]:
    torch.set_num_threads(1)
    return timed(*task)


def rows(source: str, target: str) -> list[Row]:
    """One thread, two threads, two processes."""
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        wall, cpu, growth = timed(source, target)
        found.append(Row(f"{source}-{target}", f"{threads} threads", COUNT / wall, 1e3 * cpu / COUNT, growth))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        both = pool.map(_one_thread, [(source, target, COUNT)] * 2)
    rate = sum(COUNT / wall for wall, _, _ in both)
    cpu_ms = 1e3 * sum(cpu for _, cpu, _ in both) / (2 * COUNT)
    found.append(Row(f"{source}-{target}", "2 processes", rate, cpu_ms, max(growth for *_, growth in both)))
    return found


def main() -> None:
    """Measure, print the table, write it and the JSON."""
    about = machine.describe()
    found = [asdict(row) for pair in (("saxs", "sem"), ("sem", "saxs")) for row in rows(*pair)]
    shown = machine.table(COLUMNS, found)
    machine.write("predict", "Predictions, writing off", about, [shown], {"predictions": found})


if __name__ == "__main__":
    main()
