"""Digests of the code that a computation runs: what makes a result stale, and what does not."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pairvae.settings.plugins import code_files

PACKAGE = Path(__file__).resolve().parents[1]
DATA = (".yaml", ".json", ".html", ".css", ".js")  # files that modules read
SETTINGS = "presets"  # compared as settings, section by section


def code_digest(module: str) -> str:
    """Digest of everything of pairvae that ``module`` runs, as it was when this process first asked.

    Parameters
    ----------
    module : str
        Dotted name within the package, such as ``"stages.train_pair"``.

    Returns
    -------
    str
        16 hexadecimal digits. They change with the code of the module or of anything it imports, however deep,
        and with the data files that this code names; not with comments, docstrings or the layout of the source.
    """
    return _digest(module, PACKAGE)


def closure(module: str, package: Path = PACKAGE) -> list[Path]:
    """The files that ``module`` runs: its import closure within ``package``, and the data files named there.

    Imports inside functions count. Those inside the functions of a parent package's ``__init__`` do not: they run
    only for callers who ask the package for them. Imports for type checkers alone are left out.

    Raises
    ------
    ValueError
        There is no such module.
    """
    first = _file(package, module)
    if first is None:
        raise ValueError(f"no module {module} in {package}")
    files: set[Path] = set()
    waiting = [first]
    while waiting:
        file = waiting.pop()
        if file in files:
            continue
        files.add(file)
        if file.suffix != ".py":
            continue
        waiting += _parents(package, file)
        waiting += _used(package, file)
    return sorted(files)


@cache
def _digest(module: str, package: Path) -> str:
    files = closure(module, package)
    lines = [f"{file.relative_to(package).as_posix()} {_meaning(file)}" for file in files]
    if package / "settings" / "plugins.py" in files:
        lines += [f"{file.name} {_meaning(file)}" for file in code_files()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@cache
def _meaning(file: Path) -> str:
    """Digest of a file: of its statements for a module, of its bytes otherwise."""
    content = file.read_bytes()
    if file.suffix == ".py":
        content = ast.unparse(_without_docstrings(ast.parse(content))).encode()
    return hashlib.sha256(content).hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body[0] = ast.Pass()
    return tree


@cache
def _used(package: Path, file: Path) -> list[Path]:
    """Modules that a file imports, and data files that its string constants name: beside it, or a folder of data."""
    tree = ast.parse(file.read_bytes())
    inside_functions = file.name != "__init__.py"
    modules = {name for node in _running(tree, inside_functions) for name in _imported(package, file, node)}
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    files = [_file(package, name) for name in modules]
    if "pkgutil" in {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }:
        files += file.parent.glob("*.py")  # it imports whatever lies beside it
    data = [
        path
        for path, of_data in _data_files(package)
        if (path.name in texts and file.parent in path.parents) or (of_data and path.parent.name in texts)
    ]
    return [path for path in files if path is not None] + data


def _running(node: ast.AST, inside_functions: bool) -> Iterator[ast.AST]:
    """The nodes that run, without ``if TYPE_CHECKING:`` and, where asked, without the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        if not inside_functions and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield child
        yield from _running(child, inside_functions)


def _imported(package: Path, file: Path, node: ast.AST) -> Iterator[str]:
    """Dotted names within the package that an import statement loads; names that are no modules are left out later."""
    prefix = f"{package.name}."
    if isinstance(node, ast.Import):
        yield from (name.name.removeprefix(prefix) for name in node.names if name.name.startswith(prefix))
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            folder = file.parents[node.level - 1].relative_to(package)
            base = ".".join([package.name, *folder.parts, *([base] if base else [])])
        if base == package.name or base.startswith(prefix):
            inner = base.removeprefix(package.name).lstrip(".")
            if inner:
                yield inner
            yield from (f"{inner}.{name.name}".lstrip(".") for name in node.names)


def _file(package: Path, module: str) -> Path | None:
    """The file of a module or package, or None where the name is something else."""
    path = package.joinpath(*module.split(".")) if module else package
    for candidate in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if candidate.is_file():
            return candidate
    return None


def _parents(package: Path, file: Path) -> list[Path]:
    """The ``__init__`` files that run before a module does, but for the package's own, which only sets names."""
    folders = [folder for folder in file.parents if folder != package and package in folder.parents]
    return [folder / "__init__.py" for folder in folders if (folder / "__init__.py").is_file()]


@cache
def _data_files(package: Path) -> list[tuple[Path, bool]]:
    """Data files, and whether their folder holds no module."""
    files = [path for path in sorted(package.rglob("*")) if path.suffix in DATA]
    return [(path, not any(path.parent.glob("*.py"))) for path in files if path.parent.name != SETTINGS]
