"""Variants of the settings that a study compares: names with the settings that each changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pairvae.errors import InputError
from pairvae.settings import LARGEST_PARAMS_BYTES, Settings, flatten, parse_yaml, with_values

Changes = dict[str, Any]
NAME = r"[A-Za-z0-9][\w.-]{0,59}"


def read_variants(path: Path, settings: Settings) -> dict[str, Changes]:
    """Variants in a YAML file: ``name: {setting: value}`` by dotted keys; ``InputError`` where one does not fit."""
    if not path.is_file():
        raise InputError(expected="a file of variants", found="none", where=str(path))
    if path.stat().st_size > LARGEST_PARAMS_BYTES:
        raise InputError(expected="a file of variants under 1 MB", found="a larger one", where=str(path))
    try:
        return checked(parse_yaml(path.read_text("utf-8"), str(path)), settings, str(path))
    except UnicodeDecodeError as error:
        raise InputError(expected="UTF-8 text", found="other bytes", where=str(path)) from error


def shipped_variants(name: str, settings: Settings) -> dict[str, Changes]:
    """Variants that come with the package (``ablation``)."""
    file = resources.files("pairvae") / "commands" / "study" / "lists" / f"{name}.yaml"
    return checked(parse_yaml(file.read_text("utf-8"), f"{name}.yaml"), settings, f"{name}.yaml")


def checked(values: Mapping[str, Any], settings: Settings, where: str) -> dict[str, Changes]:
    """``values`` as variants, each tried on ``settings`` before anything is trained."""
    if not values:
        raise InputError(
            expected="variants", found="none", where=where, remedy="write `name: {setting: value}`"
        )
    found: dict[str, Changes] = {}
    for name, changes in values.items():
        if not re.fullmatch(NAME, str(name)):
            raise InputError(expected="names of letters, digits, - and _", found=repr(name), where=where)
        if not isinstance(changes, Mapping):
            raise InputError(
                expected="a mapping of settings to values ({} for none)",
                found=repr(changes),
                where=f"{where}, variant {name}",
            )
        flat = flatten(changes)
        with_values(settings, flat, f"{where}, variant {name}")
        found[str(name)] = flat
    return found
