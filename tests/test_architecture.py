"""The house: sole importers and forbidden calls. The levels are for import-linter, the light start for test_package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pairvae"


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Names of all modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def importers(package: str) -> set[str]:
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in sources()
        if any(name.split(".")[0] == package for name in imported(path))
    }


def test_tracking_is_the_only_importer_of_mlflow() -> None:
    assert importers("mlflow")
    assert all(path.startswith("tracking/") for path in importers("mlflow"))


def test_tune_is_the_only_importer_of_optuna() -> None:
    assert importers("optuna")
    assert all(path.startswith("commands/tune/") for path in importers("optuna"))


def test_drawing_is_left_to_reports() -> None:
    allowed = ("reports/", "commands/", "data/")
    assert all(path.startswith(allowed) for path in importers("matplotlib"))


def test_only_training_steps() -> None:
    """``backward`` and ``step`` stand in training alone."""
    found = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr == "backward":
                found.add(path.relative_to(PACKAGE).parts[0])
    assert found == {"training"}


def test_random_numbers_come_from_generators_alone() -> None:
    for path in sources():
        text = path.read_text(encoding="utf-8")
        assert "np.random.seed" not in text, path
        assert "import random\n" not in text, path


def calls(path: Path) -> Iterator[tuple[str, set[str]]]:
    """Dotted name of each call of a file, and its keywords that are plainly true."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            true = {one.arg or "" for one in node.keywords if getattr(one.value, "value", None) is True}
            yield ast.unparse(node.func), true


def test_nothing_is_unpickled() -> None:
    """An unpickled file may run code: weights come from safetensors, or by ``weights_only``."""
    for path in sources():
        assert not {"joblib", "dill", "cloudpickle"} & set(imported(path)), path
        for name, true in calls(path):
            assert not name.startswith("pickle.") or name == "pickle.UnpicklingError", f"{path}: {name}"
            assert name != "torch.load" or "weights_only" in true, path
            assert "allow_pickle" not in true, path
