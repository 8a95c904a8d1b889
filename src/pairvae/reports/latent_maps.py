"""Maps of the latents alone and as a pair, with thumbnails of what lies where; colour is the morphology."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from pairvae.reports.captions import readable
from pairvae.reports.latent_figures import COLOURS, MARKERS
from pairvae.reports.report_data import Array, LatentMap, Maps, Row
from pairvae.reports.style import BLACK, GREY, panels, styled

PANEL_IN = 3.5
THUMBNAIL = 0.1  # share of the panel's side
SHOWN_EACH = 4  # thumbnails of each morphology
DIRECTIONS = 24  # that are tried for a thumbnail's place
APART = 1.15  # thumbnails' least distance, in their own side
FILLED = ("o", "s", "^", "D", "v", "P")  # by morphology where only one modality is drawn


def colours_of(maps: Maps) -> dict[str | None, str]:
    """A colour for each morphology; unknown ones are grey."""
    names = sorted(set(maps.morphology), key=lambda name: (name is None, name or ""))
    return {
        name: GREY if name is None else colour for name, colour in zip(names, cycle(COLOURS), strict=False)
    }


def apart(points: Array, least: float) -> list[int]:
    """Rows of ``points`` (N, 2) of which no two are nearer than ``least`` along both axes, first come first."""
    kept: list[int] = []
    for row, point in enumerate(points):
        if all(np.abs(point - points[other]).max() >= least for other in kept):
            kept.append(row)
    return kept


def _unit(points: Mapping[str, Array]) -> dict[str, Array]:
    """Points in the unit square with a margin, the same scaling for all modalities."""
    everything = np.concatenate(list(points.values()))
    low, reach = everything.min(axis=0), max(float(np.ptp(everything, axis=0).max()), 1e-12)
    middle = (everything.max(axis=0) + low) / 2
    return {name: 0.5 + 0.86 * (values - middle) / reach for name, values in points.items()}


def places_of(points: Array, rows: list[int], taken: Array) -> dict[int, Array]:
    """For some ``rows`` of ``points`` (N, 2) the nearest free places of thumbnails, (2,) each; crowded rows get none.

    A place is free where neither a point of ``taken`` (M, 2) nor an earlier thumbnail lies.
    """
    angles = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rings = np.concatenate([reach * circle for reach in np.arange(0.75, 5, 0.35) * THUMBNAIL])
    positions: dict[int, Array] = {}
    for row in rows:
        for position in points[row] + rings:
            inside = np.abs(position - 0.5).max() <= 0.5 - 0.55 * THUMBNAIL
            hides = np.abs(taken - position).max(axis=1).min() < 0.58 * THUMBNAIL
            crowded = any(np.abs(position - other).max() < APART * THUMBNAIL for other in positions.values())
            if inside and not hides and not crowded:
                positions[row] = np.asarray(position)
                break
    return positions


def chosen(maps: Maps, points: Array) -> list[int]:
    """Rows that get a thumbnail: some of each morphology, apart from each other, validation samples first."""
    order = sorted(range(len(points)), key=lambda row: maps.split[row] != "validation")
    rows: list[int] = []
    for name in colours_of(maps):
        members = [row for row in order if maps.morphology[row] == name]
        rows += [members[index] for index in apart(points[members], THUMBNAIL)][:SHOWN_EACH]
    return rows


def _draw_thumbnails(axes: Axes, maps: Maps, points: Array, images: Array, taken: Array) -> None:
    colours = colours_of(maps)
    side = THUMBNAIL * PANEL_IN * 72  # points
    for row, position in places_of(points, chosen(maps, points), taken).items():
        image, colour = images[row], colours[maps.morphology[row]]
        shown = image.transpose(1, 2, 0).clip(0, 1) if image.ndim == 3 else image
        look: dict[str, Any] = {"cmap": "gray", "interpolation": "nearest"}
        box = OffsetImage(shown, zoom=side / shown.shape[0], **look)
        axes.plot(*np.stack([points[row], position]).T, color=colour, linewidth=0.7, zorder=1)
        frame = {"edgecolor": colour, "linewidth": 1.4, "boxstyle": "square,pad=0"}
        axes.add_artist(AnnotationBbox(box, (position[0], position[1]), pad=0, bboxprops=frame))


def _draw_map(axes: Axes, latent_map: LatentMap, maps: Maps, thumbnails: str) -> None:
    colours = colours_of(maps)
    kinds = dict(zip(colours, cycle(FILLED), strict=False))
    points = _unit(latent_map.points)
    if latent_map.joint:
        for ends in zip(*points.values(), strict=True):
            x, y = np.asarray(ends).T
            axes.plot(x, y, color=GREY, linewidth=0.4, alpha=0.6, zorder=1)
    for name, values in points.items():
        for (x, y), morphology, split in zip(values, maps.morphology, maps.split, strict=True):
            colour = colours[morphology]
            axes.plot(
                x,
                y,
                MARKERS.get(name, "o") if latent_map.joint else kinds[morphology],
                color=colour,
                markerfacecolor=colour if split == "validation" else "none",
                markersize=3.6,
                zorder=2,
            )
    if thumbnails in maps.thumbnails:
        taken = np.concatenate(list(points.values()))
        _draw_thumbnails(axes, maps, points[thumbnails], maps.thumbnails[thumbnails], taken)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(True)
    axes.set_title(latent_map.title, loc="left")


def _legend(drawing: Figure, maps: Maps) -> None:
    colours = colours_of(maps)
    axes = drawing.axes[0]
    for (name, colour), marker in zip(colours.items(), cycle(FILLED), strict=False):
        axes.plot([], [], marker, color=colour, markersize=4, label=readable(name or "not named"))
    axes.plot([], [], "o", color=BLACK, markerfacecolor="none", markersize=4, label="training (hollow)")
    for name in next((latent_map.points for latent_map in maps.maps if latent_map.joint), {}):
        axes.plot([], [], MARKERS.get(name, "o"), color=BLACK, markersize=4, label=f"{name.upper()} (paired)")
    handles, labels = axes.get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=4, handletextpad=0.2)


@styled
def latent_maps(maps: Maps) -> Figure:
    """A panel per map; a joint map appears once with the thumbnails of each modality."""
    shown = [
        (latent_map, name)
        for latent_map in maps.maps
        for name in (latent_map.points if latent_map.joint else list(latent_map.points)[:1])
    ]
    columns = min(2, len(shown))
    drawing, grid = panels(-(-len(shown) // columns), columns, (PANEL_IN, PANEL_IN + 0.15))
    all_axes = [axes for line in grid for axes in line]
    for axes in all_axes[len(shown) :]:
        axes.set_axis_off()
    for (latent_map, name), axes in zip(shown, all_axes, strict=False):
        _draw_map(axes, latent_map, maps, name)
        if latent_map.joint:
            axes.set_title(f"{latent_map.title}, thumbnails: {name.upper()}", loc="left")
    _legend(drawing, maps)
    return drawing


def map_rows(maps: Maps) -> list[Row]:
    """Tidy data: map, modality, id, morphology, split, both coordinates."""
    return [
        {
            "map": latent_map.title,
            "modality": name,
            "id": identity,
            "morphology": morphology or "",
            "split": split,
            "x": float(x),
            "y": float(y),
        }
        for latent_map in maps.maps
        for name, values in latent_map.points.items()
        for (x, y), identity, morphology, split in zip(
            values, maps.ids, maps.morphology, maps.split, strict=True
        )
    ]
