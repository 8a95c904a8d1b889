"""Morphology curves: S(r) and lineal path of single examples and of generated ensembles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairvae.reports.captions import CURVES, direction_label, image_label, readable
from pairvae.reports.report_data import Array, Ensemble, Example, Row
from pairvae.reports.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PANEL,
    VERMILLION,
    LengthScale,
    panels,
    show_image,
    styled,
)

LINES: dict[str, dict[str, Any]] = {
    "true": {"color": BLACK, "linewidth": 2.0},
    "solo/same": {"color": GREEN, "linestyle": (0, (1, 1.2))},
    "pair/same": {"color": BLUE, "linestyle": (0, (5, 1.5))},
    "pair/other": {"color": VERMILLION, "linewidth": 1.5},
}
SHOWN_SAMPLES = 5
VANISHED = 0.01  # a lineal path axis ends where every curve has fallen below this share of its start


def line_of(key: str) -> str:
    """The entry of :data:`LINES` of a curve: ``pair/sem_sem`` is drawn as ``pair/same``, ``saxs_sem`` as ``other``."""
    plan, separator, direction = key.partition("/")
    source, _, target = direction.partition("_")
    return f"{plan}/{'same' if source == target else 'other'}" if separator else key


def in_order(curves: Mapping[str, Array], lines: Sequence[str] = tuple(LINES)) -> list[str]:
    """The keys of ``curves`` that ``lines`` of :data:`LINES` draw, in the order of these."""
    return [key for line in LINES if line in lines for key in curves if line_of(key) == line]


def _reconstructed(example: Example) -> str:
    return f"pair/saxs_{example.technique}"


def _extent(kind: str, curves: Mapping[str, Array]) -> int:
    bins = max(len(curve) for curve in curves.values())
    if kind == "s2":
        return bins
    alive = [np.flatnonzero(np.asarray(curve) > VANISHED * np.max(curve)) for curve in curves.values()]
    return min(bins, max((int(index[-1]) + 2 for index in alive if index.size), default=bins))


def draw_curves(
    axes: Axes,
    kind: str,
    curves: Mapping[str, Array],
    scale: LengthScale,
    lines: Sequence[str] = tuple(LINES),
) -> None:
    """The true curve and those of ``lines`` (of :data:`LINES`), over the crop-to-crop band."""
    if "floor_low" in curves and "floor_high" in curves:
        distance = np.arange(len(curves["floor_low"])) * scale.per_px
        axes.fill_between(
            distance,
            curves["floor_low"],
            curves["floor_high"],
            color=GREY,
            alpha=0.3,
            lw=0,
            label="crop to crop",
        )
    for key in in_order(curves, lines):
        label, look = key if key == "true" else image_label(key), LINES[line_of(key)]
        axes.plot(np.arange(len(curves[key])) * scale.per_px, curves[key], label=label, **look)
    fact = CURVES[kind]
    axes.set(xlabel=f"{fact.distance} ({scale.unit})", ylabel=fact.value)
    axes.set_xlim(0, (_extent(kind, curves) - 1) * scale.per_px)


@styled
def example_curves(example: Example, kinds: Sequence[str], nm_per_px: float | None) -> Figure:
    """One plot per kind below each other, for the page: narrow enough for a telephone."""
    kinds = [kind for kind in kinds if example.curves.get(kind)]
    drawing, grid = panels(len(kinds), 1, (PANEL[0], 2.7))
    for kind, (axes,) in zip(kinds, grid, strict=True):
        draw_curves(axes, kind, example.curves[kind], LengthScale.of(nm_per_px))
        axes.set_title(CURVES[kind].title, loc="left")
    drawing.legend(*grid[0][0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return drawing


@styled
def curves(examples: Sequence[Example], nm_per_px: float | None) -> Figure:
    """Rows are the kinds of curve, columns the examples (the paper's Figures 4B and S5)."""
    kinds = [kind for kind in CURVES if any(example.curves.get(kind) for example in examples)]
    drawing, grid = panels(len(kinds), len(examples), (2.6, 2.1))
    for kind, line in zip(kinds, grid, strict=True):
        for example, axes in zip(examples, line, strict=True):
            if example.curves.get(kind):
                draw_curves(axes, kind, example.curves[kind], LengthScale.of(nm_per_px))
            axes.set_title(f"{readable(example.title)}: {CURVES[kind].title}", loc="left")
    handles, labels = grid[0][0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return drawing


def curve_rows(examples: Sequence[Example], nm_per_px: float | None) -> list[Row]:
    """Tidy data: pair, kind, curve, distance, probability."""
    scale = LengthScale.of(nm_per_px)
    return [
        {
            "id": example.id,
            "kind": kind,
            "curve": key,
            f"distance_{scale.unit}": round(index * scale.per_px, 6),
            "probability": float(value),
        }
        for example in examples
        for kind, lines in example.curves.items()
        for key, values in lines.items()
        for index, value in enumerate(values)
    ]


def _draw_ensemble(
    axes: Axes, ensemble: Ensemble, scale: LengthScale, reconstruction: Array | None = None, label: str = ""
) -> None:
    looks = {"true": (BLACK, "-", GREY), "generated": (VERMILLION, (0, (5, 1.5)), VERMILLION)}
    for name, s2 in (("true", ensemble["true_s2"]), ("generated", ensemble["s2"])):
        values = np.atleast_2d(s2)
        colour, dashes, band = looks[name]
        distance = np.arange(values.shape[1]) * scale.per_px
        mean, spread = values.mean(axis=0), values.std(axis=0)
        axes.fill_between(distance, mean - spread, mean + spread, color=band, alpha=0.25, lw=0)
        axes.plot(distance, mean, color=colour, linestyle=dashes, label=f"{name}, n = {len(values)}")
    if reconstruction is not None:
        distances = np.arange(len(reconstruction)) * scale.per_px
        axes.plot(distances, reconstruction, color=BLUE, linestyle=(0, (1, 1)), label=label)
    axes.set(xlabel=f"distance r ({scale.unit})", ylabel="S(r), mean ± s.d.", xlim=(0, distance[-1]))
    axes.legend(loc="lower left", bbox_to_anchor=(-0.1, 1.0), ncols=3, borderaxespad=0.1, columnspacing=0.8)


@styled
def ensemble_curves(ensemble: Ensemble, nm_per_px: float | None) -> Figure:
    """Mean and standard deviation of S(r), generated beside true, for the page."""
    drawing, grid = panels(1, 1)
    _draw_ensemble(grid[0][0], ensemble, LengthScale.of(nm_per_px))
    return drawing


@styled
def generation(
    generated: Mapping[str, Ensemble], nm_per_px: float | None, examples: Sequence[Example] = ()
) -> Figure:
    """Rows are morphologies: the reconstruction, five generated images, S(r) of the ensemble (Figures 7, S7, S8)."""
    drawing = Figure(figsize=(10.4, 1.7 * len(generated)), layout="constrained")
    columns = SHOWN_SAMPLES + 1
    ratios = [1.0] * columns + [1.7]
    grid = drawing.subplots(len(generated), columns + 1, squeeze=False, width_ratios=ratios)
    reconstructed = {
        example.title: example for example in examples if _reconstructed(example) in example.images
    }
    for number, ((name, ensemble), line) in enumerate(zip(generated.items(), grid, strict=True)):
        example = reconstructed.get(name)
        for axes in line[:columns]:
            axes.set_axis_off()
        images = list(ensemble["images"][:SHOWN_SAMPLES])
        tiles = [(image, f"sample {count}") for count, image in enumerate(images, start=1)]
        if example is not None:
            key = _reconstructed(example)
            tiles.insert(0, (example.images[key], direction_label(key.partition("/")[2])))
        for axes, (image, caption) in zip(line, tiles, strict=False):
            axes.set_axis_on()
            show_image(axes, image)
            if number == 0:
                axes.set_title(caption)
        line[0].set_ylabel(readable(name))
        curve = None if example is None else example.curves.get("s2", {}).get(_reconstructed(example))
        label = "" if example is None else direction_label(f"saxs_{example.technique}")
        _draw_ensemble(line[-1], ensemble, LengthScale.of(nm_per_px), curve, label)
    scales = {f"{ensemble['scale']:g}" for ensemble in generated.values()}
    drawing.suptitle(f"Latent variance x {', '.join(sorted(scales))}", fontsize=9, x=0.01, ha="left")
    return drawing


def generation_rows(generated: Mapping[str, Ensemble], nm_per_px: float | None) -> list[Row]:
    """Tidy data: morphology, ensemble, variance scale, distance, mean and standard deviation of S(r)."""
    scale = LengthScale.of(nm_per_px)
    rows: list[Row] = []
    for name, ensemble in generated.items():
        for which, s2 in (("true", ensemble["true_s2"]), ("generated", ensemble["s2"])):
            values = np.atleast_2d(s2)
            for index, (mean, spread) in enumerate(zip(values.mean(axis=0), values.std(axis=0), strict=True)):
                rows.append(
                    {
                        "morphology": name,
                        "ensemble": which,
                        "variance_scale": float(ensemble["scale"]),
                        "n": len(values),
                        f"distance_{scale.unit}": round(index * scale.per_px, 6),
                        "s2_mean": float(mean),
                        "s2_sd": float(spread),
                    }
                )
    return rows
