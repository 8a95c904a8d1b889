"""``python -m tools.audit``: which locked dependencies have a known hole, by pip-audit and the package index.

An index that keeps no list of holes answers as one that knows of none, so an old release with holes is asked for first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK, HASHES = ROOT / "requirements.lock", ROOT / "requirements.hashes"
CONTROL = "urllib3==1.24.1"  # CVE-2019-11324 and more


class UnansweredError(Exception):
    """The audit could not be done; the words say why."""


def audited(requirements: Path) -> dict[str, Any]:
    """What pip-audit says of a file of pins, as a dictionary (``UnansweredError``)."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    command += ["--requirement", str(requirements), "--no-deps", "--disable-pip"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().splitlines() or ["nothing"]
        raise UnansweredError(f"pip-audit said: {lines[-1][:200]}") from None
    return found


def holes(answer: dict[str, Any]) -> list[str]:
    """A line for each known hole of an answer."""
    return [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version'}"
        for one in answer["dependencies"]
        for hole in one.get("vulns", [])
    ]


def unknown(answer: dict[str, Any]) -> list[str]:
    """The packages that the index said nothing about."""
    return [one["name"] for one in answer["dependencies"] if "skip_reason" in one]


def main() -> list[str]:
    """All that speaks against the locked versions (``UnansweredError``: it cannot be told here)."""
    with tempfile.TemporaryDirectory() as scratch:
        control = Path(scratch, "control.txt")
        control.write_text(CONTROL + "\n")
        if not holes(audited(control)):
            raise UnansweredError(f"the package index here names no hole of {CONTROL}, which has several")
    answer = audited(LOCK)
    return holes(answer) + [f"{name}: the index does not know it" for name in unknown(answer)]


if __name__ == "__main__":
    try:
        told = main()
    except UnansweredError as error:
        sys.exit(f"not audited: {error}")
    print("\n".join(told) or "no known hole")
    sys.exit(bool(told))
