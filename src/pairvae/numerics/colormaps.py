"""Colour maps of published patterns, and the way back from colours to intensities."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

from pairvae.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]

COLOUR_STEPS = 256
COLORMAPS: dict[str, tuple[tuple[int, int, int], ...]] = {
    # black, blue, purple, red, yellow, white: the colours of the published patterns (NSLS-II beamline 11-BM)
    "vge": ((0, 0, 0), (0, 0, 254), (188, 2, 107), (254, 55, 0), (254, 254, 0), (254, 254, 254)),
}
OWN_COLOURS = 0.05  # mean distance in RGB up to which a map is believed; JPEG and resizing cost 0.01
LOOKED_AT = 4


def colormap_table(name: str) -> Floats:
    """Colours of one of ``COLORMAPS``, from the lowest to the highest intensity.

    Parameters
    ----------
    name : str
        One of ``COLORMAPS``.

    Returns
    -------
    ndarray
        RGB ``(256, 3)`` in [0, 1], interpolated between the map's anchors.

    Raises
    ------
    InputError
        An unknown name.
    """
    if name not in COLORMAPS:
        raise InputError(expected=f"a colour map among {', '.join(COLORMAPS)}", found=repr(name))
    anchors = np.asarray(COLORMAPS[name], dtype=np.float64) / 255
    steps, positions = np.linspace(0, 1, COLOUR_STEPS), np.linspace(0, 1, len(anchors))
    return np.stack([np.interp(steps, positions, anchors[:, channel]) for channel in range(3)], axis=1)


def invert_colormap(rgb: NDArray[Any], colormap: str | NDArray[Any]) -> tuple[Floats, Floats]:
    """Intensity of colour-mapped pixels: that of the nearest colour of the map.

    Parameters
    ----------
    rgb : ndarray
        ``(..., 3)`` in [0, 1].
    colormap : str or ndarray
        One of ``COLORMAPS``, or a table of colours ``(K, 3)`` in [0, 1].

    Returns
    -------
    intensity : ndarray
        ``(...)`` in [0, 1]. The colour bar's scale is unknown: it keeps the order of the counts, not their ratio.
    distance : ndarray
        ``(...)``, from each pixel to the nearest colour in RGB. A mean far above 0.05 says that it is another map.
    """
    points, shape = np.asarray(rgb, dtype=np.float64).reshape(-1, 3), rgb.shape[:-1]
    if isinstance(colormap, str):
        intensity, distance = _nearest_on_line(points, colormap)
    else:
        distance, index = scipy.spatial.cKDTree(colormap).query(points)
        intensity = index / (len(colormap) - 1)
    return intensity.reshape(shape), np.asarray(distance, dtype=np.float64).reshape(shape)


def _nearest_on_line(points: Floats, colormap: str) -> tuple[Floats, Floats]:
    """Nearest of the 256 colours of a map to ``points`` ``(P, 3)``: intensity and distance ``(P,)`` each.

    A map's colours lie on straight lines between its anchors, so that the nearest one of each line is known without
    a search: three times as fast as a tree of all colours.
    """
    table = colormap_table(colormap)
    corners = np.round(np.linspace(0, COLOUR_STEPS - 1, len(COLORMAPS[colormap]))).astype(int)
    norm, towards = (points**2).sum(1), points @ table[corners].T
    square = (table[corners] ** 2).sum(1)
    index, least = np.zeros(len(points)), np.full(len(points), np.inf)
    for segment, (first, last) in enumerate(itertools.pairwise(corners)):
        steps, along = last - first, table[last] - table[first]
        length, start = along @ along, table[first] @ along
        reach = towards[:, segment + 1] - towards[:, segment] - start
        step = np.rint(np.clip(reach * (steps / length), 0, steps))
        part = step / steps
        near = norm - 2 * towards[:, segment] + square[segment] + part * (part * length - 2 * reach)
        index = np.where(near < least, first + step, index)
        least = np.minimum(near, least)
    return index / (COLOUR_STEPS - 1), np.sqrt(np.maximum(least, 0.0))


def known_colormap(patterns: NDArray[np.float32]) -> str | None:
    """The map that patterns are coloured by, as the first few of them tell.

    Parameters
    ----------
    patterns : ndarray
        ``(N, 3, H, W)`` in [0, 1].

    Returns
    -------
    str or None
        One of ``COLORMAPS``; None for grey patterns and where no map fits.
    """
    pixels = np.moveaxis(patterns[:LOOKED_AT], 1, -1)
    if float(np.ptp(pixels, axis=-1).mean()) < OWN_COLOURS:
        return None
    fits = {name: float(invert_colormap(pixels, name)[1].mean()) for name in COLORMAPS}
    best = min(fits, key=lambda name: fits[name])
    return best if fits[best] < OWN_COLOURS else None


def levels(patterns: NDArray[np.float32], colormap: str | None) -> NDArray[np.float64]:
    """Intensity levels of patterns.

    Parameters
    ----------
    patterns : ndarray
        ``(N, 3, H, W)`` in [0, 1].
    colormap : str or None
        One of ``COLORMAPS``, by which they are coloured; None for grey.

    Returns
    -------
    ndarray
        ``(N, H, W)`` in [0, 1].
    """
    if colormap is None:
        return np.asarray(patterns.mean(1), dtype=np.float64)
    return np.stack([invert_colormap(np.moveaxis(pattern, 0, -1), colormap)[0] for pattern in patterns])


def coloured(intensity: Tensor, table: Tensor) -> Tensor:
    """Colours of intensity levels, interpolated, so that gradients flow to the levels.

    Parameters
    ----------
    intensity : Tensor
        ``(B, H, W)``; clamped to [0, 1].
    table : Tensor
        Colours ``(K, 3)`` in [0, 1], from the lowest to the highest intensity.

    Returns
    -------
    Tensor
        ``(B, 3, H, W)`` in [0, 1].
    """
    rows = intensity.clamp(0.0, 1.0) * (table.shape[0] - 1)
    below = rows.detach().floor().clamp(0, table.shape[0] - 2)
    index = below.long()
    part = (rows - below).unsqueeze(-1)
    return (table[index] * (1 - part) + table[index + 1] * part).movedim(-1, 1)
