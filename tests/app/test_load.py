"""Many callers at once, of the page and of the scoring server: nothing is lost, nothing grows."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import requests

pytestmark = pytest.mark.slow
CAPACITY = 8
CLIENTS = 4 * CAPACITY
REQUESTS = int(os.environ.get("PAIRVAE_LOAD_REQUESTS", "2000"))  # 10,000 once before a release: ten minutes
MOST_GROWTH_MB = 20


class Running:
    """A server as a process of its own: ``what`` of `pairvae`, in the folder ``cwd``."""

    def __init__(self, what: list[str], cwd: Path) -> None:
        command = [sys.executable, "-m", "pairvae.cli", *what, "--port", "0", "--capacity", str(CAPACITY)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=cwd
        )
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        assert told.startswith("http://127.0.0.1:"), self.process.communicate()[1]
        self.address = told.split("/  ")[0]

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def running_as(what: list[str], cwd: Path) -> Iterator[Running]:
    """A server that ends with the block, without a traceback."""
    one = Running(what, cwd)
    try:
        yield one
    finally:
        one.process.terminate()
        _, err = one.process.communicate(timeout=60)
    assert "Traceback" not in err, err


@pytest.fixture
def running(tiny_pair: Path) -> Iterator[Running]:
    with running_as(["app", "--model", "models/train-pair"], tiny_pair) as one:
        yield one


def one_request(session: requests.Session, address: str, content: bytes) -> tuple[int, float]:
    begun = time.monotonic()
    answer = session.post(f"{address}/api/predict.png", params={"source": "saxs"}, data=content, timeout=120)
    assert answer.content  # the whole answer has come
    return answer.status_code, time.monotonic() - begun


@dataclass
class Load:
    """What the callers of a server saw: how often each status, how long each answer took, megabytes of its process."""

    codes: Counter[int] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    took_s: float = 0.0
    memory_mb: list[float] = field(default_factory=list)

    def told(self, name: str) -> str:
        """One line for the protocol."""
        p50, p99 = np.quantile(self.waits, [0.5, 0.99])
        curve = ", ".join(f"{one:.0f}" for one in self.memory_mb)
        return (
            f"{name}: {len(self.waits)} answers, {self.codes[503]} told to come again, "
            f"{len(self.waits) / self.took_s:.0f} predictions/s, p50 {p50:.2f} s, p99 {p99:.2f} s; MB: {curve}"
        )


def loaded(running: Running, content: bytes, requests_wanted: int) -> Load:
    """As many answers as wanted, by callers who come four at a time for each place and come again when refused."""
    found, begun = Load(), time.monotonic()

    def client(share: int) -> None:
        with requests.Session() as session:
            left = share
            while left:
                code, seconds = one_request(session, running.address, content)
                found.codes[code] += 1
                if code == 200:
                    found.waits.append(seconds)
                    left -= 1
                else:
                    assert code == 503, code
                    time.sleep(0.5)  # half of what Retry-After asks for

    for _ in range(10):
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(client, [requests_wanted // 10 // CLIENTS] * CLIENTS))
        found.memory_mb.append(running.memory_mb())
    found.took_s = time.monotonic() - begun
    return found


def none_is_lost(found: Load) -> None:
    assert set(found.codes) == {200, 503}
    assert len(found.waits) == 10 * (REQUESTS // 10 // CLIENTS) * CLIENTS
    assert found.memory_mb[-1] - found.memory_mb[0] < MOST_GROWTH_MB


def test_the_page_at_four_times_its_capacity(running: Running, pattern: Path) -> None:
    found = loaded(running, pattern.read_bytes(), REQUESTS)
    print(found.told("app"))
    none_is_lost(found)


def test_the_scoring_server_at_four_times_its_capacity(finished_project: Path) -> None:
    file = min((finished_project / "data" / "raw" / "SAXS").iterdir())
    with running_as(["serve"], finished_project) as one:
        found = loaded(one, file.read_bytes(), REQUESTS)
    print(found.told("serve"))
    none_is_lost(found)


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
