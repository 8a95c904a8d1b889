"""Settings under the names that they had in earlier versions: they keep working, and a line names the new ones."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

RENAMED: Mapping[str, tuple[str, ...]] = {
    "sem.network.critic": ("sem.training.adversarial.width",),
    "sem.training.texture.adversarial": ("sem.training.adversarial.weight",),
    "pair.training.refit": ("pair.calibration.posterior_mean",),
    "pair.training.calibrate": (
        "pair.calibration.length_scale",
        "pair.calibration.posterior_covariance",
        "pair.calibration.variance_matching",
        "pair.calibration.cross_regression",
    ),
}
REMOVED: Mapping[str, str] = {
    f"{section}.drop_remainder": "an epoch leaves out the samples that do not fill a batch"
    for section in (*(f"{name}.training" for name in ("saxs", "sem", "iq", "pair")), "baselines.unet")
}
_ABSENT = object()


def with_new_names(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """``values`` (nested, as in params.yaml) with today's names for old ones, in ``tune.space`` too.

    A value under the new name wins over one under the old name; removed settings are left out. Each old name is
    reported once, on stderr.
    """
    renamed = copy.deepcopy(dict(values))
    for old in (*RENAMED, *REMOVED):
        value = _pop(renamed, old)
        if value is not _ABSENT:
            for new in new_names(old, where):
                _set_default(renamed, new, value)
    tune = renamed.get("tune")
    if isinstance(tune, dict) and isinstance(tune.get("space"), Mapping):
        tune["space"] = {
            name: _with_new_condition(parameter, where)
            for key, parameter in tune["space"].items()
            for name in new_names(key, where)
        }
    return renamed


def new_names(key: str, where: str) -> tuple[str, ...]:
    """Today's names of a setting (dotted), mostly one, none where it was removed; an old name is reported."""
    if key in REMOVED:
        say_once(f"{where}: {key} no longer exists: {REMOVED[key]}")
        return ()
    if key not in RENAMED:
        return (key,)
    say_once(f"{where}: {key} is now called {', '.join(RENAMED[key])}")
    return RENAMED[key]


def _with_new_condition(parameter: Any, where: str) -> Any:
    if not (isinstance(parameter, Mapping) and isinstance(parameter.get("when"), Mapping)):
        return parameter
    when = {name: value for key, value in parameter["when"].items() for name in new_names(key, where)}
    return {**parameter, "when": when}


@cache
def say_once(line: str) -> None:
    """Print ``line`` on stderr, once a process."""
    print(line, file=sys.stderr)


def _pop(values: dict[str, Any], key: str) -> Any:
    """Take the value of a dotted key out of nested mappings."""
    *parents, last = key.split(".")
    section: Any = values
    for parent in parents:
        section = section.get(parent) if isinstance(section, dict) else None
    return section.pop(last, _ABSENT) if isinstance(section, dict) else _ABSENT


def _set_default(values: dict[str, Any], key: str, value: Any) -> None:
    """Give a dotted key a value where it has none; what is in the way of its sections is left to their check."""
    *parents, last = key.split(".")
    section = values
    for parent in parents:
        if section.get(parent) is None:
            section[parent] = {}
        if not isinstance(section[parent], dict):
            return
        section = section[parent]
    section.setdefault(last, value)
