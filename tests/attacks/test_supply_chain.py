"""What comes with pairvae: licences, known holes, and how much of it a prediction loads."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import pytest

from tools import audit, licences
from tools.licences import ROOT

UNNEEDED = (
    "mlflow", "dvc", "optuna", "porespy", "matplotlib", "sklearn", "skimage", "fastapi", "uvicorn", "flask", "pandas",
    "requests", "sqlalchemy", "dask", "distributed", "fabio", "h5py", "torch._dynamo", "sympy", "jinja2",
)  # fmt: skip
MOST_MODULES = 2600  # 1998 with torch 2.13


def test_predicting_loads_no_server_and_no_tracker() -> None:
    """With a model folder; a model of the registry needs MLflow's client."""
    code = (
        "import sys, pairvae.commands.predict; from pairvae.inference.loader import load; load(sys.argv[1]); "
    )
    code += "print(*sorted(sys.modules), sep='\\n')"
    command = [sys.executable, "-c", code, str(ROOT / "tests" / "data" / "model-of-0.1")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
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


def test_all_that_is_locked_but_torch_has_hashes() -> None:
    hashed = audit.HASHES.read_text("utf-8")
    pins = re.findall(r"^(\S+==\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", hashed, re.MULTILINE)
    locked = re.findall(r"^\S+==\S+$", audit.LOCK.read_text("utf-8"), re.MULTILINE)
    assert {plain(pin) for pin, _ in pins} == {plain(pin) for pin in locked if not pin.startswith("torch==")}
    rest = [line for line in hashed.splitlines() if line[:1] not in ("#", " ")]
    assert len(rest) == len(pins) == len(locked) - 1


def plain(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"


def test_an_audit_names_holes_and_whom_nobody_knows() -> None:
    hole = {"id": "CVE-2019-11324", "fix_versions": ["1.24.2"], "aliases": [], "description": ""}
    answer = {
        "dependencies": [
            {"name": "urllib3", "version": "1.24.1", "vulns": [hole]},
            {"name": "numpy", "version": "2.0", "vulns": []},
            {"name": "torch", "skip_reason": "not found"},
        ]
    }
    assert audit.holes(answer) == ["urllib3 1.24.1: CVE-2019-11324, mended in 1.24.2"]
    assert audit.unknown(answer) == ["torch"]


def test_an_index_that_knows_no_holes_is_no_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = {"dependencies": [{"name": "urllib3", "skip_reason": "not found"}]}
    monkeypatch.setattr(audit, "audited", lambda _: silent)
    with pytest.raises(audit.UnansweredError, match="names no hole of urllib3"):
        audit.main()


@pytest.mark.slow
@pytest.mark.timeout(2500)
def test_no_locked_dependency_has_a_known_hole() -> None:
    if importlib.util.find_spec("pip_audit") is None:
        pytest.skip("pip-audit is not installed")
    try:
        assert audit.main() == []
    except audit.UnansweredError as error:
        pytest.skip(f"not audited: {error}")
