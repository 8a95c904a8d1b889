"""One epoch of `train sem` and `train pair` on many pairs, and what memory that took: a process of its own.

Arguments: a new folder, the number of pairs, assignments of settings. Prints JSON: CPU seconds of each training and
the peak of anonymous memory in MB. Pages of memory-mapped files are not in it: the system takes those back when it
needs them.
"""

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np

from pairvae import store
from pairvae.stages.project import open_project
from pairvae.stages.train_pair import train_pair
from pairvae.stages.train_solo import train_solo
from pairvae.store.prepared import create_array, write_card

ROWS, COLUMNS, CROP, PATTERN = 200, 256, 96, 64
SMALL = [
    "saxs.prepare.size=64", f"sem.prepare.crop={CROP}", "sem.training.texture.crop=64",
    "sem.training.texture.filters=0", "saxs.training.epochs=1", "saxs.training.log_every=1", "sem.training.epochs=1",
    "sem.training.log_every=1", "pair.training.random_epochs=1", "pair.training.log_every=1", "device.threads=1",
]  # fmt: skip


def write_prepared(folder: Path, count: int) -> None:
    """Prepared arrays of ``count`` pairs, written one by one: stripes of a width of their own in every image."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    patterns = create_array(folder, "saxs.npy", (count, 3, PATTERN, PATTERN), "float32")
    images = create_array(folder, "sem.npy", (count * ROWS * COLUMNS,), "uint8")
    crops = create_array(folder, "sem-crops.npy", (count, 2, CROP, CROP), "uint8")
    y, x = np.mgrid[:ROWS, :COLUMNS]
    for index in range(count):
        period, angle = rng.uniform(8, 24), rng.uniform(0, np.pi)
        image = np.sin((y * np.cos(angle) + x * np.sin(angle)) * 2 * np.pi / period) > rng.uniform(-0.5, 0.5)
        images[index * image.size : (index + 1) * image.size] = image.ravel()
        crops[index] = image[:CROP, :CROP]
        patterns[index] = rng.random((3, PATTERN, PATTERN), np.float32) / period
    files = ["saxs.npy", "sem.npy", "sem-crops.npy"]
    card = {
        "pairs": [{"id": f"{index:05d}"} for index in range(count)],
        "shapes": {"saxs": [[3, PATTERN, PATTERN]] * count, "sem": [[ROWS, COLUMNS]] * count},
        "digest": store.digest({file: store.file_digest(folder / file) for file in files}),
    }
    write_card(folder, card, files)


def anonymous_mb() -> float:
    """Memory of this process that is its own and no file's, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


class Peak(threading.Thread):
    """Looks every 20 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.mb = 0.0

    def run(self) -> None:
        while True:
            self.mb = max(self.mb, anonymous_mb())
            time.sleep(0.02)


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    write_prepared(folder / "data" / "prepared", count)
    (folder / "params.yaml").write_text("preset: fast\n")
    changes = [*SMALL, f"split.train={count * 2 // 3 if count < 720 else count - 24}", *sys.argv[3:]]
    project = open_project(changes, folder=folder, track=False)
    peak = Peak()
    before, found = anonymous_mb(), dict[str, float]()
    peak.start()
    for name, work in {
        "saxs": lambda: train_solo(project, "saxs"),
        "sem": lambda: train_solo(project, "sem"),
        "pair": lambda: train_pair(project),
    }.items():
        started = time.process_time()
        work()
        found[f"{name}_cpu_s"] = round(time.process_time() - started, 1)
    arrays = sum(file.stat().st_size for file in (folder / "data" / "prepared").glob("*.npy")) / 2**20
    found |= {"before_mb": round(before), "peak_mb": round(peak.mb), "arrays_mb": round(arrays)}
    print(json.dumps({"pairs": count, **found}))


if __name__ == "__main__":
    main()
