"""Time and peak memory of each stage of the pipeline on the built-in data: `python -m benchmarks.pipeline`.

Each stage is the command that dvc.yaml calls, a process of its own, in a temporary project folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import machine
from pairvae.errors import InputError
from pairvae.store.outputs import STAGES

ROOT = machine.FOLDER.parent
COLUMNS = {"stage": "stage", "seconds": "s|.1f", "cpu_seconds": "CPU s|.1f", "peak_gb": "peak memory, GB|.2f"}


@dataclass(frozen=True)
class Row:
    """One stage as a process."""

    stage: str
    seconds: float
    cpu_seconds: float
    peak_gb: float


def run_stage(stage: str, folder: Path, changes: list[str]) -> Row:
    """Run one stage as the pipeline does."""
    words = stage.replace("train-", "train ").split()
    options = [word for change in changes for word in ("--set", change)]
    command = [sys.executable, "-m", "pairvae.cli", *words, *options]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InputError(expected="a stage that ends well", found=f"exit {process.returncode}", where=stage)
    cpu = usage.ru_utime + usage.ru_stime
    return Row(stage, time.monotonic() - started, cpu, usage.ru_maxrss / machine.GB)


def main() -> None:
    """Measure, print the table, write it and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    about = machine.describe()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for file in ("params.yaml", "dvc.yaml"):
            shutil.copy(ROOT / file, folder / file)
        rows = [run_stage(stage, folder, options.changes) for stage in STAGES]
    total = Row(
        "all", sum(r.seconds for r in rows), sum(r.cpu_seconds for r in rows), max(r.peak_gb for r in rows)
    )
    rows.append(total)
    shown = machine.table(COLUMNS, [asdict(row) for row in rows])
    machine.write("pipeline", "The pipeline by stage", about, [shown], {"stages": [asdict(r) for r in rows]})


if __name__ == "__main__":
    main()
