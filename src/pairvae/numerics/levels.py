"""Colour-mapped patterns as intensity levels, and levels as colours, where the map is a known one.

The colours of a pattern lie on a curve in RGB: a model that adds up levels stays on it, one that adds up
colours does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pairvae.numerics.colormaps import COLORMAPS, invert_colormap

if TYPE_CHECKING:  # 2 s that the check of a folder has no use for
    from torch import Tensor

OWN_COLOURS = 0.05  # mean distance in RGB up to which a map is believed; JPEG and resizing cost 0.01
LOOKED_AT = 4


def known_colormap(patterns: NDArray[np.float32]) -> str | None:
    """The map of ``COLORMAPS`` that patterns ``(N, 3, H, W)`` are coloured by; None where none fits, or grey."""
    some = np.moveaxis(patterns[:LOOKED_AT], 1, -1)
    if float(np.ptp(some, axis=-1).mean()) < OWN_COLOURS:
        return None
    fits = {name: float(invert_colormap(some, name)[1].mean()) for name in COLORMAPS}
    best = min(fits, key=lambda name: fits[name])
    return best if fits[best] < OWN_COLOURS else None


def levels(patterns: NDArray[np.float32], colormap: str | None) -> NDArray[np.float64]:
    """Intensity levels ``(N, H, W)`` in [0, 1] of patterns ``(N, 3, H, W)`` coloured by ``colormap`` (None: grey)."""
    if colormap is None:
        return np.asarray(patterns.mean(1), dtype=np.float64)
    return np.stack([invert_colormap(np.moveaxis(pattern, 0, -1), colormap)[0] for pattern in patterns])


def coloured(intensity: Tensor, table: Tensor) -> Tensor:
    """Colours ``(B, 3, H, W)`` of levels ``(B, H, W)`` (clamped to [0, 1]) by a ``table`` ``(K, 3)``, interpolated."""
    places = intensity.clamp(0.0, 1.0) * (table.shape[0] - 1)
    below = places.detach().floor().clamp(0, table.shape[0] - 2)
    index = below.long()
    part = (places - below).unsqueeze(-1)
    return (table[index] * (1 - part) + table[index + 1] * part).movedim(-1, 1)
