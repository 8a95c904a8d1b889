"""What tracking costs a training, as processor time: `python -m benchmarks.tracking PROJECT` (JSON on stdout).

PROJECT holds prepared data; the training, its runs and its models go to a temporary folder. Processor time counts, not
the clock, so that other work on the machine does not change the shares; only how often the thread that sends wakes
does depend on the clock, so its cost a wake-up is told, too.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import machine
from pairvae.stages.project import Project, open_project
from pairvae.stages.train_solo import train_solo
from pairvae.tracking.database import prepare_store
from pairvae.tracking.runs import spooled
from pairvae.tracking.runs.machine import Machine, Sampler
from pairvae.tracking.runs.spooled import Sender, SpooledTracker

CALLS = ("log_params", "log_metrics", "log_image", "log_dataset", "set_status")


class Costs:
    """Processor time (s) and number of calls by what was called."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` with its thread's processor time added up."""

        def run(*given: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return function(*given, **named)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.thread_time() - began
                self.calls[name] = self.calls.get(name, 0) + 1

        return run

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch the tracker's calls in the training's thread, and the two threads beside it."""
        with ExitStack() as stack:
            for name in CALLS:
                wrapped = self.timed(f"call {name}", getattr(SpooledTracker, name))
                stack.enter_context(patch.object(SpooledTracker, name, wrapped))
            for where, name in (
                ("pairvae.tracking.runs.mlflow_run._begin_somewhere", "call start_run"),
                ("pairvae.stages.tracked_training.lineage_tags", "call lineage_tags"),
                ("pairvae.stages.tracked_training.snapshot", "call snapshot"),
            ):
                stack.enter_context(patch(where, self.timed(name, pkgutil.resolve_name(where))))
            for kind, name in ((Sender, "thread that sends"), (Sampler, "thread that measures")):
                stack.enter_context(patch.object(kind, "run", self.timed(name, kind.run)))
            attempt = self.timed("wake-ups of the thread that sends", Sender._attempt)
            stack.enter_context(patch.object(Sender, "_attempt", attempt))
            yield


def measured(project: Project, name: str, folder: Path) -> dict[str, Any]:
    """Shares of one training of ``name`` in ``folder``, percent of its processor time."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "prepared").symlink_to(project.prepared_folder.resolve())
    costs, own = Costs(), Project(folder, folder, project.settings)
    prepare_store(folder, project.settings.tracking.experiment)  # once a project
    Machine()  # imports
    with costs.watched():
        wall, began = time.monotonic(), time.process_time()
        train_solo(own, name)
        total, wall = time.process_time() - began, time.monotonic() - wall
    parts = {key: value for key, value in costs.seconds.items() if not key.startswith("wake-ups")}
    wakes = (
        costs.seconds["wake-ups of the thread that sends"] / costs.calls["wake-ups of the thread that sends"]
    )
    # An idle machine takes as long as its processor works; then the thread wakes once every INTERVAL_S of that
    calls = sum(value for key, value in parts.items() if key.startswith("call"))
    return {
        "training": name,
        "wall_s": round(wall, 2),
        "cpu_s": round(total, 2),
        "share_percent": round(100 * sum(parts.values()) / total, 2),
        "share_of_an_idle_machine_percent": round(100 * (calls / total + wakes / spooled.INTERVAL_S), 2),
        "wake_up_ms": round(1000 * wakes, 1),
        "seconds": {key: round(value, 4) for key, value in sorted(costs.seconds.items())},
        "calls": dict(sorted(costs.calls.items())),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path, help="a folder with params.yaml and data/prepared")
    parser.add_argument("--modality", default="saxs")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    project = open_project(options.changes, folder=options.project)
    print(json.dumps({"machine": machine.describe()}))
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measured(project, options.modality, Path(scratch) / "project"), indent=1))


if __name__ == "__main__":
    main()
