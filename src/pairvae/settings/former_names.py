"""Settings that had another name in earlier versions: they work, and one line tells the name of today."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

FORMER: Mapping[str, tuple[str, ...]] = {
    "pair.training.refit": ("pair.calibration.posterior_mean",),
    "pair.training.calibrate": (
        "pair.calibration.length_scale",
        "pair.calibration.posterior_covariance",
        "pair.calibration.variance_matching",
    ),
}


def present_names(key: str, where: str) -> tuple[str, ...]:
    """The names of today of a dotted key: itself, where it never had another; else one line tells."""
    if key not in FORMER:
        return (key,)
    _tell(key, where)
    return FORMER[key]


def with_present_names(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Nested ``values`` with the names of today; a value under such a name stays."""
    renamed: dict[str, Any] = copy.deepcopy(dict(values))
    for key in FORMER:
        *sections, last = key.split(".")
        place: Any = renamed
        for section in sections:
            place = place.get(section) if isinstance(place, dict) else None
        if isinstance(place, dict) and last in place:
            value = place.pop(last)
            for name in present_names(key, where):
                _put(renamed, name.split("."), value)
    return renamed


def _put(values: dict[str, Any], path: list[str], value: object) -> None:
    """Set a nested value, where there is none."""
    for section in path[:-1]:
        if not isinstance(values.get(section), dict):
            values[section] = {}
        values = values[section]
    if values.get(path[-1]) is None:
        values[path[-1]] = value


@cache
def _tell(key: str, where: str) -> None:
    print(f"{where}: {key} is called {', '.join(FORMER[key])} now", file=sys.stderr)
