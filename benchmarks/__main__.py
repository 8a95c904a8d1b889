"""All benchmarks one after the other, each in a process of its own: `python -m benchmarks`, or `make bench`.

Each writes its own JSON and Markdown; results.md joins them.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.machine import FOLDER

NAMES = ("steps", "fast", "growth", "predict", "pipeline")


def main() -> None:
    """Run them, then join their tables."""
    for name in NAMES:
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
    tables = [(FOLDER / f"{name}.md").read_text() for name in NAMES]
    (FOLDER / "results.md").write_text("\n".join(tables))


if __name__ == "__main__":
    main()
