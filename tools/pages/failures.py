"""The picture of docs/explanation/limits.md: worst predictions, and answers to inputs that are no patterns.

``python -m tools.pages.failures PROJECT OUT.png``; the project's pipeline has to have run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from pairvae import load
from pairvae.data.split import split_pairs
from pairvae.inference.predictor import Predictor
from pairvae.numerics.morphology import two_point_correlation
from pairvae.settings import load_settings
from pairvae.store.prepared import Prepared, open_prepared

SAMPLES, WORST = 4, 3
Panel = tuple[str, np.ndarray]


def worst(model: Predictor, prepared: Prepared, rows: tuple[int, ...]) -> list[tuple[Panel, Panel]]:
    """Of the validation samples with the largest S(r) errors: the first true crop, and a predicted image."""
    patterns, crops = prepared.whole("saxs"), prepared.crops("sem")
    found = []
    for row in rows:
        images = model.predict(patterns[row : row + 1], "saxs", "sem", samples=SAMPLES, seed=0)[0]
        curves, true = two_point_correlation(images), two_point_correlation(np.asarray(crops[row]))
        error = float(np.abs(curves[:, None] - true[None]).mean())
        found.append((error, row, images[0]))
    ranked = sorted(found, key=lambda one: -one[0])[:WORST]
    return [
        (
            (
                f"true crop of {prepared.pairs[row].id}\n({prepared.pairs[row].morphology})",
                np.asarray(crops[row, 0]),
            ),
            (f"predicted, S(r) error {error:.3f}", image),
        )
        for error, row, image in ranked
    ]


def absurd(model: Predictor, prepared: Prepared, rows: tuple[int, ...]) -> list[tuple[Panel, Panel]]:
    """Inputs that are no patterns of such a sample, each with the model's answer."""
    generator = np.random.default_rng(0)
    pattern = np.asarray(prepared.whole("saxs")[rows[0]])
    inputs = {
        "a blank detector": np.zeros_like(pattern),
        "noise": generator.uniform(size=pattern.shape).astype(np.float32),
        "a pattern, turned by 90 degrees": np.ascontiguousarray(np.rot90(pattern, axes=(1, 2))),
    }
    return [
        (
            (name, array.transpose(1, 2, 0)),
            ("the answer", model.predict(array[None], "saxs", "sem", seed=0)[0, 0]),
        )
        for name, array in inputs.items()
    ]


def draw(panels: list[tuple[Panel, Panel]], more: list[tuple[Panel, Panel]], out: Path) -> None:
    """Three columns, four rows."""
    figure, axes = plt.subplots(4, WORST, figsize=(7.2, 10.2), layout="constrained")
    for block, pairs in enumerate((panels, more)):
        for column, both in enumerate(pairs):
            for row, (title, image) in enumerate(both):
                axis = axes[2 * block + row, column]
                axis.imshow(image, cmap="gray", interpolation="nearest")
                axis.set_title(title, fontsize=9)
                axis.set_axis_off()
    figure.savefig(out, dpi=110)


def main(project: Path, out: Path) -> None:
    """Draw the picture of a finished project."""
    prepared = open_prepared(project / "data" / "prepared")
    split = load_settings(project / "params.yaml").split
    rows = split_pairs(prepared.pairs, split.train, split.seed).validation
    model = load(project / "models" / "train-pair")
    draw(worst(model, prepared, rows), absurd(model, prepared, rows), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
