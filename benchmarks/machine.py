"""What the benchmarks share: a quiet way to time, the machine's own speed, and where results go."""

from __future__ import annotations

import json
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

FOLDER = Path(__file__).parent
GEMM_SIDE = 2048
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
GB = 1024**2  # ru_maxrss counts kB


def least(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Least wall time and least CPU time of ``work`` in s, after one run to warm up."""
    work()
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


def matrix_product_peak(dtype: torch.dtype, repeats: int) -> float:
    """GFLOP/s of a square matrix product."""
    left, right = (torch.randn(GEMM_SIDE, GEMM_SIDE).to(dtype) for _ in range(2))
    return 2 * GEMM_SIDE**3 / least(lambda: left @ right, repeats)[0] / 1e9


def processor() -> str:
    """The CPU's name."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def describe() -> dict[str, Any]:
    """The machine, the threads in use, and the load before anything is measured."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_before": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def peak_memory_gb() -> float:
    """Largest resident size of this process so far, GB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GB, 2)


def in_words(machine: Mapping[str, Any]) -> str:
    """The machine in one line."""
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads, torch {machine['torch']}, "
        f"Python {machine['python']}; load before the run {machine['load_before']:.1f}"
    )


def table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table: ``columns`` maps a row's key to ``title`` or ``title|format``."""
    titles = [told.partition("|")[0] for told in columns.values()]
    formats = [told.partition("|")[2] for told in columns.values()]
    lines = ["| " + " | ".join(titles) + " |"]
    lines.append("|" + "|".join(" ---: " if one else " --- " for one in formats) + "|")
    for row in rows:
        cells = [
            "" if row.get(key) is None else format(row[key], form)
            for key, form in zip(columns, formats, strict=True)
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write(name: str, title: str, machine: Mapping[str, Any], tables: Sequence[str], results: Any) -> None:
    """``<name>.json`` and ``<name>.md`` in the benchmarks' folder, and the same on the console."""
    told = f"## {title}\n{in_words(machine)}.\n\n" + "\n".join(tables)
    (FOLDER / f"{name}.json").write_text(json.dumps({"machine": machine, **results}, indent=2) + "\n")
    (FOLDER / f"{name}.md").write_text(told)
    print(told)
