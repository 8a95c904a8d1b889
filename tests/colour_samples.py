"""Pictures in a known colour map, as other programs draw patterns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairvae.numerics.colormaps import colormap_table


def apply_colormap(intensity: NDArray[Any], colormap: str) -> NDArray[np.float64]:
    """``(...)`` in [0, 1], clipped, to ``(..., 3)`` in [0, 1]."""
    table = colormap_table(colormap)
    positions = np.linspace(0, 1, len(table))
    return np.stack([np.interp(intensity, positions, table[:, channel]) for channel in range(3)], axis=-1)
