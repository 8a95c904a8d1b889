"""Notebooks without outputs: ``python -m tools.notebooks [FILES]`` strips them, ``--check`` only tells.

Without files it takes all notebooks that git tracks. Exit code 1 where one had outputs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def stripped(notebook: dict[str, Any]) -> dict[str, Any]:
    """The same notebook without outputs and execution counts."""
    cells = [
        {**cell, "outputs": [], "execution_count": None} if cell.get("cell_type") == "code" else cell
        for cell in notebook.get("cells", [])
    ]
    return {**notebook, "cells": cells}


def strip(path: Path, *, check: bool) -> bool:
    """Strip one file (unless ``check``); whether there was anything to strip."""
    before = json.loads(path.read_text("utf-8"))
    after = stripped(before)
    if after == before:
        return False
    if not check:
        path.write_text(json.dumps(after, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return True


def tracked() -> list[Path]:
    """All notebooks of the repository."""
    command = ["git", "ls-files", "*.ipynb"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [Path(line) for line in done.stdout.splitlines()]


def main(arguments: list[str]) -> int:
    """The exit code: 1 where a notebook had outputs."""
    check = "--check" in arguments
    files = [Path(one) for one in arguments if one != "--check"] or tracked()
    found = [path for path in files if strip(path, check=check)]
    for path in found:
        print(f"{path}: {'outputs' if check else 'outputs stripped'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
