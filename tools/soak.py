"""Hours of `watch`, `serve` and `tune` together, each killed (-9) at random: is anything lost, does memory grow?

``python -m tools.soak --project FOLDER --out OUT --minutes 115`` in a checkout; FOLDER is a finished, registered
project of small settings (``tests/small_project.py``) whose own ``src`` is run. Files (whole, in pieces, broken, in
bursts) are fed to the watch, requests to the server, studies to `tune`. Each minute ``soak.json`` (the counts),
``memory.csv`` and ``memory.png`` are written anew, so that a shorter reading is possible; at the end one line.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tools.soak_parts import Client, Feeder, Role, Studies, account, rows_of, tree

DRAIN = 0.12  # of the time, at the end: nothing new is fed, nothing is killed
TICK_S = 0.25


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Soak:
    """The three processes, what is fed to them, and the accounts."""

    def __init__(self, project: Path, out: Path, minutes: float, seed: int) -> None:
        self.out, self.minutes, self.seed = out, minutes, seed
        out.mkdir(parents=True, exist_ok=True)
        (out / "in").mkdir()
        (out / "predicted").mkdir()
        rngs = [np.random.default_rng([seed, number]) for number in range(5)]
        patterns = sorted((project / "data" / "raw" / "SAXS").iterdir())
        port = free_port()
        self.studies = Studies(project)
        watch = ["watch", str(out / "in"), "--to", "sem", "--out", str(out / "predicted"), "--patience", "30"]
        self.roles = [
            Role("watch", lambda: watch, lambda role: "watching " in role.said(), project, out / "watch.log", rngs[0]),
            Role(
                "serve", lambda: ["serve", "--port", str(port)], lambda role: "http://" in role.said(), project,
                out / "serve.log", rngs[1],
            ),
            Role(
                "tune", self.studies.command,
                lambda role: role.process is not None and len(tree(role.process.pid)) > 1, project,
                out / "tune.log", rngs[2], on_end=self.studies.ended,
            ),
        ]  # fmt: skip
        self.feeder = Feeder(out / "in", patterns, rngs[3])
        self.client = Client(port, patterns, rngs[4])
        self.begun = time.monotonic()
        self.seen = (self.begun, 0)

    @property
    def minute(self) -> float:
        """Minutes since the start."""
        return (time.monotonic() - self.begun) / 60

    def run(self) -> dict[str, Any]:
        """All of it; returns the last accounts."""
        self.client.start()
        last = 0
        try:
            while self.minute < self.minutes:
                now, drain = time.monotonic(), self.minute > self.minutes * (1 - DRAIN)
                for role in self.roles:
                    role.step(now, may_kill=not drain)
                self.feeder.step(now, 10**6 if drain else self._waiting)
                if int(self.minute) > last:
                    last = int(self.minute)
                    for role in self.roles:
                        role.measure(self.minute)
                    self.write()
                time.sleep(TICK_S)
        finally:
            self.client.stop.set()
            self.client.join(200)
            for role in self.roles:
                role.end()
        return self.write()

    @property
    def _waiting(self) -> int:
        if time.monotonic() - self.seen[0] > 20:
            done = {row["input"] for row in rows_of(self.out / "predicted" / "predictions.csv")}
            self.seen = (time.monotonic(), len(self.feeder.fed.keys() - done))
        return self.seen[1]

    def accounts(self) -> dict[str, Any]:
        """All counts so far."""
        studies = [dict(self.studies.states(number) or {}) for number in range(self.studies.number + 1)]
        logs = {
            role.name: role.log.read_text("utf-8", "replace") for role in self.roles if role.log.is_file()
        }
        workers = sorted((self.studies.folder / ".pairvae" / "tune").glob("soak-*/worker-*.log"))
        logs["workers"] = "".join(path.read_text("utf-8", "replace") for path in workers)
        return {
            "seed": self.seed,
            "minutes": round(self.minute, 1),
            "files": account(self.feeder, self.out / "predicted"),
            "requests": dict(sorted(self.client.counts.items())),
            "studies": {
                "done": self.studies.number,
                "trials": {
                    state: sum(one.get(state, 0) for one in studies)
                    for state in sorted({state for one in studies for state in one})
                },
                "last": dict(studies[-1]),
            },
            "processes": {
                role.name: {
                    "lives": role.life, "kills": role.kills, "of those while it started": role.early_kills,
                    "ended by itself, by exit code": dict(role.ends),
                    "memory slope, MB an hour": role.slope(),
                    "memory, MB": [round(part) for part in np.percentile([mb for *_, mb in role.samples], [0, 50, 100])]
                    if role.samples else None,
                }
                for role in self.roles
            },
            "tracebacks": {name: text.count("Traceback (most recent") for name, text in logs.items()},
        }  # fmt: skip

    def write(self) -> dict[str, Any]:
        """``soak.json``, ``memory.csv``, ``memory.png``."""
        found = self.accounts()
        hidden = self.out / ".soak.json"
        hidden.write_text(json.dumps(found, indent=1) + "\n")
        hidden.replace(self.out / "soak.json")
        with (self.out / "memory.csv").open("w", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(("process", "minute", "life", "resident_mb"))
            rows.writerows(
                (role.name, f"{t:.2f}", life, f"{mb:.1f}")
                for role in self.roles
                for t, life, mb in role.samples
            )
        self._draw()
        return found

    def _draw(self) -> None:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
        for role, colour in zip(self.roles, ("#0072b2", "#d55e00", "#009e73"), strict=True):
            for life in sorted({one for _, one, _ in role.samples}):
                part = np.array([(t, mb) for t, one, mb in role.samples if one == life])
                label = role.name if life == role.samples[0][1] else None
                axes.plot(*part.T, color=colour, lw=1.2, marker=".", ms=3, label=label)
        axes.set(xlabel="time (min)", ylabel="resident memory (MB)", ylim=(0, None))
        if any(role.samples for role in self.roles):
            axes.legend(frameon=False, ncols=3)
        figure.savefig(self.out / "memory.png", dpi=110)
        plt.close(figure)


def summary(found: dict[str, Any]) -> str:
    """One line."""
    files, asked, roles = found["files"], found["requests"], found["processes"]
    slopes = ", ".join(f"{name} {role['memory slope, MB an hour']}" for name, role in roles.items())
    return (
        f"{found['minutes']} min, {sum(role['kills'] for role in roles.values())} kills: "
        f"{files['good, predicted exactly once']} of {files['good']} files predicted once, "
        f"{files['bad, refused exactly once']} of {files['bad']} bad ones refused once, "
        f"{asked.get('answered', 0) + asked.get('refused, rightly', 0)} of {asked.get('sent', 0)} requests answered, "
        f"{found['studies']['done']} studies with trials {found['studies']['trials']}, "
        f"{files['bytes waiting or lost']} bytes lost, tracebacks {sum(found['tracebacks'].values())}, "
        f"memory slopes (MB an hour) {slopes}"
    )


def main() -> int:
    """Exit code 1 where something was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=115)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    found = Soak(asked.project.resolve(), asked.out.resolve(), asked.minutes, asked.seed).run()
    print(summary(found), flush=True)
    return int(found["files"]["waiting or lost"] > 0 or sum(found["tracebacks"].values()) > 0)


if __name__ == "__main__":
    sys.exit(main())
