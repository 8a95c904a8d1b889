"""Time and memory of training as the pairs become more, and as the threads do: `python -m benchmarks.growth`.

Small images and networks (tests/many_pairs.py), one pass over the pairs; each size is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from typing import Any

import torch

from benchmarks import machine

PROGRAM = machine.FOLDER.parent / "tests" / "many_pairs.py"
COLUMNS = {
    "pairs": "pairs|d",
    "threads": "threads|d",
    "saxs_cpu_s": "train saxs, CPU s|.1f",
    "sem_cpu_s": "train sem, CPU s|.1f",
    "pair_cpu_s": "train pair, CPU s|.1f",
    "arrays_mb": "arrays on disk, MB|.0f",
    "peak_mb": "peak memory, MB|.0f",
}


def measure(pairs: int, threads: int) -> dict[str, Any]:
    """Figures of one size, from a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, str(PROGRAM), scratch, str(pairs), f"device.threads={threads}"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found | {"threads": threads}


def main() -> None:
    """Measure, print the table, write it and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="+", default=[72, 720, 7200])
    options = parser.parse_args()
    about = machine.describe()
    rows = [measure(pairs, 1) for pairs in options.pairs]
    if torch.get_num_threads() > 1:
        rows.append(measure(options.pairs[0], torch.get_num_threads()))
    shown = machine.table(COLUMNS, rows)
    machine.write("growth", "Growth with pairs and threads", about, [shown], {"rows": rows})


if __name__ == "__main__":
    main()
