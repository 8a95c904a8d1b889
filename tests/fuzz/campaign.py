"""A campaign against one reader: ``python -m fuzz.campaign NAME INPUTS`` (with ``tests`` on the path)."""

import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz.edits import Edit, edited, edits, json_edited
from fuzz.targets import TARGETS, Target
from fuzz.watch import told
from pairvae.errors import InputError

ADDRESS_SPACE = (
    16_000_000_000  # of a campaign's own process: a bomb that is let through ends it, not the machine
)


@dataclass(frozen=True)
class Outcome:
    """Of how many inputs, how many were read and how many were refused in one line, and in how many seconds."""

    inputs: int
    read: int
    refused: int
    seconds: float


def made(target: Target, seeds: list[bytes], which: int, changes: list[Edit]) -> bytes:
    """One input."""
    data = seeds[which % len(seeds)]
    if target.json and which % 2:
        return json_edited(data, changes)
    data = edited(data, changes, seeds[(which + 1) % len(seeds)], target.words)
    return target.repair(data) if target.repair else data


def campaign(name: str, inputs: int, number: int = 0) -> Outcome:
    """Try ``inputs`` inputs (as many more as hypothesis needs to shrink a failure); ``number`` seeds them."""
    target, seeds, counts = TARGETS[name], TARGETS[name].seeds(), Counter[str]()
    if not seeds:  # a format of an extra that is not installed
        return Outcome(0, 0, 0, 0.0)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder = Path(scratch) / "here"
        folder.mkdir()
        if target.setup is not None:
            target.setup(folder)
        path = folder / target.file
        path.write_bytes(seeds[0])
        with suppress(InputError):
            target.read(path)  # what is imported late, is imported now

        @seed(number)
        @settings(
            max_examples=inputs,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.integers(0, 2 * len(seeds) - 1), edits())
        def one(which: int, changes: list[Edit]) -> None:
            path.write_bytes(made(target, seeds, which, changes))
            counts["read" if told(target.read, path) is None else "refused"] += 1

        one()
        others = {entry.name for entry in Path(scratch).iterdir()} - {"here"}
        assert not others, others
    return Outcome(counts.total(), counts["read"], counts["refused"], time.perf_counter() - start)


def main() -> None:
    """Run a campaign and print its outcome as JSON, on the last line."""
    name, inputs = sys.argv[1], int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    print(json.dumps(asdict(campaign(name, inputs))), flush=True)


if __name__ == "__main__":
    main()
