"""7,200 pairs train one epoch without being in memory all at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import many_pairs

TINY = [
    "sem.network.width=16", "sem.network.noise_channels=8", "sem.network.block_widths=[8, 8, 8]",
    "sem.training.texture.lineal_path=0", "sem.training.batch=128", "saxs.training.batch=128",
    "pair.training.batch=128",
]  # fmt: skip


def trained(folder: Path, count: int) -> dict[str, float]:
    command = [sys.executable, str(many_pairs.__file__), str(folder), str(count), *TINY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_ten_times_as_many_pairs_take_little_more_memory(tmp_path: Path) -> None:
    few, many = trained(tmp_path / "few", 720), trained(tmp_path / "many", 7200)
    assert many["arrays_mb"] > 700
    grown = many["peak_mb"] - few["peak_mb"]
    assert grown < 250, f"{few} {many}: a third of the arrays, as they are on disk"
