"""Any number of pairs in the memory of a few, at a rate that two cores allow."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def measured(pairs: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.simulate", "--small", "--workers", "2", "--pairs", str(pairs)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_thousand_pairs_need_no_more_memory_than_a_hundred() -> None:
    few, many = measured(100), measured(1000)
    assert many["simulate_peak_mb"] < few["simulate_peak_mb"] + 30
    assert many["pairs_per_s"] >= 2
