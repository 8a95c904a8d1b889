"""``python -m tools.mutants [--sample N] [--seed S] [PART ...]``: how many planted faults the tests notice.

Parts are folders of the package (``numerics`` and ``evaluation`` unless named), each tested by the folder of that name
below ``tests``. Results are kept in ``.pairvae/mutants``: a run that was stopped goes on, and after tests were changed
only survivors are tried again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch and OpenBLAS are loaded: a fork must not own threads

import numpy as np

from tools.mutants import trial
from tools.mutants.faults import Fault, faults, planted

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "pairvae"
KEPT = ROOT / ".pairvae" / "mutants"
PARTS = ("numerics", "evaluation")


def sample(source: str, count: int, seed: int) -> list[Fault]:
    """``count`` faults of a module, drawn by its text and the seed; all where there are fewer."""
    found = faults(source)
    generator = np.random.default_rng([seed, zlib.crc32(source.encode())])
    chosen = generator.choice(len(found), min(count, len(found)), replace=False)
    return [found[place] for place in sorted(chosen)]


def digest(files: Iterable[Path]) -> str:
    """A short hash of the files' content."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:12]


class Results:
    """Outcomes on the disk, one line each: a killed fault stays killed, a survivor only with the same tests."""

    def __init__(self, file: Path) -> None:
        self.file = file
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        self.known = {tuple(one["key"]): one for one in map(json.loads, lines)}

    def find(self, key: tuple[str, str, str], tests: str) -> str | None:
        """The outcome where it is known."""
        one = self.known.get(key)
        return one["outcome"] if one and (one["outcome"] != "survived" or one["tests"] == tests) else None

    def add(self, key: tuple[str, str, str], tests: str, outcome: str) -> None:
        """Keep one more."""
        self.known[key] = {"key": key, "tests": tests, "outcome": outcome}
        with self.file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(self.known[key]) + "\n")


def try_part(part: str, count: int, seed: int) -> dict[str, dict[str, str]]:
    """Outcome by fault by module of one part."""
    tests = sorted((ROOT / "tests" / part).rglob("test_*.py"))
    stamp = digest(tests)
    results = Results(KEPT / f"{part}.jsonl")
    before = _baseline(part, tests, digest([*tests, *PACKAGE.rglob("*.py")]))
    trial.load(before.libraries)
    table = {}
    for file in sorted((PACKAGE / part).rglob("*.py")):
        source = file.read_text("utf-8")
        module = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        found = {}
        for fault in sample(source, count, seed):
            key = (module, digest([file]), fault.name)
            outcome = results.find(key, stamp)
            if outcome is None:
                order = before.order(str(file), fault.function)
                outcome = trial.outcome(module, planted(source, fault, str(file)), order, before.seconds)
                results.add(key, stamp, outcome)
            found[fault.name] = outcome
        if found:
            table[module] = found
            print(line(module, found), flush=True)
    return table


def _baseline(part: str, tests: list[Path], stamp: str) -> trial.Baseline:
    kept = KEPT / f"{part}-{stamp}.json"
    if kept.exists():
        return trial.Baseline(**json.loads(kept.read_text("utf-8")))
    found = trial.baseline([str(test.relative_to(ROOT)) for test in tests], PACKAGE)
    kept.write_text(json.dumps(vars(found)), "utf-8")
    return found


def line(name: str, found: dict[str, str]) -> str:
    """A row of the table: killed of all."""
    killed = sum(outcome != "survived" for outcome in found.values())
    return f"{name:<48} {killed:>4} / {len(found):<4} {100 * killed / len(found):5.0f} %"


def main(arguments: list[str]) -> int:
    """The exit code: 1 where fewer than ``--least`` percent of a part's faults were noticed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    parser.add_argument("--sample", type=int, default=12, help="faults for each module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--least", type=float, default=80, help="percent")
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    KEPT.mkdir(parents=True, exist_ok=True)
    short = False
    for part in options.parts:
        table = try_part(part, options.sample, options.seed)
        whole = {f"{module}:{name}": one for module, found in table.items() for name, one in found.items()}
        print(line(f"{part}, all", whole))
        print(
            "\n".join(f"  survived  {name}" for name, one in whole.items() if one == "survived"), flush=True
        )
        short |= sum(one != "survived" for one in whole.values()) < options.least / 100 * len(whole)
    return int(short)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
