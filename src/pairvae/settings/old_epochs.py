"""Training sections of earlier versions, in which an epoch was a block of ``passes`` over the data.

Today an epoch is one pass, and ``log_every`` says how many of them lie between two logged losses: ``epochs: 40`` with
``passes: 10`` is ``epochs: 400`` with ``log_every: 10``, the same training bit for bit.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from pairvae.errors import InputError
from pairvae.settings.old_names import say_once
from pairvae.settings.parsing import value_at

PASSES, LOG_EVERY, PATIENCE = "passes", "log_every", "early_stop.patience"
EPOCHS = ("epochs", "random_epochs", "focused_epochs")
FEW = 10  # times fewer epochs than the preset's look like a count of blocks


def names_passes(flat: Mapping[str, Any]) -> bool:
    """Whether dotted keys name ``passes``."""
    return any(key.endswith(f".{PASSES}") for key in flat)


def with_true_epochs(values: Mapping[str, Any], base: Mapping[str, Any], where: str) -> dict[str, Any]:
    """``values`` (nested, as in params.yaml) in which epochs beside ``passes`` are passes over the data.

    Counts that ``values`` does not give are those of ``base``, in as many blocks. A converted section is reported once,
    on stderr. ``InputError`` where ``tune.space`` searches ``passes``: no number of epochs says the same.
    """
    converted = copy.deepcopy(dict(values))
    tune = converted.get("tune")
    space = tune.get("space") if isinstance(tune, dict) else None
    space = space if isinstance(space, dict) else {}
    for key in space:
        if isinstance(key, str) and names_passes({key: None}):
            raise InputError(
                expected="a search over epochs",
                found=key,
                where=f"{where}, key tune.space",
                remedy=f"search {key.removesuffix(PASSES)}epochs: passes over the data",
            )
    for name, section in _sections(converted):
        if PASSES not in section:
            continue
        passes = section.pop(PASSES)
        if LOG_EVERY in section:
            say_once(f"{where}: {name}.passes is ignored beside log_every: epochs are passes over the data")
            continue
        below = dict(_sections(base)).get(name, {})
        passes = below.get(LOG_EVERY) if passes is None else passes
        section[LOG_EVERY] = passes
        if not _is_count(passes):
            continue  # the model says what is wrong with it
        _multiply(section, below, passes)
        _multiply_space(space, name, passes)
        counts = ", ".join(f"{key}: {section[key]}" for key in (*EPOCHS, LOG_EVERY) if key in section)
        say_once(
            f"{where}: {name}.passes is now called log_every, and epochs are passes over the data: {counts}"
        )
    return converted


def warn_of_few_epochs(values: Mapping[str, Any], base: Mapping[str, Any], where: str) -> None:
    """One line on stderr where epochs look like blocks of passes, which a section without ``passes`` does not tell.

    So few are fewer than ``log_every`` or at most a tenth of the preset's. A section that gives ``log_every`` knows.
    """
    for name, section in _sections(values):
        below = dict(_sections(base)).get(name, {})
        every = below.get(LOG_EVERY)
        if LOG_EVERY in section or not _is_count(every) or every == 1:
            continue
        given = {key: section[key] for key in EPOCHS if _is_count(section.get(key))}
        total, usual = (
            sum(layer.get(key, 0) for key in EPOCHS) for layer in (_counts(below) | given, _counts(below))
        )
        if given and (total < every or total * FEW <= usual):
            say_once(
                f"{where}: {name} trains {total} epochs, which are passes over the data (preset: {usual}); epochs of "
                f"earlier versions were {every} passes each: write {total * every} for those, or log_every beside it"
            )
        patience = value_at(section, PATIENCE)
        if _is_count(patience) and patience < every:
            say_once(f"{where}: {name}.{PATIENCE} counts epochs: {patience} is less than log_every, {every}")


def _sections(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The training sections by dotted name."""
    for name, part in values.items():
        key = "unet" if name == "baselines" else "training"
        section = part.get(key) if isinstance(part, Mapping) else None
        if isinstance(section, Mapping):
            yield f"{name}.{key}", section


def _multiply(section: dict[str, Any], below: Mapping[str, Any], passes: int) -> None:
    every = below.get(LOG_EVERY, 1)
    for key in (*EPOCHS, PATIENCE):
        count, usual = value_at(section, key), value_at(below, key)
        if count is None and _is_count(usual):
            count = -(-usual // every)
        if _is_count(count):
            parent, _, last = key.rpartition(".")
            (section.setdefault(parent, {}) if parent else section)[last] = count * passes


def _multiply_space(space: dict[str, Any], name: str, passes: int) -> None:
    for key in (f"{name}.{count}" for count in (*EPOCHS, PATIENCE)):
        parameter = space.get(key)
        if isinstance(parameter, dict):
            space[key] = {
                field: [_times(choice, passes) for choice in value]
                if isinstance(value, list)
                else _times(value, passes)
                for field, value in parameter.items()
            }


def _times(value: Any, passes: int) -> Any:
    return value * passes if _is_count(value) else value


def _counts(section: Mapping[str, Any]) -> dict[str, int]:
    return {key: section[key] for key in EPOCHS if isinstance(section.get(key), int)}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
