"""Which of many rows are looked at where all would take too long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def evenly_spread(count: int, most: int) -> NDArray[np.int64]:
    """Ascending places ``(K,)``, each once and within [0, count), the first and the last among them where K > 1.

    K is the smaller of ``count`` and ``most``, so that up to ``most`` rows are all taken.
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)
