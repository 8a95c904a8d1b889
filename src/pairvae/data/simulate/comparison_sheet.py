"""A contact sheet of simulated pairs beside real micrographs, with what both measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pairvae.data.pairs.manifest import Pair, read_pairs
from pairvae.errors import InputError
from pairvae.modalities.readers.data_bar import rows_above_bar
from pairvae.modalities.readers.image import read_image
from pairvae.numerics.descriptors import phase_fraction
from pairvae.numerics.images import crop_positions, crops
from pairvae.numerics.morphology import two_point_correlation
from pairvae.numerics.spacing import domain_spacing
from pairvae.numerics.thresholds import binarise_sem
from pairvae.progress import track
from pairvae.store import atomic_path

Bytes = NDArray[np.uint8]

CROP = 192  # px, the paper's
CROPS_PER_IMAGE = 6
SHOWN, MEASURED = 3, 12  # pairs of each morphology
COLOURS = ("#0072B2", "#D55E00", "#E69F00", "#009E73")
FRACTIONS, PERIODS = (0.40, 0.57), (10.5, 11.5)  # what the real crops allow
CREDIT = "real crops: Doerk et al., Sci. Adv. 2023, 9, eadd3687, CC BY 4.0"
CROP_SEED = 42


@dataclass(frozen=True)
class Measured:
    """A sample and its numbers.

    Parameters
    ----------
    crops : ndarray of uint8
        ``(N, 192, 192)`` of 0 and 1.
    pattern : ndarray of uint8 or None
        ``(192, 192, 3)`` RGB.
    correlation : ndarray
        Mean S(r) of the crops, ``(96,)``.
    fraction : float
        Of the bright phase, in [0, 1].
    period : float
        Of the whole image, px.
    """

    crops: Bytes
    pattern: Bytes | None
    correlation: NDArray[np.float64]
    fraction: float
    period: float


def _measured(image: Bytes, cut: Bytes, pattern: Bytes | None) -> Measured:
    return Measured(
        crops=cut,
        pattern=pattern,
        correlation=two_point_correlation(cut).mean(axis=0),
        fraction=float(phase_fraction(cut).mean()),
        period=float(domain_spacing(image[None])[0]),
    )


def measure_pair(pair: Pair) -> Measured:
    """Read and measure one pair.

    Parameters
    ----------
    pair : Pair
        With both files.

    Returns
    -------
    Measured
        Of six crops.

    Raises
    ------
    InputError
        Where a file is missing, or the micrograph is smaller than a crop.
    """
    if pair.sem is None or pair.saxs is None:
        raise InputError(expected="a SAXS and a SEM file", found="one of them", where=f"pair {pair.id}")
    raw = read_image(pair.sem)
    rows = rows_above_bar(raw.pixels, raw.image_rows, None).rows
    image = binarise_sem(np.ascontiguousarray(raw.pixels[:rows, :, ...][..., :3]))
    positions = crop_positions(
        image.shape[0], image.shape[1], CROP, CROPS_PER_IMAGE, np.random.default_rng(CROP_SEED)
    )
    pattern = cv2.resize(read_image(pair.saxs).pixels, (CROP, CROP), interpolation=cv2.INTER_AREA)
    return _measured(image, crops(image, positions, CROP), np.asarray(pattern))


def measure_real(path: Path) -> Measured:
    """Measure a crop that is binarised already.

    Parameters
    ----------
    path : Path
        A black and white picture.

    Returns
    -------
    Measured
        Without a pattern.

    Raises
    ------
    InputError
        For fewer than 192 px.
    """
    pixels = read_image(path).pixels
    image = np.asarray((pixels.reshape(*pixels.shape[:2], -1)[..., 0] > 127), dtype=np.uint8)
    if min(image.shape) < CROP:
        raise InputError(expected=f"a crop of {CROP} px", found=f"{image.shape}", where=str(path))
    return _measured(image, image[None, :CROP, :CROP], None)


def contact_sheet(folder: Path, out: Path, real: Sequence[Path] = ()) -> None:
    """Draw pairs by morphology, their S(r), phase fraction and period.

    Parameters
    ----------
    folder : Path
        The pairs.
    out : Path
        The PNG.
    real : sequence of Path
        Binarised crops of real micrographs to compare with.

    Raises
    ------
    InputError
        For a folder without pairs of known morphology, and for unreadable files.
    """
    groups: dict[str, list[Pair]] = {}
    for pair in read_pairs(folder):
        groups.setdefault(pair.morphology or "", []).append(pair)
    groups.pop("", None)
    if not groups:
        raise InputError(
            expected="pairs with a morphology in pairs.csv",
            found="none",
            where=str(folder),
            remedy="make them with pairvae data simulate",
        )
    chosen = [(name, pair) for name, pairs in groups.items() for pair in pairs[:MEASURED]]
    samples: dict[str, list[Measured]] = {name: [] for name in groups}
    for name, pair in track(chosen, len(chosen), "measure"):
        samples[name].append(measure_pair(pair))
    figure = draw(samples, {path.stem: measure_real(path) for path in real})
    with atomic_path(out) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def draw(samples: dict[str, list[Measured]], real: dict[str, Measured]) -> Figure:
    """The sheet: a row of pictures for each morphology, the real crops below, the plots beside them.

    Parameters
    ----------
    samples : dict of str to list of Measured
        By morphology.
    real : dict of str to Measured
        Real crops by name.

    Returns
    -------
    Figure
        To save.
    """
    rows = len(samples) + bool(real)
    figure = Figure(figsize=(13.5, 1.5 * rows + 0.3), layout="constrained")
    halves = figure.add_gridspec(1, 2, width_ratios=(2 * SHOWN, 3.4))
    left, right = figure.add_subfigure(halves[0]), figure.add_subfigure(halves[1])
    grid = left.add_gridspec(rows, 2 * SHOWN)
    for row, (name, group) in enumerate(samples.items()):
        for column, sample in enumerate(group[:SHOWN]):
            _picture(left.add_subplot(grid[row, 2 * column]), sample.crops[0] * 255, "" if column else name)
            _picture(left.add_subplot(grid[row, 2 * column + 1]), sample.pattern)
    for column, (name, sample) in enumerate(real.items()):
        axes = left.add_subplot(grid[rows - 1, column])
        _picture(axes, sample.crops[0] * 255, "" if column else "real")
        axes.set_title(f"{name}: {sample.fraction:.3f}, {sample.period:.1f} px", fontsize=6)
    if real:
        left.supxlabel(CREDIT, fontsize=7)
    plots = right.add_gridspec(2, 2, height_ratios=(3, 2))
    _plot_correlations(right.add_subplot(plots[0, :]), samples, real)
    _plot_strip(right.add_subplot(plots[1, 0]), samples, real, "fraction", "phase fraction", FRACTIONS)
    _plot_strip(right.add_subplot(plots[1, 1]), samples, real, "period", "period, px", PERIODS)
    return figure


def _picture(axes: Axes, picture: Bytes | None, label: str = "") -> None:
    axes.set_ylabel(label, fontsize=9)
    if picture is not None:
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])


def _plot_correlations(axes: Axes, samples: dict[str, list[Measured]], real: dict[str, Measured]) -> None:
    for (name, group), colour in zip(samples.items(), COLOURS, strict=False):
        curves = np.stack([sample.correlation for sample in group])
        radius = np.arange(curves.shape[1])
        low, middle, high = np.percentile(curves, [5, 50, 95], axis=0)
        axes.fill_between(radius, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(radius, middle, color=colour, label=name, linewidth=1.2)
    for (name, sample), dash in zip(real.items(), ("-", "--", ":", "-.") * len(real), strict=False):
        axes.plot(sample.correlation, "k", linestyle=dash, linewidth=1, label=f"real, {name}")
    axes.set(xlabel="r, px", ylabel="S(r), median and 5 to 95 %", xlim=(0, 60))
    axes.legend(fontsize=7, frameon=False, ncols=2)


def _plot_strip(
    axes: Axes,
    samples: dict[str, list[Measured]],
    real: dict[str, Measured],
    key: str,
    label: str,
    limits: tuple[float, float],
) -> None:
    axes.axhspan(*limits, color="0.93", linewidth=0)
    for position, (group, colour) in enumerate(zip(samples.values(), COLOURS, strict=False)):
        values = [getattr(sample, key) for sample in group]
        spread = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.zeros(1)
        axes.plot(position + spread, values, "o", color=colour, markersize=3)
    axes.plot([len(samples)] * len(real), [getattr(s, key) for s in real.values()], "k*", markersize=7)
    names = [*samples, *(["real"] if real else [])]
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=7)
    axes.set_ylabel(label)
