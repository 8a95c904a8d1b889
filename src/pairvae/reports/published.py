"""Medians that the paper published, to stand beside a study's (read off its Figure 6 to about 0.001)."""

from __future__ import annotations

NOTE = "published, real data, all images, periodic S(r)"
COLUMNS = (
    ("solo", "saxs_saxs", "mae"),
    ("pair", "saxs_saxs", "mae"),
    ("pair", "sem_saxs", "mae"),
    ("solo", "sem_sem", "s2_mae"),
    ("pair", "sem_sem", "s2_mae"),
    ("pair", "saxs_sem", "s2_mae"),
)
_ROWS = {
    32: (0.034, 0.041, 0.044, 0.027, 0.035, 0.0145),
    48: (0.0275, 0.035, 0.039, 0.028, 0.0195, 0.010),
    64: (0.026, 0.034, 0.0375, 0.0215, 0.0185, 0.0075),
}
MEDIANS: dict[tuple[int, str, str], float] = {
    (train, model, direction): median
    for train, row in _ROWS.items()
    for (model, direction, _), median in zip(COLUMNS, row, strict=True)
}
"""(training pairs, model, direction) -> median error (Lu and Jayaraman, JACS Au 2023, 3, 2510, Figure 6)."""
