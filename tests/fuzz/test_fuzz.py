"""Every reader of files that others make, under thousands of damaged and lying files: one line, or nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.campaign import Outcome, campaign
from fuzz.targets import ALL_INPUTS, TARGETS
from fuzz.watch import Misdeed, told
from pairvae.errors import InputError

TESTS = Path(__file__).resolve().parents[1]
QUICK = {"model card": 6, "model weights": 4, "model facts": 4, "params.yaml": 6}
SHARE = float(os.environ.get("PAIRVAE_FUZZ_SHARE", "1"))  # of the inputs of the long campaign


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_are_read_or_refused_in_one_line(name: str) -> None:
    outcome = campaign(name, QUICK.get(name, 15), number=1)
    assert outcome.inputs == outcome.read + outcome.refused
    assert outcome.inputs > 0 or not TARGETS[name].seeds()


def test_the_long_campaign_tries_a_hundred_thousand_inputs() -> None:
    assert ALL_INPUTS >= 100_000


@pytest.mark.slow
def test_a_hundred_thousand_damaged_files(tmp_path: Path) -> None:
    """Each reader in a process of its own, so that one that crashes is named."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    failed, total = [], 0
    for name, target in TARGETS.items():
        inputs = max(1, round(SHARE * target.inputs))
        done = subprocess.run(
            [sys.executable, "-m", "fuzz.campaign", name, str(inputs)],
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=3000,
        )
        if done.returncode:
            failed.append(f"{name}: exit status {done.returncode}\n{done.stderr[-3000:]}")
            continue
        outcome = Outcome(**json.loads(done.stdout.splitlines()[-1]))
        total += outcome.inputs
        print(
            f"fuzz, {name}: {outcome.inputs} inputs, {outcome.read} read, {outcome.refused} refused, "
            f"{outcome.seconds:.0f} s"
        )
    print(f"fuzz: {total} inputs, {len(failed)} readers at fault")
    assert not failed, "\n\n".join(failed)
    assert total >= 0.9 * SHARE * ALL_INPUTS


def write_outside(path: Path) -> None:
    (path.parents[1] / "outside").write_text("x")


def start_a_process(path: Path) -> None:
    subprocess.run(["true"], check=True)


def unpickle(path: Path) -> None:
    import pickle

    pickle.loads(pickle.dumps(Path("x")))


def call_home(path: Path) -> None:
    import socket

    socket.create_connection(("127.0.0.1", 9), timeout=0.1)


@pytest.mark.parametrize("deed", [write_outside, start_a_process, unpickle, call_home])
def test_the_watch_sees_misdeeds(deed: object, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    with pytest.raises(Misdeed):
        told(deed, folder / "a")  # type: ignore[arg-type]  # functions of a path
    assert not (tmp_path / "outside").exists()


def test_the_watch_sees_hangs_and_tracebacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(path: Path) -> None:
        while True:
            pass

    def broken(path: Path) -> None:
        raise KeyError("a traceback")

    def two_lines(path: Path) -> None:
        error = InputError(expected="a", found="b")
        error.args = ("one\ntwo",)
        raise error

    monkeypatch.setattr("fuzz.watch.MOST_SECONDS", 0.05)
    with pytest.raises(Misdeed, match="processor time"):
        told(endless, tmp_path / "a")
    with pytest.raises(KeyError):
        told(broken, tmp_path / "a")
    with pytest.raises(AssertionError):
        told(two_lines, tmp_path / "a")
