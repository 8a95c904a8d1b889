"""Small faults of Python code: another comparison, another operator, another number, a lost sign or result."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NOT_CODE = ("annotation", "returns", "decorator_list", "type_params")  # types and decorators compute nothing


@dataclass(frozen=True)
class Fault:
    """One fault: where it stands, the function around it (``""`` at the module's level), and what it does."""

    line: int
    column: int
    function: str
    before: str
    after: str

    @property
    def name(self) -> str:
        """The fault in one line, unique in its module."""
        return f"{self.line}:{self.column} {self.before} -> {self.after}"


@dataclass(frozen=True)
class _Place:
    """A child of a syntax tree's node, by field and position in it (``None``: the field is the child)."""

    parent: ast.AST
    field: str
    position: int | None

    def put(self, node: ast.AST) -> None:
        if self.position is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.position] = node


def faults(source: str) -> list[Fault]:
    """Every fault of a module, in the order of its lines."""
    return [fault for fault, _, _ in _all(ast.parse(source))]


def planted(source: str, fault: Fault, filename: str) -> CodeType:
    """The module's code with one fault in it."""
    tree = ast.parse(source)
    for found, place, node in _all(tree):
        if found == fault:
            place.put(ast.copy_location(node, node))
            return compile(ast.fix_missing_locations(tree), filename, "exec")
    raise ValueError(f"no fault {fault.name}")


def _all(tree: ast.Module) -> list[tuple[Fault, _Place, ast.AST]]:
    found = []
    for place, child, function in _walk(tree, ""):
        for node in _changes(child):
            before, after = _text(child), _text(node)
            fault = Fault(
                getattr(child, "lineno", 0), getattr(child, "col_offset", 0), function, before, after
            )
            found.append((fault, place, node))
    return found


def _walk(node: ast.AST, function: str) -> Iterator[tuple[_Place, ast.AST, str]]:
    for field, value in ast.iter_fields(node):
        if field in NOT_CODE:
            continue
        for position, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST):
                continue
            yield _Place(node, field, position), child, function
            inner = function
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = f"{function}.{child.name}".lstrip(".")
            yield from _walk(child, inner)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """The faulty copies of a node."""
    if isinstance(node, ast.Compare):
        for place, sign in enumerate(node.ops):
            signs = [*node.ops]
            signs[place] = COMPARISONS[type(sign)]()
            yield _with(node, ops=signs)
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        yield _with(node, op=OPERATORS[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Return) and ast.unparse(node) not in ("return", "return None"):
        yield _with(node, value=ast.Constant(None))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        yield _with(node, value=not node.value if isinstance(node.value, bool) else node.value + 1)


def _with(node: ast.AST, **fields: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _text(node: ast.AST) -> str:
    """A node in one short line; of a statement with a body its condition."""
    shown = node.test if isinstance(node, ast.If | ast.While) else node
    line = " ".join(ast.unparse(shown).split())
    return line if len(line) <= 70 else f"{line[:67]}..."
