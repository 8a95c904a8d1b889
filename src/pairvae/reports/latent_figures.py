"""The principal plane of both latent spaces: how near the two measurements of a pair lie to each other."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairvae.numerics.components import principal_components, standardised
from pairvae.reports.captions import readable
from pairvae.reports.report_data import Array, Latents, Row
from pairvae.reports.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, panels, styled

MARKERS = {"saxs": "o", "sem": "s"}
COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)


def principal_plane(saxs: Array, sem: Array) -> tuple[Array, Array, tuple[float, float]]:
    """Both latents (N, C) on their common principal axes, (N, 2) each, and both shares of the variance."""
    both = np.concatenate([standardised(saxs), standardised(sem)])
    components = principal_components(both, 2)
    points = components.scores(both)
    first, second = (float(share) for share in components.shares)
    return points[: len(saxs)], points[len(saxs) :], (first, second)


def _legend(axes: Axes, colours: dict[str | None, str], technique: str) -> None:
    def mark(label: str, **look: Any) -> None:
        axes.plot([], [], linestyle="", markersize=4, label=label, **look)

    for name, marker in MARKERS.items():
        mark((technique if name == "sem" else name).upper(), marker=marker, color=BLACK)
    mark("training (hollow)", marker="o", markeredgecolor=BLACK, markerfacecolor="none")
    for morphology, colour in colours.items():
        mark(readable(morphology or "not named"), marker="o", color=colour)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handletextpad=0.2)


@styled
def latent_map(latents: Latents) -> Figure:
    """Principal plane of both latents: colour is the morphology, a line joins the halves of a pair."""
    saxs, sem, shares = principal_plane(latents["saxs"], latents["sem"])
    names = sorted(set(latents["morphology"]), key=lambda name: (name is None, name or ""))
    colours = {
        name: GREY if name is None else colour for name, colour in zip(names, cycle(COLOURS), strict=False)
    }
    drawing, grid = panels(1, 1, (4.6, 3.1))
    axes = grid[0][0]
    for index, (morphology, split) in enumerate(zip(latents["morphology"], latents["split"], strict=True)):
        colour, front = colours[morphology], split == "validation"
        ends = np.stack([saxs[index], sem[index]])
        axes.plot(ends[:, 0], ends[:, 1], color=colour, linewidth=0.6, alpha=0.8 if front else 0.3, zorder=1)
        for (x, y), marker in zip(ends, MARKERS.values(), strict=True):
            face = colour if front else "none"
            axes.plot(
                x, y, marker, color=colour, markerfacecolor=face, markersize=3.8, zorder=3 if front else 2
            )
    axes.set_xlabel(f"first principal axis ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"second principal axis ({shares[1]:.0%})")
    _legend(axes, colours, latents.get("technique", "sem"))
    return drawing


def latent_rows(latents: Latents) -> list[Row]:
    """Tidy data: id, morphology, split, modality, both coordinates."""
    saxs, sem, _ = principal_plane(latents["saxs"], latents["sem"])
    return [
        {
            "id": latents["ids"][index],
            "morphology": latents["morphology"][index] or "",
            "split": latents["split"][index],
            "modality": modality,
            "axis_1": float(x),
            "axis_2": float(y),
        }
        for modality, plane in (("saxs", saxs), (latents.get("technique", "sem"), sem))
        for index, (x, y) in enumerate(plane)
    ]
