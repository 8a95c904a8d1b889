"""``python -m tools.pages.networks [FILE]``: docs/networks.svg, the two VAEs of the preset `fast`."""

from __future__ import annotations

import sys
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "docs" / "networks.svg"
BLUE, ORANGE, GREY, INK = "#dbe7f6", "#fbe3d0", "#e9e9ec", "#1f2430"
WIDTH, HEIGHT = 11.6, 5.0
# left edge, bottom, width, height, colour, title, lines
BOXES = (
    (0.1, 3.25, 1.55, 1.2, GREY, "SAXS pattern", "3 x 192 x 192"),
    (2.2, 3.25, 2.45, 1.2, BLUE, "SAXS encoder", "mean over 4 x 4 px\n16 principal components\ndense, 128 wide"),
    (5.2, 1.9, 1.25, 1.2, "#e6f1de", "latent z", "16 numbers"),
    (7.0, 3.25, 2.45, 1.2, BLUE, "SAXS decoder", "dense, 128 wide\n16 component scores\ncolour map if known"),
    (9.95, 3.25, 1.55, 1.2, GREY, "SAXS pattern", "3 x 192 x 192"),
    (0.1, 0.55, 1.55, 1.2, GREY, "SEM crop", "192 x 192, binary"),
    (2.2, 0.55, 2.45, 1.2, ORANGE, "SEM encoder", "texture statistics\n32 principal components\ndense, 128 wide"),
    (7.0, 0.55, 2.45, 1.2, ORANGE, "SEM decoder", "4 convolutional blocks\npixel shuffle, smoothing\nlength scale"),
    (9.95, 0.55, 1.55, 1.2, GREY, "SEM crop", "192 x 192, binary"),
)  # fmt: skip
# from, to, the label and where it stands
ARROWS = (
    ((1.65, 3.85), (2.2, 3.85), "", (0, 0)),
    ((1.65, 1.15), (2.2, 1.15), "", (0, 0)),
    ((4.65, 3.85), (5.45, 3.1), "mean, std", (5.28, 3.62)),
    ((4.65, 1.15), (5.45, 1.9), "mean, std", (5.28, 1.36)),
    ((6.2, 3.1), (7.0, 3.85), "", (0, 0)),
    ((6.2, 1.9), (7.0, 1.15), "", (0, 0)),
    ((9.45, 3.85), (9.95, 3.85), "", (0, 0)),
    ((9.45, 1.15), (9.95, 1.15), "", (0, 0)),
    ((8.22, 2.2), (8.22, 1.75), "noise: where domains lie", (8.22, 2.34)),
)
TRAINING = (
    "similarity loss and divergence make the posteriors of a sample agree; four losses train both decoders"
)
ADVERSARIAL = "SEM only, in training: a discriminator of 40 px patches compares decoded and true crops"


def draw(file: Path) -> None:
    """Write the figure; equal settings give equal bytes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    with mpl.rc_context({"svg.hashsalt": "pairvae", "font.family": "DejaVu Sans"}):
        figure = plt.figure(figsize=(WIDTH, HEIGHT), facecolor="white")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(0, HEIGHT))
        axes.axis("off")
        for left, bottom, width, height, colour, title, lines in BOXES:
            shape = "round,pad=0,rounding_size=0.08"
            axes.add_patch(
                FancyBboxPatch(
                    (left, bottom), width, height, shape, facecolor=colour, edgecolor=INK, linewidth=0.8
                )
            )
            middle, top = left + width / 2, bottom + height
            axes.text(
                middle, top - 0.2, title, ha="center", va="center", fontsize=11, weight="bold", color=INK
            )
            axes.text(
                middle, (top + bottom) / 2 - 0.13, lines, ha="center", va="center", fontsize=9, color=INK
            )
        for start, end, label, place in ARROWS:
            axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.1})
            axes.text(*place, label, ha="center", va="center", fontsize=9, color=INK)
        for height, note in ((4.8, TRAINING), (0.2, ADVERSARIAL)):
            axes.text(WIDTH / 2, height, note, ha="center", va="center", fontsize=9.5, color=INK)
        date = {"Date": None} if file.suffix == ".svg" else None
        figure.savefig(file, metadata=date, dpi=110)
        plt.close(figure)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
