"""Fixtures of the whole suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_project import make_project, run_pairvae


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose whole pipeline has run on eight simulated pairs."""
    folder = make_project(tmp_path_factory.mktemp("finished") / "project")
    done = run_pairvae("repro", cwd=folder)
    (folder / "repro.log").write_text(done.stdout + done.stderr)
    return folder
