"""Many callers at once: nothing is lost, nothing grows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests

pytestmark = pytest.mark.slow
CAPACITY = 8
REQUESTS = int(os.environ.get("PAIRVAE_LOAD_REQUESTS", "10000"))


class Running:
    """`pairvae app` as a process of its own."""

    def __init__(self, model: Path) -> None:
        command = [sys.executable, "-m", "pairvae.cli", "app", "--port", "0", "--model", str(model)]
        command += ["--capacity", str(CAPACITY)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split("/  ")[0]

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.fixture
def running(tiny_pair: Path) -> Iterator[Running]:
    one = Running(tiny_pair / "models" / "train-pair")
    yield one
    one.process.terminate()
    _, err = one.process.communicate(timeout=30)
    assert "Traceback" not in err, err


def one_request(session: requests.Session, address: str, content: bytes) -> tuple[int, float]:
    begun = time.monotonic()
    answer = session.post(f"{address}/api/predict.png", params={"source": "saxs"}, data=content, timeout=120)
    assert answer.content  # the whole answer has come
    return answer.status_code, time.monotonic() - begun


def test_four_times_the_capacity_loses_nothing_and_memory_stays(running: Running, pattern: Path) -> None:
    content = pattern.read_bytes()
    codes: Counter[int] = Counter()
    waits: list[float] = []

    def client(share: int) -> None:
        with requests.Session() as session:
            left = share
            while left:
                code, seconds = one_request(session, running.address, content)
                codes[code] += 1
                if code == 200:
                    waits.append(seconds)
                    left -= 1
                else:
                    time.sleep(0.5)  # half of what Retry-After asks for

    def some(number: int) -> float:
        with ThreadPoolExecutor(4 * CAPACITY) as pool:
            list(pool.map(client, [number // (4 * CAPACITY)] * (4 * CAPACITY)))
        return running.memory_mb()

    begun = time.monotonic()
    warm = some(REQUESTS // 10)
    end = some(REQUESTS - REQUESTS // 10)
    took = time.monotonic() - begun
    told = f"{len(waits) / took:.0f} predictions/s, p50 {np.median(waits):.2f} s, p99 {np.quantile(waits, 0.99):.2f} s"
    print(
        f"app: {len(waits)} answers, {codes[503]} told to come again, {told}; {warm:.0f} MB, then {end:.0f} MB"
    )
    assert set(codes) == {200, 503}
    assert len(waits) == REQUESTS // 10 // 32 * 32 + (REQUESTS - REQUESTS // 10) // 32 * 32
    assert end - warm < 20


def test_one_after_the_other_none_is_refused(running: Running, pattern: Path) -> None:
    with requests.Session() as session:
        found = [one_request(session, running.address, pattern.read_bytes()) for _ in range(50)]
    assert {code for code, _ in found} == {200}
    print(f"app: alone, median {np.median([seconds for _, seconds in found]) * 1000:.0f} ms a prediction")


def test_hostile_callers_do_not_stop_it(running: Running, pattern: Path) -> None:
    rng, session = np.random.default_rng(0), requests.Session()
    content = pattern.read_bytes()
    for _ in range(200):
        damaged = bytearray(content)
        for place in rng.integers(0, len(damaged), 8):
            damaged[place] = int(rng.integers(0, 256))
        code, _ = one_request(session, running.address, bytes(damaged[: int(rng.integers(1, len(damaged)))]))
        assert code in (200, 400)
    large = requests.post(
        f"{running.address}/api/predict", params={"source": "saxs"}, data=b"\0" * 40_000_000, timeout=60
    )
    assert large.status_code == 413
    assert one_request(session, running.address, content)[0] == 200
