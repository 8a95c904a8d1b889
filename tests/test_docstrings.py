"""Docstrings of public functions have sections: parameters, and errors that users see.

That a section names every parameter is for ruff (D417); that there is one, no stable rule of it checks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "pairvae"
FOLDERS = ("numerics", "calibration", "training", "models", "evaluation")


def public_functions(folder: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods by ``file::Class.name``; not those of private classes or inside functions."""
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        for owner in (tree, *(node for node in classes if not node.name.startswith("_"))):
            prefix = f"{owner.name}." if isinstance(owner, ast.ClassDef) else ""
            for node in owner.body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    yield f"{path.relative_to(folder).as_posix()}::{prefix}{node.name}", node


def parameters(function: ast.FunctionDef) -> list[str]:
    arguments = function.args
    named = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return [name for name in named if name not in ("self", "cls")]


def raises_input_error(function: ast.FunctionDef) -> bool:
    raised = [node.exc for node in ast.walk(function) if isinstance(node, ast.Raise)]
    called = [each.func for each in raised if isinstance(each, ast.Call)]
    return any(isinstance(each, ast.Name) and each.id == "InputError" for each in called)


def has_section(function: ast.FunctionDef, title: str) -> bool:
    return f"\n\n{title}\n{'-' * len(title)}\n" in (ast.get_docstring(function) or "")


def followed(functions: dict[str, ast.FunctionDef]) -> list[tuple[str, list[str]]]:
    """Names and parameters of the methods with a section: functions that follow one need none of their own."""
    return [
        (name.rpartition(".")[2], parameters(function))
        for name, function in functions.items()
        if "." in name.partition("::")[2] and has_section(function, "Parameters")
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_parameters_have_a_section(folder: str) -> None:
    functions = dict(public_functions(PACKAGE / folder))
    protocols = followed(functions)
    lacking = [
        name
        for name, function in functions.items()
        if len(parameters(function)) >= 2
        and not has_section(function, "Parameters")
        and (function.name, parameters(function)) not in protocols
    ]
    assert functions
    assert not lacking


@pytest.mark.parametrize("folder", FOLDERS)
def test_errors_have_a_section(folder: str) -> None:
    functions = dict(public_functions(PACKAGE / folder))
    raising = {name: function for name, function in functions.items() if raises_input_error(function)}
    assert not [name for name, function in raising.items() if not has_section(function, "Raises")]
    assert not [
        name
        for name, function in raising.items()
        if parameters(function) and not has_section(function, "Parameters")
    ]
