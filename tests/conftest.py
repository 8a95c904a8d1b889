"""Fixtures of the whole suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_project import make_project, run_pairvae


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """A project whose whole pipeline has run on eight simulated pairs, within the time that a test has."""
    folder = make_project(tmp_path_factory.mktemp("finished") / "project")
    limit_s = pytestconfig.getoption("timeout") or 300
    done = run_pairvae("repro", cwd=folder, timeout_s=0.93 * float(limit_s))
    (folder / "repro.log").write_text(done.stdout + done.stderr)
    return folder
