"""What comes with pairvae: licences, known holes, and how much of it a prediction loads."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tools import licences

ROOT = Path(__file__).resolve().parents[2]
UNNEEDED = (
    "mlflow", "dvc", "optuna", "porespy", "matplotlib", "sklearn", "skimage", "fastapi", "uvicorn", "flask", "pandas",
    "requests", "sqlalchemy", "dask", "distributed", "fabio", "h5py", "torch._dynamo", "sympy", "jinja2",
)  # fmt: skip
MOST_MODULES = 2600  # 1998 with torch 2.13


def test_predicting_loads_no_server_and_no_tracker() -> None:
    """With a model folder; a model of the registry needs MLflow's client."""
    code = "import sys, pairvae.stages.predict; print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = done.stdout.split()
    assert not set(UNNEEDED) & set(loaded)
    assert len(loaded) <= MOST_MODULES


def test_licences_are_known_and_their_page_is_current() -> None:
    packages = licences.locked(licences.LOCK.read_text("utf-8"))
    assert len(packages) > 200
    assert licences.faults(packages) == []
    if any(one.licence is None for one in packages):
        pytest.skip("not everything in the lock is installed")
    assert licences.PAGE.read_text("utf-8") == licences.page(packages), "python -m tools.licences"


def test_a_copyleft_licence_without_a_word_is_a_fault() -> None:
    named = {
        "GPL-3.0": True,
        "GNU Affero General Public License v3": True,
        "LGPL-3.0": True,
        "MIT": False,
        "unknown": True,
    }
    for licence, fault in named.items():
        assert bool(licences.faults([licences.Package("x", "1", licence)])) is fault
    assert licences.faults([licences.Package("edt", "1", "AGPL-3.0")])
    assert not licences.faults([licences.Package("edt", "1", "LGPL-3.0")])


@pytest.mark.slow
def test_no_locked_dependency_has_a_known_hole() -> None:
    if importlib.util.find_spec("pip_audit") is None:
        pytest.skip("pip-audit is not installed")
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        "requirements.lock",
        "--no-deps",
        "--disable-pip",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    if any(
        word in done.stderr for word in ("ConnectionError", "Max retries", "ServiceError", "Name or service")
    ):
        pytest.skip("no network, or no database of holes")
    assert done.returncode == 0, done.stdout + done.stderr
