"""A `pairvae repro` that is killed leaves nobody behind, and the next one goes on."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pairvae.parallel import parent_process
from small_project import make_project, run_pairvae

REPRO = [sys.executable, "-m", "pairvae.cli", "repro", "assess"]
END_S = parent_process.STAGE_GRACE_S + parent_process.DVC_GRACE_S + 10


def waited_for(what: Callable[[], bool], seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while not what():
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)
    return True


def those_in(folder: Path) -> list[str]:
    """Command lines of all processes that work in a folder or name it."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                here = process.cwd() == str(folder) or any(str(folder) in word for word in line)
                found += [" ".join(line)] if here else []
        except psutil.Error:
            continue
    return found


# Below a process that waits for an order to leave: one that looks whether the first is still above it.
PARENT = """
import os, subprocess, sys
environment = {**os.environ, "PAIRVAE_REPRO": str(os.getpid())}
child = subprocess.Popen(["/bin/sh", "-c", f"{sys.executable} -c '{sys.argv[1]}'; exit $?"], env=environment)
print(child.pid, flush=True)
child.wait()
"""
CHILD = """
import pathlib, time
from pairvae.parallel.parent_process import end_with_repro
{before}
end_with_repro({grace})
pathlib.Path("{there}").touch()
try:
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path("{told}").touch()
"""


@pytest.mark.parametrize("ignored", [False, True])
def test_what_runs_below_ends_with_what_was_killed(tmp_path: Path, ignored: bool) -> None:
    there, told = tmp_path / "there", tmp_path / "told"
    # Also where this suite itself was started by a script with `&`, which has it ignored.
    handler = "SIG_IGN" if ignored else "default_int_handler"
    before = f"import signal; signal.signal(signal.SIGINT, signal.{handler})"
    code = CHILD.format(before=before, there=there, told=told, grace=0.5 if ignored else 20).replace("'", '"')
    parent = subprocess.Popen([sys.executable, "-c", PARENT, code], cwd=tmp_path, stdout=subprocess.PIPE)
    try:
        assert waited_for(there.exists, 60)
        time.sleep(3 * parent_process.POLL_S)
        assert not told.exists()  # as long as it lives, nobody is told to end
    finally:
        parent.kill()
        parent.communicate()
    assert waited_for(lambda: not those_in(tmp_path), 30)
    assert told.exists() != ignored


def test_without_a_repro_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(parent_process.threading, "Thread", lambda **_: started.append(1))
    for name in (None, "", "x"):
        monkeypatch.delenv(parent_process.REPRO, raising=False)
        if name is not None:
            monkeypatch.setenv(parent_process.REPRO, name)
        parent_process.end_with_repro()
    assert started == []


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_killed_repro_leaves_nobody_and_the_next_goes_on(finished_project: Path, tmp_path: Path) -> None:
    """Killed in DVC's start, in a stage, and at moments after it, until it comes through; scores are as undisturbed."""
    folder = make_project(tmp_path / "project")
    told: list[str] = []
    for moment in ("", "raw", "preprocess", "train saxs", "train sem", "train pair", "assess"):
        log = tmp_path / "repro.log"
        with log.open("w") as stream:
            process = subprocess.Popen(REPRO, cwd=folder, stdout=stream, stderr=stream)
        word = f"pairvae {moment}" if moment else "pairvae.commands.dvc_process"

        def begun(word: str = word, process: subprocess.Popen[bytes] = process) -> bool:
            return process.poll() is not None or any(word in one for one in those_in(folder))

        seen = waited_for(begun, 900)
        assert seen and process.poll() is None, f"{moment} was not seen:\n{log.read_text()}"
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert waited_for(lambda: not those_in(folder), END_S), (moment, those_in(folder))
        told.append(log.read_text())
    done = run_pairvae(*REPRO[3:], cwd=folder, timeout_s=900)
    told.append(done.stdout + done.stderr)
    lines = [
        line.strip() for text in told for line in text.splitlines() if re.search("lock", line, re.IGNORECASE)
    ]
    usual = re.compile(r"(Generating|Updating) lock file 'dvc.lock'|git add dvc.lock")
    assert {line for line in lines if not usual.fullmatch(line)} == set()
    scores = Path("reports", "metrics.json")
    assert (folder / scores).read_bytes() == (finished_project / scores).read_bytes()
