"""The notebook docs/tour.ipynb runs on a finished project, and is kept without outputs."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOK = ROOT / "docs" / "tour.ipynb"


def code_cells() -> list[dict[str, Any]]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_public_names_alone_are_imported() -> None:
    script = "\n\n".join("".join(cell["source"]) for cell in code_cells())
    nodes = [node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {name for node in nodes for name in _imported(node) if name.split(".")[0] == "pairvae"}
    assert modules == {"pairvae"}


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]


@pytest.mark.slow
def test_every_cell_runs_on_the_built_in_data(finished_project: Path) -> None:
    """Cell by cell in one interpreter, as a kernel would; figures are drawn without a window."""
    script = "\n\n".join("".join(cell["source"]) for cell in code_cells())
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=finished_project,
        env={**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "8 images" in done.stdout and "champion" in done.stdout
    made = {path.name for path in (finished_project / "tour").iterdir()}
    shutil.rmtree(finished_project / "tour")  # other tests ask what a pipeline leaves in a project
    assert {
        "predictions", "around.npz", "path.npz", "series.gif", "series.csv", "watched", "served.png", "toy",
    } <= made  # fmt: skip
