"""Every command is killed, runs out of disk and is locked out at many writes; the next run makes up for it."""

import math
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faults.harness import Campaign, Tally, Warm, campaign, moments
from faults.injector import DENIED, FULL, KILL
from faults.stages import SHARE, STAGES, make_snapshots, with_store

# Kills, full disks, locked folders, sizes that are cut off (each told of and deadly), for each stage: a fault costs two
# runs, which take less than a second in the first stages and half a minute in a report
MANY = {
    "raw": (64, 14, 8, 5), "preprocess": (30, 14, 10, 5), "pretrain": (14, 8, 6, 3), "train-saxs": (59, 10, 6, 5),
    "train-sem": (20, 6, 4, 4), "train-pair": (24, 6, 4, 4), "assess": (10, 4, 3, 3), "generate": (14, 6, 4, 4),
    "report": (6, 2, 1, 1), "fetch": (55, 12, 8, 4), "predict": (32, 8, 4, 4), "study": (6, 2, 2, 1),
}  # fmt: skip
SOME = {"preprocess": (3, 1, 1, 1), "train-saxs": (5, 2, 1, 1), "pretrain": (2, 1, 1, 0)}


def prepared(warm: Warm, name: str, snapshots: dict[str, Path], tmp_path: Path, tally: Tally) -> Campaign:
    return Campaign(warm, STAGES[name], snapshots[name], tmp_path, tally)


def few_of(count: int) -> int:
    """The share of so many faults."""
    return math.ceil(SHARE * count)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_few_faults_change_nothing(warm: Warm, tmp_path: Path, tally: Tally, few: dict[str, Path]) -> None:
    for name, counts in SOME.items():
        campaign(prepared(warm, name, few, tmp_path / name, tally), *counts, np.random.default_rng(0))
    assert tally.problems == []
    assert tally.counts["injected"] >= 19


@pytest.fixture
def few(warm: Warm, tmp_path: Path) -> dict[str, Path]:
    """The project before its first four stages."""
    return make_snapshots(warm, tmp_path, last="train-saxs")


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", MANY)
def test_faults_in_a_stage_change_nothing(
    warm: Warm, snapshots: dict[str, Path], tmp_path: Path, tally: Tally, name: str
) -> None:
    one = prepared(warm, name, snapshots, tmp_path, tally)
    campaign(one, *map(few_of, MANY[name]), np.random.default_rng(zlib.crc32(name.encode())))
    assert tally.problems == []


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_faults_in_a_watch_change_nothing(
    warm: Warm, snapshots: dict[str, Path], tmp_path: Path, tally: Tally
) -> None:
    one = prepared(warm, "watch", snapshots, tmp_path, tally)
    rng, total = np.random.default_rng(1), len(one.events)
    for at in moments(total, few_of(30), rng):
        one.fault(KILL, at)
    for at in moments(total - 20, few_of(4), rng):
        one.fault(DENIED, at)
    for at in moments(total - 20, few_of(4), rng):
        one.fault(FULL, at, kill_after_s=4.0)  # it waits for room
    assert tally.problems == []


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("who", ["main", "worker"])
def test_faults_in_a_search_lose_no_trial(
    warm: Warm, snapshots: dict[str, Path], tmp_path: Path, tally: Tally, who: str
) -> None:
    stage = replace(STAGES["tune"], job={**STAGES["tune"].job, "who": who})
    one = Campaign(warm, stage, snapshots["tune"], tmp_path, tally)
    before = tally.counts["injected"]
    for at in moments(len(one.events), few_of(12), np.random.default_rng(2)):
        one.fault(KILL, at)
    assert tally.problems == []
    assert tally.counts["injected"] - before >= 0.75 * few_of(12)  # the writes of two runs differ a little


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_faults_beside_the_database_of_runs_lose_no_run(
    warm: Warm, snapshots: dict[str, Path], tmp_path: Path, tally: Tally
) -> None:
    place = tmp_path / "project"
    one = Campaign(warm, STAGES["tracked"], with_store(warm, snapshots, place), tmp_path, tally, place)
    rng = np.random.default_rng(3)
    for at in moments(len(one.events), few_of(30), rng):
        one.fault(KILL, at)
    assert tally.problems == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ["preprocess", "train-saxs", "assess", "predict"])
def test_a_disk_that_is_really_full_is_told_and_mended(
    warm: Warm, snapshots: dict[str, Path], tmp_path: Path, tally: Tally, small_disk: Path, name: str
) -> None:
    one = Campaign(warm, STAGES[name], snapshots[name], small_disk, tally)
    for room in (0, 20_000, 200_000):
        place = one.copied("faulted")
        ballast = small_disk / "ballast"
        free = shutil.disk_usage(small_disk).free
        ballast.write_bytes(bytes(max(0, free - room)))
        hit = warm.run(place, *STAGES[name].argv)
        ballast.unlink()
        one.judge(f"{name}: {room} bytes free", place, hit, "small disk", dead=False)
    assert tally.problems == []
