"""Wheel and sdist into a folder (``dist`` unless named), by the build backend itself, without a network."""

from __future__ import annotations

import sys
from pathlib import Path

from hatchling.build import build_sdist, build_wheel


def main(out: Path) -> None:
    """Build both; prints their paths."""
    out.mkdir(parents=True, exist_ok=True)
    for build in (build_wheel, build_sdist):
        print(out / build(str(out)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("dist"))
