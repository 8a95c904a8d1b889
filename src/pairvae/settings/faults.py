"""Errors of the settings, in one line that names the key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from pairvae.errors import InputError
from pairvae.settings.presets import PRESETS, preset_values

KINDS = ("whole", "cropped")  # tags of the settings of further techniques, which are no keys


def unknown_key(key: str, where: str) -> InputError:
    """The error for an unknown key, with the known key that is most like it."""
    known = set().union(*(_keys(preset_values(preset)) for preset in PRESETS)) | {"preset"}
    close = difflib.get_close_matches(key.rpartition(".")[2], sorted(known), n=1)
    remedy = f"did you mean {close[0]}?" if close else "remove it; `pairvae params` prints the known keys"
    return InputError(expected="known keys", found=f"unknown key {key}", where=where, remedy=remedy)


def explain(error: ValidationError, values: Mapping[str, Any], where: str, prefix: str = "") -> InputError:
    """The first error of a validation as an ``InputError`` that names the key; ``prefix`` goes before the key."""
    first = error.errors()[0]
    key = f"{prefix}{dotted(first['loc'], values)}".rstrip(".")
    if first["type"] == "extra_forbidden":
        return unknown_key(key, where)
    if first["type"] == "missing":
        return InputError(expected=f"a value for {key}", found="none", where=where)
    location = f"{where}, key {key}" if key else where
    if first["type"] == "union_tag_invalid":
        return InputError(
            expected=f"architecture {first['ctx']['expected_tags']}",
            found=repr(first["ctx"]["tag"]),
            where=location,
        )
    alternatives = [
        fault for fault in error.errors() if dotted(fault["loc"], values) == dotted(first["loc"], values)
    ]
    message = " or ".join(dict.fromkeys(_plain(fault["msg"]) for fault in alternatives))
    found = "other values" if first["type"] == "value_error" else f"{first['input']!r}"[:80]
    return InputError(expected=message, found=found, where=location)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input should be ")


def dotted(location: Sequence[int | str], values: Mapping[str, Any]) -> str:
    """Dotted key of a place in ``values``, without the architectures and types that pydantic adds."""
    section: Any = values
    parts = []
    for number, part in enumerate(location):
        if isinstance(section, list) and isinstance(part, int):  # also one that is missing
            parts.append(str(part))
            section = section[part] if part < len(section) else None
            continue
        inside = isinstance(section, Mapping) and part in section
        if part in KINDS and not inside:
            continue
        if inside or (number + 1 == len(location) and isinstance(section, Mapping)):
            parts.append(str(part))
        if inside:
            section = section[part]
    return ".".join(parts)


def _keys(values: Mapping[str, Any]) -> set[str]:
    keys: set[str] = set()
    for key, value in values.items():
        keys.add(str(key))
        if isinstance(value, Mapping):
            keys |= _keys(value)
    return keys
