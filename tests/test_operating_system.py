import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pairvae import operating_system

HIDDEN = str(Path(__file__).with_name("without_posix"))  # what runs at the start of each process
ALL_MODULES = """
import pkgutil
from importlib import import_module
import pairvae
for found in pkgutil.walk_packages(pairvae.__path__, "pairvae."):
    if not found.name.endswith("__main__"):
        import_module(found.name)
"""
# What touches the system: processes, locks, files, databases, servers, the search and the watch
TOUCHING_THE_SYSTEM = (
    "parallel/test_executor.py", "parallel/test_parent_process.py", "data/published", "store", "tracking",
    "test_cli_files.py", "app/test_server.py", "commands/test_watch.py", "commands/test_tune.py",
)  # fmt: skip
LOCKS = """
import filelock, sys
assert filelock.FileLock is filelock.SoftFileLock
from pathlib import Path
from pairvae.store.locks import LockTakenError, folder_alone, held_alone, is_free, locked
folder = Path(sys.argv[1])
for hold in (lambda: locked(folder / "a.lock"), lambda: held_alone(folder / "a.lock", "a")):
    assert is_free(folder / "a.lock")
    with hold():
        assert not is_free(folder / "a.lock")
        try:
            with held_alone(folder / "a.lock", "study a"):
                raise SystemExit("held twice")
        except LockTakenError as error:
            assert "study a" in str(error)
with folder_alone(folder):
    try:
        with folder_alone(folder):
            raise SystemExit("held twice")
    except LockTakenError:
        pass
assert not [path for path in folder.iterdir() if path.name != "a.lock"], list(folder.iterdir())
"""


def without_posix(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in ``cwd`` as on a system without what POSIX alone has."""
    environment = {**os.environ, "PYTHONPATH": HIDDEN, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )


@pytest.mark.slow
def test_every_module_is_there_without_posix(tmp_path: Path) -> None:
    done = without_posix("-c", ALL_MODULES, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_suite_passes_without_posix() -> None:
    tests = [f"tests/{part}" for part in TOUCHING_THE_SYSTEM]
    options = (
        "-m",
        "not slow and not gpu",
        "-p",
        "no:schemathesis",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
        "-q",
    )
    done = without_posix("-m", "pytest", *options, *tests, cwd=Path(__file__).resolve().parent.parent)
    assert done.returncode == 0, done.stdout[-4000:]


def test_commands_work_without_posix(tmp_path: Path) -> None:
    made = without_posix(
        "-m", "pairvae", "data", "simulate", "raw", "--pairs", "2", "--seed", "0", cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr[-2000:]
    assert len(list((tmp_path / "raw" / "SEM").iterdir())) == 2
    assert without_posix("-m", "pairvae", "data", "check", "raw", cwd=tmp_path).returncode in (0, 1)


def test_locks_hold_without_flock(tmp_path: Path) -> None:
    done = without_posix("-c", LOCKS, str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_process_lives_until_it_has_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = operating_system.process_began(child.pid)
    assert operating_system.process_lives(child.pid)
    assert began == operating_system.process_began(child.pid) != "0"
    child.communicate(b"\n")
    assert not operating_system.process_lives(child.pid)
    assert operating_system.process_began(child.pid) == "0"
    assert operating_system.process_lives(10**30), "what cannot be asked is left alone"


@pytest.mark.parametrize(
    ("module", "name"), [(os, "sched_getaffinity"), (os, "getuid"), (signal, "pthread_kill")]
)
def test_what_a_system_lacks_is_done_otherwise(
    module: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(module, name)
    monkeypatch.setattr("getpass.getuser", lambda: (_ for _ in ()).throw(OSError))
    assert operating_system.cores() >= 1
    assert operating_system.user() == ("unknown" if name == "getuid" else f"uid-{os.getuid()}")
    with pytest.raises(KeyboardInterrupt):
        operating_system.interrupt_main_thread()


def test_an_interrupt_reaches_a_child_that_runs_apart() -> None:
    program = "from pairvae.operating_system import take_interrupts; take_interrupts(); print(1, flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **operating_system.apart(),
    )  # fmt: skip
    assert child.stdout is not None and child.stdout.readline().strip() == b"1"
    operating_system.interrupt(child)
    assert b"KeyboardInterrupt" in child.communicate()[1]


def test_a_folder_is_linked_or_the_error_is_told(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "file").write_text("x")
    operating_system.link_folder(tmp_path / "link", tmp_path / "target")
    assert (tmp_path / "link" / "file").read_text() == "x"
    with pytest.raises(FileExistsError):
        operating_system.link_folder(tmp_path / "link", tmp_path / "target")
