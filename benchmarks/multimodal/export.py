"""Prepared pairs of a finished project as plain npy files, for programs that do not know pairvae.

`python -m benchmarks.multimodal.export PROJECT OUT` writes, for N pairs,

* `saxs.npy` (N, 3, H, W) float32 in [0, 1]: the patterns;
* `crops.npy` (N, K, h, w) uint8 of 0 and 1: the evaluation crops;
* `images/<row>.npy` (rows, columns) uint8 of 0 and 1: the whole images of the training pairs alone;
* `split.json`: `train` and `validation` (rows), `ids`, the digest of the data.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pairvae import store
from pairvae.stages.assess import evaluated
from pairvae.stages.project import Project, open_project


def export(project: Project, out: Path) -> None:
    """Write the files into ``out``, which is replaced."""
    prepared = project.prepared()
    what = evaluated(project, prepared)
    first, second = what.names
    with store.atomic_folder(out) as folder:
        np.save(folder / "saxs.npy", what.patterns)
        np.save(folder / "crops.npy", what.crops)
        (folder / "images").mkdir()
        images = prepared.images(second)
        for row in what.train:
            np.save(folder / "images" / f"{row}.npy", np.array(images[row]))
        card = {
            "train": [int(row) for row in what.train],
            "validation": [int(row) for row in what.validation],
            "ids": [pair.id for pair in prepared.pairs],
            "digest": prepared.digest,
            "modalities": [first, second],
        }
        store.write_json(folder / "split.json", card)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    export(open_project(folder=given.project, track=False), given.out)
