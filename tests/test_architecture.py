"""The house: sole importers and forbidden calls. The levels are for import-linter, the light start for test_package."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Set
from pathlib import Path

from ruamel.yaml import YAML

from pairvae.stages.project import stage_module

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


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(PACKAGE).as_posix()}: {node.name}", node


def is_command(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A command of the command line: its parameters are the options that a user may give."""
    return name.startswith("cli/") and bool(node.decorator_list)


def lines_of_code(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, and of a command without its options."""
    first = node.body[0]
    documented = ast.get_docstring(node) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (node.end_lineno or 0) - (first if is_command(name, node) else node).lineno + 1 - docstring


def test_functions_are_short() -> None:
    lengths = {name: lines_of_code(name, node) for name, node in functions()}
    assert {name: length for name, length in lengths.items() if length > 50} == {}


def test_files_are_short() -> None:
    """About 300 lines, docstrings included."""
    lengths = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_bytes().splitlines()) for path in sources()
    }
    assert {name: length for name, length in lengths.items() if length > 320} == {}


def test_functions_take_few_parameters() -> None:
    counts = {}
    for name, node in functions():
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if not is_command(name, node):
            counts[name] = sum(one.arg not in ("self", "cls") for one in given)
    assert {name: count for name, count in counts.items() if count > 8} == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Inside folders neither, and imports inside functions count."""
    modules = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in sources()}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    uses = {name: used_by(path, modules.keys() - {"pairvae"}) for name, path in modules.items()}
    while free := [name for name, used in uses.items() if not used & uses.keys()]:
        for name in free:
            del uses[name]
    assert sorted(uses) == []


def used_by(path: Path, modules: Set[str]) -> set[str]:
    """Those of ``modules`` that a file imports, but for what it imports for type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in for_types:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {name if name in modules else node.module for name in names}
    return found & modules


def test_one_name_is_one_file() -> None:
    """No two modules of one name, but for the command line, whose files are named by the commands that they offer."""
    names = Counter(path.name for path in sources() if path.parent.name != "cli" and path.name[0] != "_")
    same = {"attribution.py", "classifier.py", "conditions.py", "sync.py"}  # one thing at two levels
    assert {name for name, count in names.items() if count > 1} == same


def test_the_page_for_newcomers_names_files_that_are_there() -> None:
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Where to look")[2].partition("\n## ")[0]
    named = [part for part in table.split("`")[1::2] if "/" in part and part != "src/pairvae"]
    assert len(named) > 12
    assert [part for part in named if not (PACKAGE / part).exists()] == []


def test_stages_are_what_dvc_yaml_names_and_what_they_share() -> None:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    there = {path.stem for path in (PACKAGE / "stages").glob("*.py")}
    wanted = {stage_module(stage).partition(".")[2] for stage in stages}
    assert wanted <= there and len(there) <= 16


def test_posix_is_one_module() -> None:
    """What Windows lacks is called in one file, each with what is done instead."""
    lacking = {
        "sched_getaffinity",
        "fork",
        "getuid",
        "geteuid",
        "kill",
        "killpg",
        "setsid",
        "pthread_kill",
        "symlink_to",
    }
    found = set()
    for path in sources():
        name = path.relative_to(PACKAGE).as_posix()
        used = {call.rpartition(".")[2] for call, _ in calls(path) if call.startswith(("os.", "signal."))}
        modules = {"fcntl", "resource", "pwd", "grp", "termios"} & set(imported(path))
        if used & lacking or modules or "SIGKILL" in path.read_text(encoding="utf-8"):
            found.add(name)
    assert found == {"operating_system.py"}
