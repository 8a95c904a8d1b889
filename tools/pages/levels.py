"""The levels of the package as a drawing, from the contract that import-linter holds (.importlinter)."""

from __future__ import annotations

import configparser
from html import escape
from pathlib import Path

CONTRACT = "importlinter:contract:levels"
WIDTH, BOX, GAP, LEFT = 760, 44, 22, 34


def levels(contract: Path) -> list[list[str]]:
    """Dotted modules of each level, the highest first."""
    parser = configparser.ConfigParser()
    parser.read(contract, "utf-8")
    lines = parser[CONTRACT]["layers"].strip().splitlines()
    return [[part.strip(" ()") for part in line.replace(":", "|").split("|")] for line in lines]


def code_lines(package: Path, module: str) -> int:
    """Lines of the Python files of a dotted module."""
    path = package.joinpath(*module.split(".")[1:])
    files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    return sum(len(file.read_text("utf-8").splitlines()) for file in files if file.is_file())


def drawing(contract: Path, package: Path) -> str:
    """The levels as an SVG element: a file imports only from what stands below it."""
    found = levels(contract)
    height = len(found) * (BOX + GAP) - GAP + 4
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Levels of the package, the highest first">'
    ]
    for row, modules in enumerate(found):
        top = 2 + row * (BOX + GAP)
        width = (WIDTH - LEFT - 10 * (len(modules) - 1) - 2) / len(modules)
        parts.append(f'<text class="faint" x="4" y="{top + 27}" font-size="13">{len(found) - 1 - row}</text>')
        for column, module in enumerate(modules):
            parts.append(_box(LEFT + column * (width + 10), top, width, module, code_lines(package, module)))
        if row + 1 < len(found):
            middle = LEFT + (WIDTH - LEFT) / 2
            low = top + BOX + GAP
            parts.append(f'<path d="M{middle} {top + BOX + 3}V{low - 4}m-4 -5l4 5l4 -5"/>')
    return '<div class="levels">' + "".join([*parts, "</svg>"]) + "</div>"


def _box(x: float, y: float, width: float, module: str, lines: int) -> str:
    name = escape(module.removeprefix("pairvae."))
    middle = x + width / 2
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BOX}" rx="4"/>'
        f'<text x="{middle:.1f}" y="{y + 20}" text-anchor="middle" font-size="15">{name}</text>'
        f'<text class="faint" x="{middle:.1f}" y="{y + 36}" text-anchor="middle" font-size="11">{lines:,} lines</text>'
    )
