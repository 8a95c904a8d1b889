"""Frames of a movie: the pattern, the predicted image, its S(r), and the spacing over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from PIL import Image

from pairvae.reports.contact_sheet import tile
from pairvae.reports.style import BLACK, BLUE, GREY, VERMILLION, LengthScale, draw_scale_bar, styled

SIZE = (9.6, 5.4)  # inches
MOVIE_DPI = 100  # 960 x 540 px: even sides, as the codec wants
GIF_COLOURS = 128


@dataclass(frozen=True)
class Series:
    """What the movie shows: patterns ``(T, h, w, 3)`` uint8 and images ``(T, H, W)`` of {0, 1}, with their names.

    ``s2`` ``(T, bins)`` of the images; ``spacing`` and ``plain_spacing`` ``(T,)``, with and without smoothing along
    time; in nm where ``nm_per_px`` is known, else in px.
    """

    names: tuple[str, ...]
    patterns: np.ndarray
    images: np.ndarray
    s2: np.ndarray
    spacing: np.ndarray
    plain_spacing: np.ndarray
    nm_per_px: float | None = None


def pattern_tile(array: np.ndarray) -> np.ndarray:
    """A prepared pattern, micrograph or curve as ``(160, 160, 3)`` uint8."""
    return tile(array)


@dataclass(frozen=True)
class _Panels:
    """What changes from frame to frame."""

    canvas: FigureCanvasAgg
    title: Axes
    pattern: AxesImage
    image: AxesImage
    curve: Line2D
    mark: Line2D


def frames(series: Series) -> Iterator[np.ndarray]:
    """The frames ``(540, 960, 3)`` uint8 RGB, one after the other."""
    panels = _drawn(series)
    for number in range(len(series.names)):
        yield _frame(panels, series, number)


@styled
def _drawn(series: Series) -> _Panels:
    """All that stays, with the first frame in it."""
    unit, scale = ("px", 1.0) if series.nm_per_px is None else ("nm", series.nm_per_px)
    distance, time = np.arange(series.s2.shape[1]) * scale, np.arange(len(series.names))
    figure = Figure(figsize=SIZE, dpi=MOVIE_DPI)
    grid = figure.add_gridspec(
        2, 2, height_ratios=(1.7, 1), left=0.08, right=0.97, top=0.95, bottom=0.1, hspace=0.18
    )
    left, right, below, beside = (figure.add_subplot(grid[cell]) for cell in ((0, 0), (0, 1), (1, 0), (1, 1)))
    pattern = left.imshow(series.patterns[0])
    image = right.imshow(series.images[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    for axes in (left, right):
        axes.set_axis_off()
    right.set_title("predicted")
    draw_scale_bar(right, series.images.shape[-1], LengthScale.of(series.nm_per_px))
    below.plot(distance, series.s2.T, color=GREY, linewidth=0.3, alpha=0.5)
    (curve,) = below.plot(distance, series.s2[0], color=BLUE)
    below.set(xlabel=f"r ({unit})", ylabel="S(r)", xlim=(0, distance[-1] / 2))
    beside.plot(time, series.plain_spacing * scale, ".", color=GREY, markersize=4, label="single frames")
    beside.plot(time, series.spacing * scale, color=BLACK, linewidth=0.9, label="smoothed")
    (mark,) = beside.plot([0], [series.spacing[0] * scale], "o", color=VERMILLION, markersize=5)
    beside.set(xlabel="frame", ylabel=f"spacing ({unit})", xlim=(-0.5, len(time) - 0.5))
    beside.legend(loc="best")
    return _Panels(FigureCanvasAgg(figure), left, pattern, image, curve, mark)


@styled
def _frame(panels: _Panels, series: Series, number: int) -> np.ndarray:
    scale = series.nm_per_px or 1.0
    panels.title.set_title(series.names[number])
    panels.pattern.set_data(series.patterns[number])
    panels.image.set_data(series.images[number])
    panels.curve.set_ydata(series.s2[number])
    panels.mark.set_data([number], [series.spacing[number] * scale])
    panels.canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib has no types here
    pixels = np.asarray(panels.canvas.buffer_rgba())  # type: ignore[no-untyped-call]  # the same
    return pixels[..., :3].copy()


def can_write_mp4(path: Path, size: tuple[int, int]) -> bool:
    """Whether this OpenCV has the codec: some builds do not."""
    writer = cv2.VideoWriter(str(path), _codec(), 10.0, size)
    opened = bool(writer.isOpened())
    writer.release()
    path.unlink(missing_ok=True)
    return opened


def _codec() -> int:
    return int(cv2.VideoWriter.fourcc(*"mp4v"))


def write_mp4(path: Path, pictures: Iterable[np.ndarray], fps: float) -> None:
    """Write frames ``(H, W, 3)`` uint8 RGB with even sides as MP4; ``path`` must end in .mp4."""
    writer: cv2.VideoWriter | None = None
    for picture in pictures:
        if writer is None:
            writer = cv2.VideoWriter(str(path), _codec(), fps, (picture.shape[1], picture.shape[0]))
        writer.write(np.ascontiguousarray(picture[..., ::-1]))
    if writer is not None:
        writer.release()


def write_gif(path: Path, pictures: Iterable[np.ndarray], fps: float) -> None:
    """Write frames ``(H, W, 3)`` uint8 RGB as a GIF that repeats."""
    reduced = (
        Image.fromarray(picture).quantize(GIF_COLOURS, dither=Image.Dither.NONE) for picture in pictures
    )
    first = next(reduced)
    first.save(path, "GIF", save_all=True, append_images=reduced, duration=round(1000 / fps), loop=0)
