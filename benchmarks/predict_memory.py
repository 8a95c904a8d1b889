"""Memory of `pairvae predict` over many files: `python -m benchmarks.predict_memory MODEL RAW OUT --count 10000`.

The whole command, writing on: files are read, predicted from, measured and written, the tables grow. Each of RAW's
files stands under many names. Prints one line, and writes ``memory.csv`` and ``memory.png`` into OUT.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from pairvae.commands.predict import Request, predict
from pairvae.store.rows import write_table

EVERY_S = 2.0


@dataclass(frozen=True)
class Seen:
    """One look: predictions so far, and MB that are resident."""

    predictions: int
    megabytes: float


def resident_mb() -> float:
    """Resident memory of this process (Linux)."""
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


@dataclass
class Watcher:
    """Looks at this process every two seconds until the block ends."""

    made: Path
    seen: list[Seen] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watcher:
        self.thread = threading.Thread(target=self._work)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _work(self) -> None:
        while not self.stop.wait(EVERY_S):
            if self.made.is_dir():  # tables get their names at the end
                images = sum(one.name.endswith(".png") for one in os.scandir(self.made))
                self.seen.append(Seen(images, resident_mb()))


def many_names(raw: Path, folder: Path, count: int) -> None:
    """``count`` names of the files in ``raw``, taken in turn."""
    folder.mkdir(parents=True)
    files = sorted(raw.iterdir())
    for number in range(count):
        file = files[number % len(files)]
        (folder / f"{number:06d}{file.suffix}").symlink_to(file.resolve())


def draw(seen: list[Seen], path: Path) -> None:
    """The curve."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    axes.plot([one.predictions for one in seen], [one.megabytes for one in seen])
    axes.set(xlabel="predictions", ylabel="resident memory (MB)", ylim=(0, None))
    figure.savefig(path, dpi=120)


def main() -> None:
    """Predict, look, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("model", "raw", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--to", default="sem")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    many_names(asked.raw, asked.out / "in", asked.count)
    wall, cpu = time.perf_counter(), time.process_time()
    with Watcher(asked.out / "made") as watcher:
        made = predict(
            [str(asked.out / "in")],
            Request(to=asked.to, out=asked.out / "made", model=str(asked.model)),
            workers=1,
        )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    write_table(asked.out / "memory.csv", [asdict(one) for one in watcher.seen])
    draw(watcher.seen, asked.out / "memory.png")
    tenth = next(one for one in watcher.seen if one.predictions >= made // 10)
    print(
        f"{made} predictions, {1e3 * cpu / made:.1f} ms of processor time each ({wall:.0f} s); "
        f"{tenth.megabytes:.0f} MB after a tenth, {watcher.seen[-1].megabytes:.0f} MB at the end"
    )


if __name__ == "__main__":
    main()
